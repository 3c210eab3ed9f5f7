/* control/instance_size.c - processors and memory of an instance that runs, towards spec.cpus and
 * spec.memory.
 *
 * Nothing is stored before: what is wanted stands in the spec, what there is the driver observes.
 * Growth is promised by the host first (machine_account()), and what shrinks is given back when the
 * guest has let go. What the guest cannot do, or has not done in a minute, waits for the next start. */
#include "control/instance.h"
#include "control/results.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include <stdio.h>

enum { FOLLOWS_MS = 60 * 1000, ASK_AGAIN_MS = 10 * 1000 };

#define OP "resize"

struct size {
    int64_t cpus, bytes;
};

/* --- sizes --- */

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static bool is_cpus_same(const struct size *a, const struct size *b) { return a->cpus == b->cpus; }

static bool is_memory_same(const struct size *a, const struct size *b)
{
    int64_t apart = a->bytes - b->bytes;

    return apart < MACHINE_MEMORY_STEP && apart > -MACHINE_MEMORY_STEP;
}

static bool is_same(const struct size *a, const struct size *b)
{
    return is_cpus_same(a, b) && is_memory_same(a, b);
}

static struct size size_at(const struct scene *scene, const char *cpus, const char *memory)
{
    return (struct size){ view_int(&kind_instance, scene->object, cpus),
                          view_bytes(&kind_instance, scene->object, memory) };
}

static struct size wanted_size(const struct scene *scene) { return size_at(scene, "spec.cpus", "spec.memory"); }

static struct size observed_size(const struct scene *scene)
{
    return (struct size){ scene->machine.cpus, scene->machine.memory_bytes };
}

/* What it can have without a start. */
static struct size most_of(const struct scene *scene)
{
    struct size started = size_at(scene, "status.machine.cpus", "status.machine.memory");
    struct size most = size_at(scene, "status.machine.maxCPUs", "status.machine.maxMemory");

    return (struct size){ larger(started.cpus, most.cpus), larger(started.bytes, most.bytes) };
}

void size_counted(const struct scene *scene, int64_t *ret_cpus, int64_t *ret_bytes)
{
    struct size stored = size_at(scene, "status.cpus", "status.memory"), has = observed_size(scene);

    if (!has.cpus) /* not heard of yet */
        has = stored.cpus ? stored : size_at(scene, "status.machine.cpus", "status.machine.memory");
    *ret_cpus = has.cpus;
    *ret_bytes = has.bytes;
}

/* --- what it can be without a start --- */

static void wait_for_start(struct scene *scene, const char *field, const char *why)
{
    auto_free char *text = str_printf("%s (%s)", field, why);

    restart_needed_for(scene, text);
}

static void limit_cpus(struct scene *scene, struct size *wanted, const struct size *has)
{
    int64_t most = most_of(scene).cpus;
    auto_free char *why = str_printf("the machine was started ready for %lld, see spec.maxCPUs", (long long)most);

    if (wanted->cpus > most) {
        wait_for_start(scene, "spec.cpus", why);
        wanted->cpus = has->cpus;
    } else if (wanted->cpus < has->cpus && !view_bool(&kind_instance, scene->object, "status.machine.guestAgent")) {
        wait_for_start(scene, "spec.cpus", "only a guest agent can take processors away");
        wanted->cpus = has->cpus;
    }
}

static void limit_memory(struct scene *scene, struct size *wanted, const struct size *has)
{
    int64_t most = most_of(scene).bytes;
    char text[QUANTITY_TEXT_SIZE];
    auto_free char *why = NULL;

    quantity_format_human(most, text, sizeof text);
    why = str_printf("the machine was started ready for %s, see spec.maxMemory", text);
    if (wanted->bytes > most) {
        wait_for_start(scene, "spec.memory", why);
        wanted->bytes = has->bytes;
    } else if (wanted->bytes < has->bytes && scene->machine.is_fork && has->bytes <= most_of(scene).bytes &&
               wanted->bytes < view_bytes(&kind_instance, scene->object, "status.machine.memory")) {
        wait_for_start(scene, "spec.memory", "a fork shares the memory that it went on with, and cannot give of it");
        wanted->bytes = has->bytes;
    }
}

/* --- telling --- */

static void describe(const struct size *size, char *to, size_t to_size)
{
    char bytes[QUANTITY_TEXT_SIZE];

    quantity_format_human(size->bytes, bytes, sizeof bytes);
    (void)snprintf(to, to_size, "%lld cpus, %s", (long long)size->cpus, bytes);
}

static int64_t waiting_since_ms(const struct scene *scene)
{
    const json_t *condition = condition_get(scene->object, "Resized");
    int64_t since_ms;
    struct err err;

    if (!condition || str_equal(json_text_at(condition, "status", ""), "True") ||
        time_parse(json_text_at(condition, "lastTransitionTime", ""), &since_ms, &err) < 0)
        return control_wall_ms(scene->work->control);
    return since_ms;
}

/* A guest that does not follow is no reason to give up, but a start would do it. */
static void show_late(struct scene *scene, const struct size *wanted, const struct size *has, const char *why)
{
    if (control_wall_ms(scene->work->control) - waiting_since_ms(scene) < FOLLOWS_MS)
        return;
    if (!is_cpus_same(wanted, has))
        wait_for_start(scene, "spec.cpus", why);
    if (!is_memory_same(wanted, has))
        wait_for_start(scene, "spec.memory", why);
}

static void show(struct scene *scene, const char *reason, const char *why, const struct size *wanted,
                 const struct size *has)
{
    char wanted_text[64], has_text[64];

    describe(wanted, wanted_text, sizeof wanted_text);
    describe(has, has_text, sizeof has_text);
    work_condition(scene->work, "Resized", false, reason, "has %s of %s: %s", has_text, wanted_text, why);
}

void size_show(struct scene *scene)
{
    char text[QUANTITY_TEXT_SIZE];

    if (!scene->machine.cpus)
        return;
    quantity_format_bytes(scene->machine.memory_bytes, text, sizeof text);
    json_set_at(scene->object, "status.cpus", json_integer(scene->machine.cpus));
    json_set_at(scene->object, "status.memory", json_string(text));
}

void size_forget(struct scene *scene)
{
    json_remove_at(scene->object, "status.cpus");
    json_remove_at(scene->object, "status.memory");
    if (condition_get(scene->object, "Resized"))
        work_condition(scene->work, "Resized", false, "Stopped", "%s", "");
}

/* --- acting --- */

/* One request for each size, and again while the guest does not follow. */
static bool is_asked_for(struct scene *scene, const struct size *wanted)
{
    const struct size *asked = work_result(scene->work, OP);
    const int64_t *at_ms = work_result(scene->work, OP " time");

    return work_op(scene->work, OP, NULL) == OP_IDLE && asked && is_same(asked, wanted) && at_ms &&
           control_wall_ms(scene->work->control) - *at_ms < ASK_AGAIN_MS;
}

static void ask(struct scene *scene, const struct size *wanted)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    const struct size *asked = work_result(scene->work, OP);

    if (asked && !is_same(asked, wanted) && work_op(scene->work, OP, NULL) == OP_FAILED) {
        work_op_reset(scene->work, OP);
        work_result_forget(scene->work, OP " refusal");
    }
    if (is_asked_for(scene, wanted) || !work_op_begin(scene->work, OP))
        return;
    work_result_keep_bytes(scene->work, OP, wanted, sizeof *wanted);
    work_result_keep(scene->work, OP " time", control_wall_ms(scene->work->control));
    compute->ops->resize(compute, scene->uid, (unsigned)wanted->cpus, wanted->bytes, work_op_done(scene->work, OP));
}

/* Until its agent answers a guest is only given, not asked to give. */
static bool waits_for_agent(const struct scene *scene, struct size *wanted, const struct size *has)
{
    struct size now = { larger(wanted->cpus, has->cpus), larger(wanted->bytes, has->bytes) };
    bool waits = !is_same(&now, wanted);

    if (scene->machine.agent_connected || !view_bool(&kind_instance, scene->object, "status.machine.guestAgent"))
        return false;
    *wanted = now;
    return waits;
}

/* NULL: none. The last one stands while the guest is asked again. */
static const struct err *refusal_of(struct scene *scene)
{
    struct err err = { 0 };
    const enum op_state state = work_op(scene->work, OP, &err);

    if (state == OP_FAILED)
        work_result_keep_bytes(scene->work, OP " refusal", &err, sizeof err);
    else if (state != OP_RUNNING)
        work_result_forget(scene->work, OP " refusal");
    return work_result(scene->work, OP " refusal");
}

static void change(struct scene *scene, struct size wanted, const struct size *has)
{
    const struct size aim = wanted;
    bool waits = waits_for_agent(scene, &wanted, has);
    const struct err *refusal;
    const char *why;

    if (!is_same(&wanted, has))
        ask(scene, &wanted);
    refusal = refusal_of(scene);
    why = refusal ? refusal->text : waits ? "the guest agent does not answer" : "the guest has not followed yet";
    show_late(scene, &aim, has, why);
    show(scene, refusal ? "Retrying" : "InProgress", why, &aim, has);
}

void size_follow(struct scene *scene)
{
    struct size wanted = wanted_size(scene), has = observed_size(scene);

    if (!has.cpus || !json_at(scene->object, "status.machine"))
        return;
    limit_cpus(scene, &wanted, &has);
    limit_memory(scene, &wanted, &has);
    if (is_same(&wanted, &has)) {
        if (condition_get(scene->object, "Resized"))
            work_condition(scene->work, "Resized", true, "UpToDate", "%s", "");
    } else if (scene->no_room.code && (wanted.cpus > has.cpus || wanted.bytes > has.bytes)) {
        show(scene, "NoRoom", scene->no_room.text, &wanted, &has);
    } else if (scene->machine.state != MACHINE_RUNNING) {
        show(scene, "Waiting", "the guest does not run", &wanted, &has);
    } else {
        change(scene, wanted, &has);
    }
}
