/* daemon/audit.h - who changed what: JSON lines, each carrying the hash of the one before.
 *
 * STATE/audit/audit.log is append-only; each line has "previous", the SHA-256 of the whole line
 * before it, so that a changed, removed or inserted line breaks the chain. */
#pragma once
#include "base/json.h"

struct audit;
struct audit *audit_open(const char *state_dir, struct err *err);
void audit_write(struct audit *audit, const json_t *entry);
void audit_close(struct audit *audit);
/* Reads the whole file; ERR_CONFLICT names the first line whose chain is broken. */
int audit_verify(const char *state_dir, struct err *err);
