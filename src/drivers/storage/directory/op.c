/* drivers/storage/directory/op.c - calls on their way through the threads and back. */
#include "base/fault.h"
#include "base/mem.h"
#include "drivers/storage/directory/directory.h"
#include <stdlib.h>

enum { PROGRESS_MS = 300 };

static void report_done(struct op *op, const struct err *err) { done_call(op->done, err); }

void op_report_image(struct op *op, const struct err *err)
{
    op->image_fn(op->arg, err, err ? NULL : &op->image);
}

struct op *op_new(struct storage_driver *driver, const char *name, const char *pool,
                  const char *uid)
{
    struct op *op = mem_new(struct op);

    op->driver = directory_of(driver);
    op->place = &op->driver->place;
    op->name = name;
    op->pool = str_dup(pool);
    op->uid = str_dup(uid);
    op->report = report_done;
    cancel_init(&op->cancel);
    return op;
}

static void op_free(struct op *op)
{
    loop_source_free(op->progress_timer);
    cancel_done(&op->cancel);
    free(op->key);
    free(op->pool);
    free(op->uid);
    free(op->image_uid);
    free(op->volume_uid);
    free(op->parent_uid);
    free(op->twin_uid);
    free(op->url);
    free(op->checksum);
    free(op->meta_data);
    free(op->user_data);
    free(op->network_config);
    free(op);
}

void op_step(struct op *op, const char *step, int64_t total)
{
    atomic_store(&op->progress.bytes, 0);
    atomic_store(&op->progress.total, total);
    atomic_store(&op->progress.step, step);
}

/* --- on the loop --- */

static void op_unlink(struct op *op)
{
    struct op **at = &op->driver->ops;

    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
}

static int op_work(void *arg, struct err *err)
{
    struct op *op = arg;

    fault_point(op->name);
    if (fault_fails(op->name, err) < 0)
        return -1;
    return op->work(op, err);
}

static void op_finish(void *arg, const struct err *err);

static void run(struct op *op)
{
    op->is_running = true;
    worker_run(op->is_slow ? op->driver->slow : op->driver->quick,
               (struct worker_job){ .work = op_work, .finish = op_finish, .arg = op });
}

static bool has_earlier(const struct op *op)
{
    for (const struct op *other = op->driver->ops; other != op; other = other->next)
        if (op->key && str_equal(other->key, op->key))
            return true;
    return false;
}

static void run_next(struct directory *driver, const char *key)
{
    for (struct op *op = driver->ops; key && op; op = op->next) {
        if (!str_equal(op->key, key))
            continue;
        if (!op->is_running)
            run(op);
        return;
    }
}

/* The report may close the driver: nothing of it is touched afterwards. */
static void op_end(struct op *op, const struct err *err)
{
    struct directory *driver = op->driver;

    op_unlink(op);
    if (!driver->closing)
        run_next(driver, op->key);
    op->report(op, err);
    op_free(op);
}

static void op_finish(void *arg, const struct err *err)
{
    struct op *op = arg;
    struct err closed;

    if (op->driver->closing) {
        err_set(&closed, ERR_CANCELLED, "the driver is closed");
        err = &closed;
    }
    op_end(op, err);
}

static void tell_progress(void *arg)
{
    struct op *op = arg;
    const char *step = atomic_load(&op->progress.step);

    loop_timer_again(op->progress_timer, PROGRESS_MS);
    if (step)
        op->progress_fn(op->arg, step, atomic_load(&op->progress.bytes),
                        atomic_load(&op->progress.total));
}

void op_start(struct op *op)
{
    struct op **end = &op->driver->ops;

    while (*end)
        end = &(*end)->next;
    *end = op;
    if (op->progress_fn)
        op->progress_timer = loop_timer(op->driver->loop, PROGRESS_MS, tell_progress, op);
    if (!op->driver->closing && !has_earlier(op))
        run(op);
}

/* Freeing the pools ends what is in them; what waited behind it, or was asked for by the ones
 * that ended, is still in the list. */
void ops_end(struct directory *driver)
{
    struct err closed;

    driver->closing = true;
    for (struct op *op = driver->ops; op; op = op->next)
        cancel_set(&op->cancel);
    worker_pool_free(take_pointer(driver->slow));
    worker_pool_free(take_pointer(driver->quick));
    while (driver->ops) {
        err_set(&closed, ERR_CANCELLED, "the driver is closed");
        op_end(driver->ops, &closed);
    }
}
