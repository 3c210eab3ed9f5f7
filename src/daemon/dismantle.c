/* daemon/dismantle.c - machines and load balancers first, for they are in the networks; then these. */
#include "daemon/dismantle.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

enum { TIME_MAX_MS = 60 * 1000 };

struct dismantling {
    struct compute *compute;
    struct network_driver *network;
    struct balancer_driver *balancer;
    unsigned pending; /* calls whose end is awaited, and one for the loop that starts them */
    bool failed;
    struct err first;
    struct done done;
};

/* One machine or network on its way out. */
struct leaving {
    struct dismantling *all;
    char *uid;
};

static struct leaving *leaving_new(struct dismantling *all, const char *uid)
{
    struct leaving *leaving = mem_new(struct leaving);

    *leaving = (struct leaving){ all, str_dup(uid) };
    all->pending++;
    return leaving;
}

static void leaving_free(struct leaving *leaving)
{
    free(leaving->uid);
    free(leaving);
}

static void note(struct dismantling *all, const char *type, const char *uid, const struct err *err)
{
    if (!err) {
        log_info("removed %s %s", type, uid);
        return;
    }
    log_error("%s %s: %s", type, uid, err->text);
    if (all->failed)
        return;
    all->failed = true;
    all->first = *err;
    err_wrap(&all->first, "%s %s", type, uid);
}

/* --- networks --- */

static void all_gone(struct dismantling *all)
{
    done_call(all->done, all->failed ? &all->first : NULL);
    free(all);
}

static void network_gone(void *arg, const struct err *err)
{
    struct leaving *leaving = arg;
    struct dismantling *all = leaving->all;

    note(all, "network", leaving->uid, err);
    leaving_free(leaving);
    if (--all->pending == 0)
        all_gone(all);
}

static void remove_networks(struct dismantling *all)
{
    char **uids = all->network->ops->list(all->network);

    all->pending = 1;
    for (char **uid = uids; uid && *uid; uid++)
        all->network->ops->network_remove(all->network, *uid,
                                          (struct done){ network_gone, leaving_new(all, *uid) });
    network_names_free(uids);
    if (--all->pending == 0)
        all_gone(all);
}

/* --- machines --- */

static void machine_left(struct leaving *leaving, const struct err *err)
{
    struct dismantling *all = leaving->all;

    note(all, "machine", leaving->uid, err);
    leaving_free(leaving);
    if (--all->pending == 0)
        remove_networks(all);
}

static void machine_released(void *arg, const struct err *err) { machine_left(arg, err); }

static void machine_killed(void *arg, const struct err *err)
{
    struct leaving *leaving = arg;
    struct compute *compute = leaving->all->compute;

    if (err)
        machine_left(leaving, err);
    else
        compute->ops->release(compute, leaving->uid, (struct done){ machine_released, leaving });
}

/* --- frozen machines --- */

static void frozen_gone(void *arg, const struct err *err)
{
    struct leaving *leaving = arg;
    struct dismantling *all = leaving->all;

    note(all, "frozen machine", leaving->uid, err);
    leaving_free(leaving);
    if (--all->pending == 0)
        remove_networks(all);
}

static void remove_frozen(struct dismantling *all)
{
    char **names = all->compute->ops->frozen_list(all->compute);

    for (char **name = names; *name; name++)
        all->compute->ops->frozen_remove(all->compute, *name, (struct done){ frozen_gone, leaving_new(all, *name) });
    compute_uids_free(names);
}

/* --- load balancers --- */

static void balancer_gone(void *arg, const struct err *err)
{
    struct leaving *leaving = arg;
    struct dismantling *all = leaving->all;

    note(all, "load balancer", leaving->uid, err);
    leaving_free(leaving);
    if (--all->pending == 0)
        remove_networks(all);
}

static void remove_balancers(struct dismantling *all)
{
    char **uids = all->balancer ? all->balancer->ops->list(all->balancer) : NULL;

    for (char **uid = uids; uid && *uid; uid++)
        all->balancer->ops->remove(all->balancer, *uid,
                                   (struct done){ balancer_gone, leaving_new(all, *uid) });
    balancer_uids_free(uids);
}

void dismantle(struct compute *compute, struct network_driver *network, struct balancer_driver *balancer,
               struct done done)
{
    struct dismantling *all = mem_new(struct dismantling);
    char **uids = compute->ops->list(compute);

    *all = (struct dismantling){ .compute = compute, .network = network, .balancer = balancer,
                                 .pending = 1, .done = done };
    remove_balancers(all);
    remove_frozen(all);
    for (char **uid = uids; uid && *uid; uid++)
        compute->ops->kill(compute, *uid, (struct done){ machine_killed, leaving_new(all, *uid) });
    compute_uids_free(uids);
    if (--all->pending == 0)
        remove_networks(all);
}

/* --- the option --- */

struct outcome {
    struct loop *loop;
    int result;
    bool is_late;
    struct err *err;
};

static void ended(void *arg, const struct err *err)
{
    struct outcome *outcome = arg;

    if (outcome->is_late)
        return;
    outcome->result = err ? -1 : 0;
    if (err)
        *outcome->err = *err;
    loop_stop(outcome->loop);
}

static void too_late(void *arg)
{
    struct outcome *outcome = arg;

    outcome->is_late = true;
    outcome->result = err_set(outcome->err, ERR_TIMEOUT,
                              "not everything went within %d s: call it again", TIME_MAX_MS / 1000);
    loop_stop(outcome->loop);
}

int dismantle_run(struct daemon *daemon, struct err *err)
{
    struct outcome outcome = { .err = err };

    if (daemon_open_drivers(daemon, err) < 0)
        return -1;
    outcome.loop = daemon->loop;
    auto_clean(loop_source_free_auto) struct loop_source *limit =
        loop_timer(daemon->loop, TIME_MAX_MS, too_late, &outcome);
    dismantle(daemon->compute, daemon->network, daemon->balancer, (struct done){ ended, &outcome });
    if (loop_run(daemon->loop, err) < 0)
        outcome.result = -1;
    /* Calls still under way end here, while what they report to is there. */
    daemon_close_drivers(daemon);
    return outcome.result;
}
