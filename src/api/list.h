/* api/list.h - GET of a collection: selectors, pages, and its forms. */
#pragma once
#include "api/request.h"

void list_run(struct request *request);

/* resourceVersion and resourceVersionMatch of a list: sound, not in the future. */
int list_check_revision(const struct request *request, struct failure *failure);
/* 504 with cause ResourceVersionTooLarge. */
int list_revision_too_large(struct failure *failure, int64_t wanted, int64_t current);
