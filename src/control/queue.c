/* control/queue.c - which objects to look at next: each key once, in order of asking. */
#include "control/internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

struct entry *entry_get(struct control *control, const char *key)
{
    return map_get(control->entries, key);
}

/* Another object of that name, while calls for the old one were still on their way. What was done
 * for that one is not done for this. */
static void begin_anew(struct entry *entry)
{
    entry->gone = false;
    entry->life = ++entry->control->lives;
    ops_forget(entry);
    results_forget(entry->control, entry->key);
}

struct entry *entry_ensure(struct control *control, const struct controller *controller,
                           const char *key)
{
    struct entry *entry = entry_get(control, key);

    if (entry) {
        if (entry->gone)
            begin_anew(entry);
        return entry;
    }
    entry = mem_new(struct entry);
    *entry = (struct entry){ .control = control,
                             .controller = controller,
                             .key = str_dup(key),
                             .uid = str_dup(""),
                             .life = ++control->lives,
                             .due_ms = -1 };
    map_set(control->entries, key, entry);
    return entry;
}

void entry_free(void *pointer)
{
    struct entry *entry = pointer;

    loop_source_free(entry->timer);
    map_free(entry->ops);
    for (size_t i = 0; i < entry->depends_on_count; i++)
        free(entry->depends_on[i]);
    free(entry->depends_on);
    free(entry->key);
    free(entry->uid);
    free(entry);
}

static struct entry *queue_take(struct control *control)
{
    struct entry *entry = control->queue_first;

    if (!entry)
        return NULL;
    control->queue_first = entry->next;
    if (!control->queue_first)
        control->queue_last = NULL;
    entry->next = NULL;
    entry->is_queued = false;
    return entry;
}

static void run_next(void *arg);

/* Clients first: who watches is told in the same turn of the loop as we are. */
static void wait_a_turn(void *arg)
{
    struct control *control = arg;

    loop_source_free(control->runner);
    control->runner = loop_defer(control->setup.loop, run_next, control);
}

static void arm_runner(struct control *control, loop_fn *fn)
{
    if (control->queue_first && !control->runner)
        control->runner = loop_defer(control->setup.loop, fn, control);
}

/* One object per turn of the loop, so that requests are answered in between. */
static void run_next(void *arg)
{
    struct control *control = arg;
    struct entry *entry = queue_take(control);

    loop_source_free(take_pointer(control->runner));
    arm_runner(control, run_next);
    if (entry)
        reconcile_entry(entry);
}

void entry_queue(struct entry *entry)
{
    struct control *control = entry->control;

    if (entry->is_queued)
        return;
    entry->is_queued = true;
    if (control->queue_last)
        control->queue_last->next = entry;
    else
        control->queue_first = entry;
    control->queue_last = entry;
    arm_runner(control, wait_a_turn);
}

static void timer_fired(void *arg)
{
    struct entry *entry = arg;

    entry->due_ms = -1;
    entry_queue(entry);
}

void entry_queue_after(struct entry *entry, int64_t delay_ms)
{
    struct loop *loop = entry->control->setup.loop;
    int64_t due_ms = loop_now_ms(loop) + delay_ms;

    if (entry->is_queued || (entry->due_ms >= 0 && entry->due_ms <= due_ms))
        return;
    entry->due_ms = due_ms;
    if (entry->timer)
        loop_timer_again(entry->timer, delay_ms);
    else
        entry->timer = loop_timer(loop, delay_ms, timer_fired, entry);
}

static void queue_unlink(struct entry *entry)
{
    struct control *control = entry->control;
    struct entry **link = &control->queue_first, *previous = NULL;

    while (*link && *link != entry) {
        previous = *link;
        link = &(*link)->next;
    }
    if (!*link)
        return;
    *link = entry->next;
    if (control->queue_last == entry)
        control->queue_last = previous;
    entry->is_queued = false;
}

void entry_drop(struct entry *entry)
{
    entry->gone = true;
    if (entry->running_ops || entry->is_writing)
        return;
    if (entry->is_queued)
        queue_unlink(entry);
    dependencies_clear(entry);
    results_forget(entry->control, entry->key);
    map_remove(entry->control->entries, entry->key);
}

void queue_stop(struct control *control)
{
    loop_source_free(take_pointer(control->runner));
    control->queue_first = control->queue_last = NULL;
}
