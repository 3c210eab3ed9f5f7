/* api/namespaces.h - the scope of names: what the server itself needs of the Namespace kind. */
#pragma once
#include "api/failure.h"

struct api;

bool is_namespace(const struct kind *kind);
/* A new one is Active, and is not removed before it is empty (spec.finalizers). */
void namespace_prepare(json_t *object);
/* Whether an object may be made in it: ERR_NOT_FOUND, or ERR_FORBIDDEN while it is terminating. */
int namespace_check(struct api *api, const char *namespace_name, const struct kind *kind,
                    const char *name, struct failure *failure);
