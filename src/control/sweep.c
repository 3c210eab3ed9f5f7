/* control/sweep.c - at start: what drivers have and the store does not know is removed.
 *
 * Objects keep their finalizer until everything of theirs is gone, so this finds only what a
 * restored or lost store leaves behind. Everything is named by uid: what is not ours has none. */
#include "control/internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/storage_refs.h"
#include "kinds/tables/tables.h"
#include <stdlib.h>

/* One thing that goes; remembers its name for the log. */
struct removal {
    char *what;
};

static void removed(void *arg, const struct err *err)
{
    struct removal *removal = arg;

    if (err)
        log_warning("sweep: %s: %s", removal->what, err->text);
    else
        log_info("sweep: removed %s, which no object knows", removal->what);
    free(removal->what);
    free(removal);
}

static struct done removal_of(const char *type, const char *uid)
{
    struct removal *removal = mem_new(struct removal);

    removal->what = str_printf("%s %s", type, uid);
    return (struct done){ removed, removal };
}

static bool is_known(struct control *control, const char *uid) { return map_has(control->keys_by_uid, uid); }

/* --- machines: ended first, then forgotten --- */

struct machine_removal {
    struct compute *compute;
    char *uid;
};

static void machine_killed(void *arg, const struct err *err)
{
    struct machine_removal *removal = arg;

    if (err)
        log_warning("sweep: machine %s: %s", removal->uid, err->text);
    else
        removal->compute->ops->release(removal->compute, removal->uid, removal_of("machine", removal->uid));
    free(removal->uid);
    free(removal);
}

static void sweep_machines(struct control *control)
{
    struct compute *compute = control->setup.compute;
    char **uids = compute->ops->list(compute);

    for (char **uid = uids; uid && *uid; uid++) {
        struct machine_removal *removal;
        if (is_known(control, *uid))
            continue;
        removal = mem_new(struct machine_removal);
        *removal = (struct machine_removal){ compute, str_dup(*uid) };
        compute->ops->kill(compute, *uid, (struct done){ machine_killed, removal });
    }
    compute_uids_free(uids);
}

/* --- networks and their ports --- */

static void sweep_ports(struct control *control, const char *network_uid)
{
    struct network_driver *network = control->setup.network;
    char **ids = network->ops->list_ports(network, network_uid);

    for (char **id = ids; id && *id; id++) {
        auto_free char *uid = str_dup_part(*id, __builtin_strcspn(*id, "/"));
        if (!is_known(control, uid))
            network->ops->port_remove(network, network_uid, *id, removal_of("port", *id));
    }
    network_names_free(ids);
}

static void sweep_networks(struct control *control)
{
    struct network_driver *network = control->setup.network;
    char **uids = network->ops->list(network);

    for (char **uid = uids; uid && *uid; uid++) {
        if (is_known(control, *uid))
            sweep_ports(control, *uid);
        else
            network->ops->network_remove(network, *uid, removal_of("network", *uid));
    }
    network_names_free(uids);
}

/* --- disks --- */

static void sweep_pool(void *arg, const json_t *pool)
{
    struct control *control = arg;
    struct storage_driver *storage = control->setup.storage;
    struct storage_pool where = storage_pool_of(pool);
    char **uids = storage->ops->pool_list(storage, &where);

    for (char **uid = uids; uid && *uid; uid++)
        if (!is_known(control, *uid))
            storage->ops->volume_remove(storage, &where, *uid, removal_of("volume", *uid));
    compute_uids_free(uids);
}

static void sweep_images(struct control *control)
{
    struct storage_driver *storage = control->setup.storage;
    char **uids = storage->ops->image_list(storage);

    for (char **uid = uids; uid && *uid; uid++)
        if (!is_known(control, *uid))
            storage->ops->image_remove(storage, *uid, removal_of("image", *uid));
    compute_uids_free(uids);
}

void sweep_run(struct control *control)
{
    sweep_machines(control);
    sweep_networks(control);
    control_each(control, &kind_storage_pool, NULL, sweep_pool, control);
    sweep_images(control);
}
