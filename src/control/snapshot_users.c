/* control/snapshot_users.c - who stands on a snapshot: volumes, snapshots of these, and instances
 * whose root volume is still to be made. */
#include "control/snapshot.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

struct search {
    const char *uid, *name;
    char *user;
};

static void found(struct search *search, const char *type, const json_t *object)
{
    if (!search->user)
        search->user = str_printf("%s \"%s\"", type, object_name(object));
}

static void look_at_instance(void *arg, const json_t *instance)
{
    struct search *search = arg;

    if (str_equal(view_text(&kind_instance, instance, "spec.snapshot"), search->name))
        found(search, kind_instance.singular, instance);
}

static void look_at_volume(void *arg, const json_t *volume)
{
    struct search *search = arg;
    const char *uid = view_text(&kind_volume, volume, "status.snapshotUID");

    if (uid ? str_equal(uid, search->uid)
            : str_equal(view_text(&kind_volume, volume, "spec.source.snapshot"), search->name))
        found(search, kind_volume.singular, volume);
}

static void look_at_snapshot(void *arg, const json_t *snapshot)
{
    struct search *search = arg;

    if (str_equal(view_text(&kind_snapshot, snapshot, "status.parentUID"), search->uid))
        found(search, kind_snapshot.singular, snapshot);
}

char *snapshot_user(struct work *work)
{
    struct search search = { object_uid(work->object), object_name(work->object), NULL };
    const char *namespace_name = object_namespace(work->object);

    control_each_mentioning(work->control, &kind_instance, namespace_name, search.name, look_at_instance, &search);
    control_each_mentioning(work->control, &kind_volume, namespace_name, search.name, look_at_volume, &search);
    control_each_mentioning(work->control, &kind_snapshot, namespace_name, search.uid, look_at_snapshot, &search);
    return search.user;
}
