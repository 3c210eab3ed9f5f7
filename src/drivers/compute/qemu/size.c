/* drivers/compute/qemu/size.c - what a machine has, as QEMU tells.
 * Source: qapi/machine.json of QEMU. */
#include "drivers/compute/qemu/size.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include <stdlib.h>

enum { MIB = 1024 * 1024 };

void qemu_size_init(struct qemu_machine *machine)
{
    const struct machine_config *config = machine->config;

    machine->size = (struct qemu_size){
        .plugged = config->cpus,
        .balloon_bytes = config->memory_bytes,
        .wanted_cpus = config->cpus,
        .wanted_bytes = config->memory_bytes,
    };
}

unsigned qemu_size_cpus(const struct qemu_machine *machine)
{
    return machine->size.online ? machine->size.online : machine->size.plugged;
}

int64_t qemu_size_memory(const struct qemu_machine *machine)
{
    return machine->size.balloon_bytes + machine->size.grown_bytes;
}

int qemu_size_check_original(const struct qemu_machine *machine, struct err *err)
{
    const struct machine_config *config = machine->config;
    const struct qemu_size *size = &machine->size;

    if (size->plugged == config->cpus && qemu_size_cpus(machine) == config->cpus &&
        size->balloon_bytes == config->memory_bytes && !size->grown_bytes)
        return 0;
    if (size->plugged != config->cpus)
        return err_set(err, ERR_CONFLICT,
                       "the machine was given processors since it was started, and keeps them also when the guest "
                       "uses fewer; it can be frozen after a restart");
    return err_set(err, ERR_CONFLICT,
                   "the machine was started with %u processors and %lld MiB and has %u and %lld MiB now; it can "
                   "be frozen when it has what it was started with, or after a restart",
                   config->cpus, (long long)(config->memory_bytes / MIB), qemu_size_cpus(machine),
                   (long long)(qemu_size_memory(machine) / MIB));
}

/* --- limits --- */

struct limiting {
    struct cgroups cgroups;
    char *uid;
    struct cgroup_limits limits;
};

static int work_limit(void *arg, struct err *err)
{
    const struct limiting *limiting = arg;

    return cgroup_limit(&limiting->cgroups, limiting->uid, &limiting->limits, err);
}

/* A host that allows it no more is no reason to give the machine up; it is tried with the next. */
static void limited(void *arg, bool is_closed, const struct err *err)
{
    struct limiting *limiting = arg;

    free(limiting->uid);
    free(limiting);
}

/* Processor time is limited to what is wanted, memory to what the guest may still be using. */
static void set_limits(struct qemu_machine *machine)
{
    const struct machine_config *config = machine->config;
    struct qemu_size *size = &machine->size;
    int64_t has = qemu_size_memory(machine);
    int64_t bytes = has > size->wanted_bytes ? has : size->wanted_bytes;
    struct limiting *limiting;

    if (size->limit_cpus == size->wanted_cpus && size->limit_bytes == bytes)
        return;
    size->limit_cpus = size->wanted_cpus;
    size->limit_bytes = bytes;
    limiting = mem_new(struct limiting);
    *limiting = (struct limiting){ .cgroups = machine->driver->cgroups, .uid = str_dup(machine->uid) };
    limiting->limits.cpu_milli =
        config->cpu_limit_milli ? config->cpu_limit_milli : size->wanted_cpus * 1000 + QEMU_CPU_MILLI;
    limiting->limits.memory_bytes = bytes + command_line_overhead_bytes(machine->kvm);
    qemu_job_run(machine->driver->jobs, machine->uid, (struct qemu_job){ work_limit, limited, limiting });
}

void qemu_size_changed(struct qemu_machine *machine)
{
    const struct machine_config *config = machine->config;
    const struct qemu_size *size = &machine->size;
    bool is_original = size->wanted_cpus == config->cpus && size->wanted_bytes == config->memory_bytes;

    if (!is_original || size->limit_cpus)
        set_limits(machine);
    qemu_machine_refresh(machine);
}

/* --- reading --- */

void qemu_size_read_cpus(struct qemu_machine *machine, const json_t *slots)
{
    unsigned count = 0;
    size_t i;
    json_t *slot;

    json_array_foreach ((json_t *)slots, i, slot)
        count += json_object_get(slot, "qom-path") != NULL;
    if (count)
        machine->size.plugged = count;
}

/* The guest takes it in pieces; what it was promised and has not taken is not there. */
static void read_grown(struct qemu_machine *machine, int64_t bytes)
{
    int64_t most = command_line_growth_bytes(machine->config);

    machine->size.grown_bytes = bytes < 0 ? 0 : bytes > most ? most : bytes;
}

void qemu_size_read_memory(struct qemu_machine *machine, const json_t *devices)
{
    size_t i;
    json_t *device;

    json_array_foreach ((json_t *)devices, i, device)
        if (str_equal(json_text_at(device, "data.id", ""), "growth"))
            read_grown(machine, json_int_at(device, "data.size", 0));
}

/* Of the memory that it was started with, which QEMU has in whole MiB. */
void qemu_size_read_balloon(struct qemu_machine *machine, const json_t *result)
{
    int64_t most = machine->config->memory_bytes, bytes = json_int_at(result, "actual", most);

    machine->size.balloon_bytes = bytes < 0 ? 0 : bytes > most ? most : bytes;
}

void qemu_on_balloon_change(struct qemu_machine *machine, const json_t *data)
{
    qemu_size_read_balloon(machine, data);
    qemu_size_changed(machine);
}

void qemu_on_memory_size_change(struct qemu_machine *machine, const json_t *data)
{
    if (!str_equal(json_text_at(data, "id", "growth"), "growth"))
        return;
    read_grown(machine, json_int_at(data, "size", 0));
    qemu_size_changed(machine);
}

static void on_cpus(void *arg, const struct err *err, const json_t *result)
{
    if (!err)
        qemu_size_read_cpus(arg, result);
}

static void on_memory(void *arg, const struct err *err, const json_t *result)
{
    if (!err)
        qemu_size_read_memory(arg, result);
}

/* The last answer. What the daemon before wanted is not known: what there is stands for it. */
static void on_balloon(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_machine *machine = arg;

    if (err)
        return;
    qemu_size_read_balloon(machine, result);
    if (!machine->is_resizing && !machine->size.limit_cpus) {
        machine->size.wanted_cpus = machine->size.plugged;
        machine->size.wanted_bytes = qemu_size_memory(machine);
    }
    qemu_size_changed(machine);
}

/* A machine that was launched just now has what it was launched with. */
void qemu_size_start(struct qemu_machine *machine)
{
    if (!machine->is_adopted)
        return;
    monitor_call(machine->monitor, "query-hotpluggable-cpus", NULL, -1, MONITOR_CALL_MS, on_cpus, machine);
    monitor_call(machine->monitor, "query-memory-devices", NULL, -1, MONITOR_CALL_MS, on_memory, machine);
    monitor_call(machine->monitor, "query-balloon", NULL, -1, MONITOR_CALL_MS, on_balloon, machine);
}

/* --- a guest that boots again --- */

/* It boots with all the memory that the machine was started with, and uses all processors. */
void qemu_size_on_reset(struct qemu_machine *machine)
{
    struct qemu_size *size = &machine->size;

    size->online = 0;
    size->is_untold = size->wanted_cpus != machine->config->cpus || size->plugged != machine->config->cpus ||
                      size->wanted_bytes > machine->config->memory_bytes;
    if (size->balloon_bytes < machine->config->memory_bytes && machine->monitor)
        monitor_call(machine->monitor, "balloon",
                     json_pack("{sI}", "value", (json_int_t)machine->config->memory_bytes), -1, MONITOR_CALL_MS,
                     NULL, NULL);
}

struct settling {
    struct qemu_driver *driver;
    char *uid;
    unsigned online;
};

static void settling_end(struct settling *settling)
{
    free(settling->uid);
    free(settling);
}

/* What the guest refuses is found by the next resize(). */
static void used(void *arg, const struct err *err)
{
    struct settling *settling = arg;
    struct qemu_machine *machine =
        settling->driver->is_closing ? NULL : qemu_machine_find(settling->driver, settling->uid);

    if (machine && settling->online) {
        machine->size.online = settling->online;
        qemu_size_changed(machine);
    }
    settling_end(settling);
}

static void taken(void *arg, const struct err *err)
{
    struct settling *settling = arg;
    struct qemu_machine *machine =
        settling->driver->is_closing ? NULL : qemu_machine_find(settling->driver, settling->uid);

    if (machine)
        qemu_guest_use_cpus(settling->driver, settling->uid, machine->size.wanted_cpus, machine->size.plugged,
                            &settling->online, used, settling);
    else
        settling_end(settling);
}

void qemu_size_on_agent(struct qemu_machine *machine)
{
    struct settling *settling;

    if (!machine->size.is_untold || machine->is_resizing)
        return;
    machine->size.is_untold = false;
    settling = mem_new(struct settling);
    *settling = (struct settling){ .driver = machine->driver, .uid = str_dup(machine->uid) };
    if (machine->size.wanted_bytes > machine->config->memory_bytes)
        qemu_guest_take_memory(machine->driver, machine->uid, taken, settling);
    else
        taken(settling, NULL);
}
