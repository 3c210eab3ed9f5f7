/* api/audit.h - one entry for every write and every refused request. */
#pragma once
struct request;

/* Tells the audit hook about an answer; called for each, decides by itself. */
void audit_request(struct request *request);
