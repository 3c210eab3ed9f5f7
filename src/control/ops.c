/* control/ops.c - named operations: one driver call in flight per name and object, retried
 * with backoff. */
#include "control/internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

enum { BACKOFF_FIRST_MS = 1000, BACKOFF_MAX_MS = 60 * 1000 };

struct op {
    uint64_t number; /* which run of the operation it is: the end of another is not its end */
    enum op_state state;
    bool succeeded;
    unsigned failures;
    int64_t not_before_ms;
    struct err err;
};

static struct op *find_op(struct entry *entry, const char *name)
{
    return entry && entry->ops ? map_get(entry->ops, name) : NULL;
}

static struct op *ensure_op(struct entry *entry, const char *name)
{
    struct op *op = find_op(entry, name);

    if (op)
        return op;
    if (!entry->ops)
        entry->ops = map_new(free);
    op = mem_new(struct op);
    map_set(entry->ops, name, op);
    return op;
}

static struct entry *entry_of(struct work *work) { return entry_get(work->control, work->key); }

enum op_state work_op(struct work *work, const char *name, struct err *ret_err)
{
    const struct op *op = find_op(entry_of(work), name);

    if (op && op->state == OP_FAILED && ret_err)
        *ret_err = op->err;
    return op ? op->state : OP_IDLE;
}

bool work_op_begin(struct work *work, const char *name)
{
    struct entry *entry = entry_of(work);
    struct op *op = ensure_op(entry, name);
    int64_t now_ms = loop_now_ms(work->control->setup.loop);

    if (op->state == OP_RUNNING)
        return false;
    if (op->state == OP_FAILED && now_ms < op->not_before_ms) {
        entry_queue_after(entry, op->not_before_ms - now_ms);
        return false;
    }
    op->state = OP_RUNNING;
    op->succeeded = false;
    op->number = ++entry->ops_begun;
    entry->running_ops++;
    return true;
}

/* What a driver call carries back. It names its object by key, because the object may be gone
 * when the call ends, or another of that name be there; 'control' is NULL once the control itself has gone. */
struct ticket {
    struct control *control;
    char *key, *name;
    uint64_t life;   /* of the entry */
    uint64_t number; /* of the operation */
    struct ticket *previous, *next;
};

static void ticket_unlink(struct ticket *ticket)
{
    if (ticket->previous)
        ticket->previous->next = ticket->next;
    else
        ticket->control->ticket_first = ticket->next;
    if (ticket->next)
        ticket->next->previous = ticket->previous;
}

static int64_t backoff_ms(struct loop *loop, unsigned failures)
{
    int64_t delay_ms = BACKOFF_FIRST_MS;

    while (--failures && delay_ms < BACKOFF_MAX_MS)
        delay_ms *= 2;
    if (delay_ms > BACKOFF_MAX_MS)
        delay_ms = BACKOFF_MAX_MS;
    return delay_ms + (int64_t)(loop_random(loop) % (uint64_t)(delay_ms / 4 + 1));
}

static void op_end(const struct ticket *ticket, const struct err *err)
{
    struct control *control = ticket->control;
    struct entry *entry = entry_get(control, ticket->key);
    struct op *op = find_op(entry, ticket->name);

    if (!op || op->state != OP_RUNNING || entry->life != ticket->life || op->number != ticket->number)
        return;
    entry->running_ops--;
    if (err) {
        op->state = OP_FAILED;
        op->err = *err;
        op->failures++;
        op->not_before_ms =
            loop_now_ms(control->setup.loop) + backoff_ms(control->setup.loop, op->failures);
    } else {
        op->state = OP_IDLE;
        op->succeeded = true;
        op->failures = 0;
    }
    if (entry->gone)
        entry_drop(entry);
    else
        entry_queue(entry);
}

static void ticket_done(void *arg, const struct err *err)
{
    struct ticket *ticket = arg;

    if (ticket->control) {
        ticket_unlink(ticket);
        op_end(ticket, err);
    }
    free(ticket->key);
    free(ticket->name);
    free(ticket);
}

struct done work_op_done(struct work *work, const char *name)
{
    struct control *control = work->control;
    struct entry *entry = entry_of(work);
    const struct op *op = find_op(entry, name);
    struct ticket *ticket = mem_new(struct ticket);

    *ticket = (struct ticket){ .control = control, .key = str_dup(work->key), .name = str_dup(name),
                               .life = entry->life, .number = op ? op->number : 0, .next = control->ticket_first };
    if (control->ticket_first)
        control->ticket_first->previous = ticket;
    control->ticket_first = ticket;
    return (struct done){ ticket_done, ticket };
}

void ops_forget(struct entry *entry)
{
    map_free(take_pointer(entry->ops));
    entry->running_ops = 0;
}

void ops_cut_off(struct control *control)
{
    for (struct ticket *ticket = control->ticket_first; ticket; ticket = ticket->next)
        ticket->control = NULL;
    control->ticket_first = NULL;
}

void work_op_reset(struct work *work, const char *name)
{
    struct entry *entry = entry_of(work);
    const struct op *op = find_op(entry, name);

    if (op && op->state != OP_RUNNING)
        (void)map_remove(entry->ops, name); /* it is there */
}

void work_op_drop(struct work *work, const char *name)
{
    struct entry *entry = entry_of(work);
    const struct op *op = find_op(entry, name);

    if (op && op->state == OP_RUNNING)
        entry->running_ops--;
    if (op)
        (void)map_remove(entry->ops, name); /* it is there */
}

bool work_op_succeeded(struct work *work, const char *name)
{
    const struct op *op = find_op(entry_of(work), name);

    return op && op->succeeded && op->state != OP_RUNNING;
}
