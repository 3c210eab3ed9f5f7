/* cli/scalers.c - what decides the size of a group. */
#include "cli/common.h"
#include "base/str.h"

bool kind_is_scaler(const struct kind *kind) { return kind_find_connect(kind, "decisions") != NULL; }

static int each_of(struct session *session, const struct kind *kind, const char *group, scaler_fn *fn, void *arg,
                   struct err *err)
{
    auto_free char *path = object_path(session, kind, NULL, NULL);
    auto_json json_t *list = NULL;
    const json_t *items;

    if (client_get(session->client, path, &list, err) < 0)
        return -1;
    items = json_object_get(list, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *scaler = json_array_get(items, i);

        if (str_equal(json_text_at(scaler, "spec.scaleTargetRef.name", ""), group) &&
            fn(session, kind, scaler, arg, err) < 0)
            return -1;
    }
    return 0;
}

int each_scaler(struct session *session, const char *group, scaler_fn *fn, void *arg, struct err *err)
{
    if (!session_client(session, err))
        return -1;
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        if (kind_is_scaler(*kind) && each_of(session, *kind, group, fn, arg, err) < 0)
            return -1;
    return 0;
}
