/* drivers/compute/qemu/size_change.c - from the size a machine has to the one that is wanted.
 *
 *   limits up -> processors plugged -> guest told how to take memory -> memory offered or asked
 *   back -> guest uses so many processors -> what there is now is read
 *
 * What the guest refuses does not end it: the rest is done, and the first refusal is the answer. */
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include "drivers/compute/qemu/size.h"
#include <stdlib.h>

enum { MIB = 1024 * 1024, GUEST_SPARE_MIB = 24 };

struct resizing {
    struct qemu_driver *driver;
    struct qemu_machine *machine; /* found anew before each step */
    struct qemu_call *call;
    char *uid;
    unsigned cpus, online;
    int64_t bytes;
    json_t *slots;                /* of query-hotpluggable-cpus */
    struct err refusal;           /* the first */
};

/* --- steps --- */

static void end(struct resizing *resizing, const struct err *err)
{
    struct qemu_call *call = resizing->call;
    struct err copy = err ? *err : resizing->refusal;

    if (resizing->machine) {
        resizing->machine->is_resizing = false;
        qemu_size_changed(resizing->machine);
        if (resizing->machine->status.agent_connected) /* it has come meanwhile */
            qemu_size_on_agent(resizing->machine);
    }
    json_decref(resizing->slots);
    free(resizing->uid);
    free(resizing);
    qemu_call_end(call, copy.code ? &copy : NULL);
}

/* False: the machine is gone, and so is 'resizing'. */
static bool is_there(struct resizing *resizing)
{
    struct err err;

    resizing->machine = NULL;
    if (resizing->driver->is_closing)
        (void)err_set(&err, ERR_CANCELLED, "the driver was closed");
    else if ((resizing->machine = qemu_machine_find(resizing->driver, resizing->uid)) &&
             resizing->machine->phase == PHASE_UP && resizing->machine->monitor)
        return true;
    else
        (void)err_set(&err, ERR_CONFLICT, "the machine does not run any more");
    end(resizing, &err);
    return false;
}

static void ask(struct resizing *resizing, const char *command, json_t *take_arguments, monitor_fn *fn)
{
    monitor_call(resizing->machine->monitor, command, take_arguments, -1, MONITOR_CALL_MS, fn, resizing);
}

static void refuse(struct resizing *resizing, const struct err *err)
{
    if (err && !resizing->refusal.code)
        resizing->refusal = *err;
}

/* --- the end: what there is --- */

static void balloon_read(void *arg, const struct err *err, const json_t *result)
{
    struct resizing *resizing = arg;

    if (!is_there(resizing))
        return;
    if (!err)
        qemu_size_read_balloon(resizing->machine, result);
    end(resizing, NULL);
}

static void memory_read(void *arg, const struct err *err, const json_t *result)
{
    struct resizing *resizing = arg;

    if (!is_there(resizing))
        return;
    if (!err)
        qemu_size_read_memory(resizing->machine, result);
    ask(resizing, "query-balloon", NULL, balloon_read);
}

static void look(struct resizing *resizing) { ask(resizing, "query-memory-devices", NULL, memory_read); }

/* --- the guest's processors --- */

static void processors_used(void *arg, const struct err *err)
{
    struct resizing *resizing = arg;

    if (!is_there(resizing))
        return;
    refuse(resizing, err);
    if (resizing->online)
        resizing->machine->size.online = resizing->online;
    look(resizing);
}

/* All that QEMU has are used sooner or later without an agent too, fewer only with one. */
static void use_processors(struct resizing *resizing)
{
    struct qemu_machine *machine = resizing->machine;
    struct err err;

    fault_point("compute.resize.plugged");
    machine->size.is_untold = !machine->status.agent_connected;
    if (machine->status.agent_connected) {
        qemu_guest_use_cpus(resizing->driver, resizing->uid, resizing->cpus, machine->size.plugged,
                            &resizing->online, processors_used, resizing);
        return;
    }
    if (resizing->cpus < machine->size.plugged) {
        (void)err_set(&err, ERR_UNAVAILABLE, "the guest agent does not answer, and only it can take processors away");
        refuse(resizing, &err);
    }
    look(resizing);
}

/* --- memory --- */

static void balloon_set(void *arg, const struct err *err, const json_t *result)
{
    struct resizing *resizing = arg;

    if (!is_there(resizing))
        return;
    refuse(resizing, err);
    use_processors(resizing);
}

static void set_balloon(struct resizing *resizing, int64_t bytes)
{
    ask(resizing, "balloon", json_pack("{sI}", "value", (json_int_t)bytes), balloon_set);
}

/* What the guest uses stays its own: more than it can spare would only have its kernel kill programs.
 * What it did not tell is the largest number there is (see qmp.c). */
static void got_guest_use(void *arg, const struct err *err, const json_t *result)
{
    struct resizing *resizing = arg;
    int64_t available = json_int_at(result, "stats.stat-available-memory", INT64_MAX);
    int64_t has, spare, target;
    struct err refusal;

    if (!is_there(resizing))
        return;
    has = resizing->machine->size.balloon_bytes;
    if (err || available == INT64_MAX || available < 0) {
        (void)err_set(&refusal, ERR_UNAVAILABLE, "the guest does not tell how much memory it uses (yet)");
        refuse(resizing, &refusal);
        use_processors(resizing);
        return;
    }
    spare = available - (int64_t)GUEST_SPARE_MIB * MIB;
    target = has - (spare > 0 ? spare : 0);
    if (target > resizing->bytes) {
        (void)err_set(&refusal, ERR_EXHAUSTED, "the guest uses its memory: it can go down to %lld MiB now, not %lld",
                      (long long)(target / MIB), (long long)(resizing->bytes / MIB));
        refuse(resizing, &refusal);
    }
    set_balloon(resizing, target > resizing->bytes ? target : resizing->bytes);
}

static void balloon(struct resizing *resizing)
{
    const struct qemu_machine *machine = resizing->machine;
    int64_t most = machine->config->memory_bytes;

    if (resizing->bytes >= most && machine->size.balloon_bytes >= most)
        use_processors(resizing);
    else if (resizing->bytes >= machine->size.balloon_bytes)
        set_balloon(resizing, resizing->bytes < most ? resizing->bytes : most);
    else
        ask(resizing, "qom-get",
            json_pack("{ss,ss}", "path", "/machine/peripheral/balloon", "property", "guest-stats"), got_guest_use);
}

static void growth_set(void *arg, const struct err *err, const json_t *result)
{
    struct resizing *resizing = arg;

    if (!is_there(resizing))
        return;
    refuse(resizing, err);
    balloon(resizing);
}

static void offer_growth(struct resizing *resizing)
{
    const struct machine_config *config = resizing->machine->config;
    int64_t most = command_line_growth_bytes(config), bytes = resizing->bytes - config->memory_bytes;

    if (!most) {
        balloon(resizing);
        return;
    }
    bytes = bytes > 0 ? (bytes + MACHINE_MEMORY_STEP - 1) / MACHINE_MEMORY_STEP * MACHINE_MEMORY_STEP : 0;
    ask(resizing, "qom-set",
        json_pack("{ss,ss,sI}", "path", "/machine/peripheral/growth", "property", "requested-size", "value",
                  (json_int_t)(bytes < most ? bytes : most)),
        growth_set);
}

static void memory_taken(void *arg, const struct err *err)
{
    struct resizing *resizing = arg;

    if (is_there(resizing))
        offer_growth(resizing); /* what the guest was not told it is told when its agent answers */
}

/* The kernel is told before, so that it uses each block as it comes. */
static void change_memory(struct resizing *resizing)
{
    const struct qemu_machine *machine = resizing->machine;

    if (resizing->bytes > machine->config->memory_bytes && machine->status.agent_connected)
        qemu_guest_take_memory(resizing->driver, resizing->uid, memory_taken, resizing);
    else
        offer_growth(resizing);
}

/* --- processors --- */

static void plug_next(struct resizing *resizing);

static void plugged(void *arg, const struct err *err, const json_t *result)
{
    struct resizing *resizing = arg;

    if (!is_there(resizing))
        return;
    if (err) {
        refuse(resizing, err);
        change_memory(resizing);
        return;
    }
    resizing->machine->size.plugged++;
    plug_next(resizing);
}

/* The free slot with the lowest number, taken out of the list. NULL: none. */
static json_t *take_slot(json_t *slots)
{
    size_t i, best = json_array_size(slots);
    json_t *slot;

    json_array_foreach (slots, i, slot) {
        if (!json_object_get(slot, "qom-path") &&
            (best == json_array_size(slots) || json_int_at(slot, "props.core-id", 0) <
                                                   json_int_at(json_array_get(slots, best), "props.core-id", 0)))
            best = i;
    }
    if (best == json_array_size(slots))
        return NULL;
    slot = json_incref(json_array_get(slots, best));
    json_array_remove(slots, best);
    return slot;
}

static void plug_next(struct resizing *resizing)
{
    auto_json json_t *slot =
        resizing->machine->size.plugged < resizing->cpus ? take_slot(resizing->slots) : NULL;
    json_t *arguments;

    if (!slot) {
        change_memory(resizing);
        return;
    }
    arguments = json_deep_copy(json_object_get(slot, "props"));
    if (!arguments)
        arguments = json_object();
    json_object_set_new(arguments, "driver", json_string(json_text_at(slot, "type", "")));
    json_object_set_new(arguments, "id", json_printf("cpu%u", (unsigned)json_int_at(slot, "props.core-id", 0)));
    ask(resizing, "device_add", arguments, plugged);
}

static void got_slots(void *arg, const struct err *err, const json_t *result)
{
    struct resizing *resizing = arg;

    if (!is_there(resizing))
        return;
    if (err) {
        end(resizing, err);
        return;
    }
    qemu_size_read_cpus(resizing->machine, result);
    resizing->slots = json_deep_copy(result);
    plug_next(resizing);
}

/* --- the beginning --- */

static int work_nothing(void *arg, struct err *err) { return 0; }

/* The jobs of a machine run one after another: its limits are set. */
static void limits_set(void *arg, bool is_closed, const struct err *err)
{
    struct resizing *resizing = arg;

    if (is_closed) { /* the call was cancelled */
        free(resizing->uid);
        free(resizing);
    } else if (is_there(resizing)) {
        ask(resizing, "query-hotpluggable-cpus", NULL, got_slots);
    }
}

static int check(const struct qemu_machine *machine, unsigned cpus, int64_t bytes, struct err *err)
{
    const struct machine_config *config = machine->config;

    if (machine->is_resizing)
        return err_set(err, ERR_CONFLICT, "the machine is being resized already");
    if (machine->run_state != MACHINE_RUNNING)
        return err_set(err, ERR_CONFLICT, "the guest does not run");
    if (cpus < 1 || bytes < MIB)
        return err_set(err, ERR_INVALID, "at least 1 processor and 1 MiB of memory");
    if (cpus > machine_cpus_most(config))
        return err_set(err, ERR_UNSUPPORTED, "the machine was started ready for %u processors", machine_cpus_most(config));
    if (bytes > machine_memory_most(config))
        return err_set(err, ERR_UNSUPPORTED, "the machine was started ready for %lld MiB of memory",
                       (long long)(machine_memory_most(config) / MIB));
    if (config->frozen && bytes < config->memory_bytes)
        return err_set(err, ERR_UNSUPPORTED, "a fork shares the memory that it went on with, and cannot give of it");
    return 0;
}

void qemu_resize(struct compute *compute, const char *uid, unsigned cpus, int64_t memory_bytes,
                 struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);
    struct resizing *resizing;

    if (!machine || check(machine, cpus, memory_bytes, &err) < 0) {
        qemu_call_end_later(call, &err);
        return;
    }
    resizing = mem_new(struct resizing);
    *resizing = (struct resizing){ .driver = driver, .machine = machine, .call = call, .uid = str_dup(uid),
                                   .cpus = cpus, .bytes = memory_bytes };
    machine->is_resizing = true;
    machine->size.wanted_cpus = cpus;
    machine->size.wanted_bytes = memory_bytes;
    qemu_size_changed(machine); /* the limits */
    qemu_job_run(driver->jobs, uid, (struct qemu_job){ work_nothing, limits_set, resizing });
}
