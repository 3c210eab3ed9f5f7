/* api/patch_merge.c - JSON merge patch, RFC 7386. */
#include "api/patch.h"

json_t *patch_merge(const json_t *target, const json_t *patch)
{
    const char *key;
    json_t *value, *result;

    if (!json_is_object(patch))
        return json_deep_copy(patch);
    result = json_is_object(target) ? json_copy((json_t *)target) : json_object();
    json_object_foreach ((json_t *)patch, key, value) {
        if (json_is_null(value))
            json_object_del(result, key);
        else
            json_object_set_new(result, key, patch_merge(json_object_get(target, key), value));
    }
    return result;
}
