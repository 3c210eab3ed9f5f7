/* control/strangers.c - what drivers have and no object knows: told, and left alone.
 *
 * An object gets its finalizer before anything of it is made, and keeps it until all of it is gone.
 * So whatever a crash leaves half-made belongs to an object, whose controller finishes or removes it,
 * and what no object knows is not left over: its object is missing, because an older copy of the
 * store was put back, or its finalizer was taken by force. It may be somebody's running machine.
 * Only who says its uid in an annotation of the Host has it removed. */
#include "control/strangers.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/internal.h"
#include "control/storage_refs.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

#define NAME "strangers"

enum { SHOWN_MAX = 32 };

static const char remove_unknown[] = "virga.dev/remove-unknown";

struct stranger {
    const struct sort *sort;
    char *uid;
    char *where; /* pool or network that it is in, or "" */
    struct stranger *next;
};

struct strangers {
    struct stranger *first;
    size_t count;
};

static void strangers_free(void *pointer)
{
    struct strangers *strangers = pointer;

    while (strangers->first) {
        struct stranger *stranger = strangers->first;
        strangers->first = stranger->next;
        free(stranger->uid);
        free(stranger->where);
        free(stranger);
    }
    free(strangers);
}

/* --- removing, one driver call at a time --- */

/* True when it is done. */
static bool call_once(struct work *work, const struct stranger *stranger, const char *verb,
                      void (*call)(struct work *work, const struct stranger *stranger, struct done done))
{
    auto_free char *op = str_printf("%s %s", verb, stranger->uid);

    if (work_op_succeeded(work, op))
        return true;
    if (work_op_begin(work, op))
        call(work, stranger, work_op_done(work, op));
    return false;
}

static void kill_machine(struct work *work, const struct stranger *stranger, struct done done)
{
    struct compute *compute = control_setup(work->control)->compute;

    compute->ops->kill(compute, stranger->uid, done);
}

static void release_machine(struct work *work, const struct stranger *stranger, struct done done)
{
    struct compute *compute = control_setup(work->control)->compute;

    compute->ops->release(compute, stranger->uid, done);
}

static void call_logs(struct work *work, const struct stranger *stranger, struct done done)
{
    struct compute *compute = control_setup(work->control)->compute;

    compute->ops->logs_remove(compute, stranger->uid, done);
}

static bool remove_logs(struct work *work, const struct stranger *stranger)
{
    return call_once(work, stranger, "remove logs", call_logs);
}

static bool remove_machine(struct work *work, const struct stranger *stranger)
{
    return call_once(work, stranger, "kill", kill_machine) &&
           call_once(work, stranger, "release", release_machine) && remove_logs(work, stranger);
}

static void call_network(struct work *work, const struct stranger *stranger, struct done done)
{
    struct network_driver *network = control_setup(work->control)->network;

    network->ops->network_remove(network, stranger->uid, done);
}

static bool remove_network(struct work *work, const struct stranger *stranger)
{
    return call_once(work, stranger, "remove", call_network);
}

static void call_port(struct work *work, const struct stranger *stranger, struct done done)
{
    struct network_driver *network = control_setup(work->control)->network;

    network->ops->port_remove(network, stranger->where, stranger->uid, done);
}

static bool remove_port(struct work *work, const struct stranger *stranger)
{
    return call_once(work, stranger, "remove", call_port);
}

static void call_volume(struct work *work, const struct stranger *stranger, struct done done)
{
    struct storage_driver *storage = control_setup(work->control)->storage;
    auto_json json_t *pool = control_find(work->control, &kind_storage_pool, NULL, stranger->where);
    struct storage_pool where = storage_pool_of(pool);
    storage->ops->volume_remove(storage, &where, stranger->uid, done);
}

static bool remove_volume(struct work *work, const struct stranger *stranger)
{
    auto_json json_t *pool = control_find(work->control, &kind_storage_pool, NULL, stranger->where);

    /* With its pool it goes out of our sight. */
    return !pool || call_once(work, stranger, "remove", call_volume);
}

static void call_image(struct work *work, const struct stranger *stranger, struct done done)
{
    struct storage_driver *storage = control_setup(work->control)->storage;

    storage->ops->image_remove(storage, stranger->uid, done);
}

static bool remove_image(struct work *work, const struct stranger *stranger)
{
    return call_once(work, stranger, "remove", call_image);
}

static void call_balancer(struct work *work, const struct stranger *stranger, struct done done)
{
    struct balancer_driver *driver = control_setup(work->control)->balancer;

    driver->ops->remove(driver, stranger->uid, done);
}

static bool remove_balancer(struct work *work, const struct stranger *stranger)
{
    return call_once(work, stranger, "remove", call_balancer);
}

static void call_frozen(struct work *work, const struct stranger *stranger, struct done done)
{
    struct compute *compute = control_setup(work->control)->compute;

    compute->ops->frozen_remove(compute, stranger->uid, done);
}

static bool remove_frozen(struct work *work, const struct stranger *stranger)
{
    return call_once(work, stranger, "remove", call_frozen);
}

static const struct sort {
    const char *name;
    bool (*remove)(struct work *work, const struct stranger *stranger); /* true when it is gone */
} machine = { "machine", remove_machine }, logs = { "log", remove_logs }, port = { "port", remove_port },
  network_sort = { "network", remove_network }, volume = { "volume", remove_volume },
  image = { "image", remove_image }, load_balancer = { "load balancer", remove_balancer },
  frozen_machine = { "frozen machine", remove_frozen };

/* --- finding --- */

static void meet(struct strangers *strangers, const struct sort *sort, const char *uid, const char *where)
{
    struct stranger *stranger = mem_new(struct stranger);

    *stranger = (struct stranger){ sort, str_dup(uid), str_dup(where), strangers->first };
    strangers->first = stranger;
    strangers->count++;
}

static bool is_known(struct control *control, const char *uid) { return map_has(control->keys_by_uid, uid); }

static void meet_unknown(struct control *control, const struct sort *sort, char **uids, const char *where)
{
    for (char **uid = uids; uid && *uid; uid++) {
        auto_free char *owner = str_dup_part(*uid, strcspn(*uid, "/"));
        if (!is_known(control, owner))
            meet(control_extension(control, NAME), sort, *uid, where);
    }
}

/* Of machines that do not run any more; the others' go with their machine. */
static void look_at_logs(struct control *control)
{
    struct compute *compute = control->setup.compute;
    char **uids = compute->ops->logs_list(compute);
    struct machine_status status;

    for (char **uid = uids; uid && *uid; uid++) {
        compute->ops->observe(compute, *uid, &status);
        if (status.state == MACHINE_ABSENT && !is_known(control, *uid))
            meet(control_extension(control, NAME), &logs, *uid, "");
    }
    compute_uids_free(uids);
}

static void look_at_networks(struct control *control)
{
    struct network_driver *network = control->setup.network;
    char **uids = network->ops->list(network);

    meet_unknown(control, &network_sort, uids, "");
    for (char **uid = uids; uid && *uid; uid++) {
        char **ids = is_known(control, *uid) ? network->ops->list_ports(network, *uid) : NULL;
        meet_unknown(control, &port, ids, *uid);
        network_names_free(ids);
    }
    network_names_free(uids);
}

static void look_at_pool(void *arg, const json_t *pool)
{
    struct control *control = arg;
    struct storage_driver *storage = control->setup.storage;
    struct storage_pool where = storage_pool_of(pool);
    char **uids = storage->ops->pool_list(storage, &where);

    meet_unknown(control, &volume, uids, object_name(pool));
    compute_uids_free(uids);
}

static void look_at_balancers(struct control *control)
{
    struct balancer_driver *driver = control->setup.balancer;
    char **uids = driver ? driver->ops->list(driver) : NULL;

    meet_unknown(control, &load_balancer, uids, "");
    balancer_uids_free(uids);
}

void strangers_find(struct control *control)
{
    struct compute *compute = control->setup.compute;
    struct storage_driver *storage = control->setup.storage;
    char **machines = compute->ops->list(compute), **images = storage->ops->image_list(storage);

    char **frozen = compute->ops->frozen_list(compute);

    control_set_extension(control, NAME, mem_new(struct strangers), strangers_free);
    meet_unknown(control, &machine, machines, "");
    meet_unknown(control, &frozen_machine, frozen, "");
    look_at_logs(control);
    look_at_networks(control);
    look_at_balancers(control);
    control_each(control, &kind_storage_pool, NULL, look_at_pool, control);
    meet_unknown(control, &image, images, "");
    compute_uids_free(machines);
    compute_uids_free(frozen);
    compute_uids_free(images);
}

bool strangers_have_volume(struct control *control)
{
    const struct strangers *strangers = control_extension(control, NAME);

    for (const struct stranger *at = strangers ? strangers->first : NULL; at; at = at->next)
        if (at->sort == &volume)
            return true;
    return false;
}

static bool have_machine(const struct strangers *strangers, const char *port_id)
{
    size_t length = strcspn(port_id, "/");

    for (const struct stranger *at = strangers->first; at; at = at->next)
        if (at->sort == &machine && strlen(at->uid) == length && strncmp(at->uid, port_id, length) == 0)
            return true;
    return false;
}

bool strangers_have_port(struct control *control, const char *network_uid)
{
    const struct strangers *strangers = control_extension(control, NAME);

    for (const struct stranger *at = strangers ? strangers->first : NULL; at; at = at->next)
        if (at->sort == &port && str_equal(at->where, network_uid) && have_machine(strangers, at->uid))
            return true;
    return false;
}

/* --- what the Host says --- */

static bool is_to_go(const struct work *work, const struct stranger *stranger)
{
    const json_t *annotations = json_at(work->object, "metadata.annotations");
    const char *wanted = json_string_value(json_object_get(annotations, remove_unknown));
    size_t length = strlen(stranger->uid);

    for (const char *at = wanted; at && *at; at += strspn(at, ", \n")) {
        if (strcspn(at, ", \n") == length && strncmp(at, stranger->uid, length) == 0)
            return true;
        at += strcspn(at, ", \n");
    }
    return false;
}

static void forget(struct strangers *strangers, struct stranger **link)
{
    struct stranger *stranger = *link;

    *link = stranger->next;
    strangers->count--;
    free(stranger->uid);
    free(stranger->where);
    free(stranger);
}

/* Machines go before what they may have open. */
static void remove_wanted(struct work *work, struct strangers *strangers, bool machines)
{
    for (struct stranger **link = &strangers->first; *link;) {
        struct stranger *stranger = *link;
        if ((stranger->sort == &machine) == machines && is_to_go(work, stranger) &&
            stranger->sort->remove(work, stranger)) {
            work_event(work, "Normal", "UnknownRemoved", "%s %s was removed as asked",
                       stranger->sort->name, stranger->uid);
            forget(strangers, link);
        } else {
            link = &stranger->next;
        }
    }
}

static bool machine_is_to_go(const struct work *work, const struct strangers *strangers)
{
    for (const struct stranger *at = strangers->first; at; at = at->next)
        if (at->sort == &machine && is_to_go(work, at))
            return true;
    return false;
}

static char *list_of(const struct strangers *strangers)
{
    struct buf text = { 0 };
    size_t shown = 0;

    for (const struct stranger *at = strangers->first; at && shown < SHOWN_MAX; at = at->next)
        buf_printf(&text, "%s%s %s", shown++ ? ", " : "", at->sort->name, at->uid);
    if (strangers->count > shown)
        buf_printf(&text, " and %zu more", strangers->count - shown);
    return buf_take(&text);
}

void strangers_show(struct work *work)
{
    struct strangers *strangers = control_extension(work->control, NAME);
    bool was_told = condition_get(work->object, "AllKnown") && !condition_is_true(work->object, "AllKnown");

    remove_wanted(work, strangers, /*machines=*/true);
    if (!machine_is_to_go(work, strangers))
        remove_wanted(work, strangers, /*machines=*/false);
    if (!strangers->count) {
        work_condition(work, "AllKnown", true, "NothingUnknown", "all that runs and lies here has its object");
        return;
    }
    auto_free char *list = list_of(strangers);
    work_condition(work, "AllKnown", false, "UnknownFound",
                   "no object knows %s; they are left alone. To remove some, list their uids, separated by "
                   "commas, in the annotation %s of this host", list, remove_unknown);
    if (!was_told)
        work_event(work, "Warning", "UnknownFound", "no object knows %zu things that are here, left alone: %s",
                   strangers->count, list);
}
