/* drivers/storage/fake/op.c - calls that take a while, fail at times, or are cut off by a crash. */
#include "base/fault.h"
#include "base/mem.h"
#include "drivers/storage/fake/disks.h"
#include <stdlib.h>

struct fake_op *fake_op_new(struct storage_driver *driver, const char *name, const char *pool,
                            const char *uid)
{
    struct fake_op *op = mem_new(struct fake_op);

    op->driver = fake_of(driver);
    op->name = name;
    op->pool = str_dup(pool);
    op->uid = str_dup(uid);
    op->report = fake_op_report_done;
    return op;
}

static void op_free(struct fake_op *op)
{
    loop_source_free(op->timer);
    free(op->key);
    free(op->pool);
    free(op->uid);
    free(op->image_uid);
    free(op->volume_uid);
    free(op->parent_uid);
    free(op->twin_uid);
    free(op->url);
    free(op->sha256);
    free(op->seed);
    free(op);
}

static void op_unlink(struct fake_op *op)
{
    struct fake_op **at = &op->driver->ops;

    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
}

void fake_op_report_done(struct fake_op *op, const struct err *err) { done_call(op->done, err); }

static bool by_chance(struct fake_op *op, unsigned one_in)
{
    return one_in > 0 && loop_random(op->driver->loop) % one_in == 0;
}

/* The failure of a step, if it is to fail now. */
static int step_fails(struct fake_op *op, struct err *err)
{
    if (fault_fails(op->name, err) < 0)
        return -1;
    if (by_chance(op, op->driver->disks->settings.fail_one_in))
        return err_set(err, ERR_IO, "%s: input/output error", op->name);
    return 0;
}

static int finish(struct fake_op *op, struct err *err)
{
    if (op->cancelled)
        return err_set(err, ERR_CANCELLED, "cancelled");
    if (step_fails(op, err) < 0) {
        struct err unseen = { 0 };
        if (by_chance(op, 2))
            (void)op->effect(op, &unseen); /* done, but the answer was lost */
        return -1;
    }
    return op->effect(op, err);
}

/* An import tells its progress and keeps what it has so far, as a real download does. */
static int fetch_step(struct fake_op *op, struct err *err)
{
    struct storage_fake *disks = op->driver->disks;
    int64_t total = disks->settings.image_bytes / 4;
    struct fake_staged *staged = fake_staged_make(disks, op->uid);

    if (fake_take_space(disks, op->driver->image_dir, total, err) < 0 || step_fails(op, err) < 0)
        return -1;
    staged->fetched_bytes += total / 4;
    if (staged->fetched_bytes > total)
        staged->fetched_bytes = total;
    op->steps_left--;
    if (op->progress)
        op->progress(op->arg, "Downloading", staged->fetched_bytes, total);
    return 0;
}

static void report(struct fake_op *op, const struct err *err)
{
    op_unlink(op);
    op->report(op, err);
    op_free(op);
}

static void op_fires(void *arg)
{
    struct fake_op *op = arg;
    struct err err = { 0 };

    if (op->steps_left > 0 && !op->cancelled) {
        if (fetch_step(op, &err) < 0)
            report(op, &err);
        else
            loop_timer_again(op->timer, op->step_ms);
        return;
    }
    report(op, finish(op, &err) < 0 ? &err : NULL);
}

/* One after every earlier operation with this key. */
static int64_t due_after(const struct fake_op *op, int64_t due_ms)
{
    for (const struct fake_op *other = op->driver->ops; other; other = other->next) {
        bool same = op->key && str_equal(other->key, op->key);
        if (same && other->due_ms >= due_ms)
            due_ms = other->due_ms + 1;
    }
    return due_ms;
}

static int64_t draw_ms(const struct fake_op *op, int64_t max_ms)
{
    uint64_t span = max_ms > 1 ? (uint64_t)max_ms : 1;

    return 1 + (int64_t)(loop_random(op->driver->loop) % span);
}

void fake_op_start(struct fake_op *op)
{
    const struct storage_fake_settings *settings = &op->driver->disks->settings;
    int64_t now_ms = loop_now_ms(op->driver->loop), first_ms;
    struct fake_op **end = &op->driver->ops;

    if (op->steps_left > 0) {
        op->step_ms = 1 + draw_ms(op, settings->import_ms_max) / (op->steps_left + 1);
        op->due_ms = now_ms + op->step_ms * (op->steps_left + 1);
        first_ms = op->step_ms;
    } else {
        op->due_ms = due_after(op, now_ms + draw_ms(op, settings->delay_ms_max));
        first_ms = op->due_ms - now_ms;
    }
    while (*end)
        end = &(*end)->next;
    *end = op;
    op->timer = loop_timer(op->driver->loop, first_ms, op_fires, op);
}

void fake_op_cancel(struct fake_op *op)
{
    op->cancelled = true;
    op->due_ms = loop_now_ms(op->driver->loop);
    loop_timer_again(op->timer, 0);
}

void fake_ops_crash(struct fake_driver *driver)
{
    while (driver->ops) {
        struct fake_op *op = driver->ops;
        struct err err = { 0 };

        if (op->steps_left == 0 && !op->cancelled && by_chance(op, 2))
            (void)op->effect(op, &err); /* done just before the crash */
        err_set(&err, ERR_CANCELLED, "the driver is closed");
        report(op, &err);
    }
}
