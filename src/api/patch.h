/* api/patch.h - the three ways a client describes a change. Pure: the target is not changed. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "kinds/kind.h"

/* RFC 7386: objects merge, null deletes, all else replaces. Owned. */
json_t *patch_merge(const json_t *target, const json_t *patch);

enum { PATCH_OPERATIONS_MAX = 10000 };

/* RFC 6902. NULL on failure: ERR_BAD_REQUEST when 'operations' is no patch, ERR_INVALID when a
 * test fails, a path is missing, or copies grow beyond what a body may hold. Owned. */
json_t *patch_json(const json_t *target, const json_t *operations, struct err *err);

/* Strategic merge: as patch_merge(), but lists that 'schema' calls maps or sets merge by item,
 * and the directives $patch, $retainKeys, $setElementOrder/F and $deleteFromPrimitiveList/F
 * are honoured. NULL with ERR_BAD_REQUEST on a wrong directive. Owned. */
json_t *patch_strategic(const struct field *schema, const json_t *target, const json_t *patch,
                        struct err *err);
