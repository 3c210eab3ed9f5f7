/* tests/contract/storage/rig.c - waiting, for every driver. */
#include "rig.h"
#include <string.h>
#include <unistd.h>

enum { WAIT_MS_MAX = 60 * 1000 };

static void take_end(struct wait *wait, const struct err *err)
{
    wait->called++;
    if (err)
        wait->err = *err;
    if (wait->rig && wait->rig->loop)
        loop_stop(wait->rig->loop);
}

static void end_done(void *arg, const struct err *err) { take_end(arg, err); }

struct done wait_done(struct rig *rig, struct wait *wait)
{
    *wait = (struct wait){ .rig = rig };
    return (struct done){ .fn = end_done, .arg = wait };
}

void wait_usage(void *arg, const struct err *err, const struct pool_usage *usage)
{
    struct wait *wait = arg;

    if (usage)
        wait->usage = *usage;
    take_end(wait, err);
}

void wait_volume(void *arg, const struct err *err, const struct volume_info *info)
{
    struct wait *wait = arg;

    if (info)
        wait->volume = *info;
    take_end(wait, err);
}

void wait_image(void *arg, const struct err *err, const struct image_info *info)
{
    struct wait *wait = arg;

    if (info)
        wait->image = *info;
    take_end(wait, err);
}

void wait_progress(void *arg, const char *step, int64_t bytes, int64_t total)
{
    struct wait *wait = arg;

    CHECK(step[0] != '\0');
    CHECK(total == 0 || bytes <= total);
    wait->progressed = bytes;
}

static void give_up(void *arg) { *(bool *)arg = true; }

static void stop_at_give_up(void *arg)
{
    struct rig *rig = arg;

    loop_stop(rig->loop);
}

void rig_wait(struct rig *rig, struct wait *wait)
{
    bool late = false;
    struct err err = { 0 };
    struct loop_source *limit = loop_timer(rig->loop, WAIT_MS_MAX, give_up, &late);
    struct loop_source *stop = loop_timer(rig->loop, WAIT_MS_MAX + 1, stop_at_give_up, rig);

    while (!wait->called && !late)
        CHECK_OK(loop_run(rig->loop, &err), &err);
    loop_source_free(limit);
    loop_source_free(stop);
    CHECK_EQ(wait->called, 1);
}

void rig_upload_bytes(struct rig *rig, const char *uid, const void *bytes, size_t size)
{
    struct err err = { 0 };
    int64_t offset = -1;
    int fd = -1;

    CHECK_OK(RIG_OPS(rig)->image_upload(rig->driver, uid, &fd, &offset, &err), &err);
    CHECK(offset >= 0);
    CHECK_EQ(write(fd, bytes, size), size);
    CHECK_EQ(close(fd), 0);
}
