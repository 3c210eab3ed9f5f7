/* tests/contract/compute/rig.c - waiting for a driver, on any loop. */
#include "rig.h"

enum { PATIENCE_MS = 60 * 1000 };

static void stop_waiting(void *arg)
{
    struct rig *rig = arg;

    rig->failed_to_wait = true;
    loop_stop(rig->loop);
}

static void answered(struct wait *wait, const struct err *err)
{
    CHECK(!wait->called);
    wait->called = true;
    if (err)
        wait->err = *err;
    loop_stop(wait->rig->loop);
}

static void on_done(void *arg, const struct err *err) { answered(arg, err); }

struct done wait_done(struct rig *rig, struct wait *wait)
{
    *wait = (struct wait){ .rig = rig, .fd = -1 };
    return (struct done){ on_done, wait };
}

void wait_fd(void *arg, const struct err *err, int take_fd)
{
    struct wait *wait = arg;

    wait->fd = take_fd;
    answered(wait, err);
}

void wait_json(void *arg, const struct err *err, const json_t *result)
{
    struct wait *wait = arg;

    wait->result = result ? json_deep_copy(result) : NULL;
    answered(wait, err);
}

void wait_bytes(void *arg, const struct err *err, const void *bytes, size_t size)
{
    struct wait *wait = arg;

    wait->size = size;
    answered(wait, err);
}

void rig_wait(struct rig *rig, struct wait *wait)
{
    auto_clean(loop_source_free_auto) struct loop_source *guard =
        loop_timer(rig->loop, PATIENCE_MS, stop_waiting, rig);
    struct err err;

    rig->failed_to_wait = false;
    while (!wait->called && !rig->failed_to_wait)
        CHECK_OK(loop_run(rig->loop, &err), &err);
    CHECK(wait->called);
}

void rig_changed(void *arg, const char *uid)
{
    struct rig *rig = arg;

    loop_stop(rig->loop);
}

enum machine_state rig_state(struct rig *rig, const char *uid)
{
    struct machine_status status;

    rig->compute->ops->observe(rig->compute, uid, &status);
    return status.state;
}

static bool wait_for_state(struct rig *rig, const char *uid, enum machine_state state, bool wanted)
{
    auto_clean(loop_source_free_auto) struct loop_source *guard =
        loop_timer(rig->loop, PATIENCE_MS, stop_waiting, rig);
    struct err err;

    rig->failed_to_wait = false;
    while ((rig_state(rig, uid) == state) != wanted && !rig->failed_to_wait)
        CHECK_OK(loop_run(rig->loop, &err), &err);
    return (rig_state(rig, uid) == state) == wanted;
}

static bool has_size(struct rig *rig, const char *uid, unsigned cpus, int64_t bytes)
{
    struct machine_status status;

    rig->compute->ops->observe(rig->compute, uid, &status);
    return status.cpus == cpus && status.memory_bytes == bytes;
}

bool rig_reaches_size(struct rig *rig, const char *uid, unsigned cpus, int64_t bytes)
{
    auto_clean(loop_source_free_auto) struct loop_source *guard =
        loop_timer(rig->loop, PATIENCE_MS, stop_waiting, rig);
    struct err err;

    rig->failed_to_wait = false;
    while (!has_size(rig, uid, cpus, bytes) && !rig->failed_to_wait)
        CHECK_OK(loop_run(rig->loop, &err), &err);
    return has_size(rig, uid, cpus, bytes);
}

bool rig_reaches(struct rig *rig, const char *uid, enum machine_state state)
{
    return wait_for_state(rig, uid, state, true);
}

bool rig_leaves(struct rig *rig, const char *uid, enum machine_state state)
{
    return wait_for_state(rig, uid, state, false);
}
