/* api/namespaces.c - what the server itself needs of the Namespace kind. */
#include "api/namespaces.h"
#include "api/internal.h"
#include "api/scan.h"
#include "base/str.h"
#include "store/object.h"

bool is_namespace(const struct kind *kind)
{
    return str_is_empty(kind->group) && str_equal(kind->name, "Namespace");
}

void namespace_prepare(json_t *object)
{
    json_set_at(object, "spec.finalizers", json_pack("[s]", "kubernetes"));
    json_set_at(object, "status.phase", json_string("Active"));
}

int namespace_check(struct api *api, const char *namespace_name, const struct kind *kind,
                    const char *name, struct failure *failure)
{
    auto_free char *key = object_key("", "namespaces", "", namespace_name);
    auto_clean(record_unref_auto) struct record *record = api->store->ops->get(api->store, key);
    struct scan text;

    if (!record)
        return failure_not_found(failure, kind_find("", "v1", "namespaces"), namespace_name);
    text = scan_text(record->bytes, record->size);
    if (scan_path(text, "metadata.deletionTimestamp").at)
        return failure_forbidden(failure, kind, name,
                                 "unable to create new content in namespace %s because it is being "
                                 "terminated",
                                 namespace_name);
    return 0;
}
