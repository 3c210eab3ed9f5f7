/* drivers/compute/qemu/machines.c - the machines of a driver and what is said of them. */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/machine.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- user ids --- */

void qemu_number_claim(struct qemu_driver *driver, uid_t number)
{
    uid_t bit = number - driver->setup.uid_base;

    if (bit < MACHINE_NUMBERS) /* else of another configuration */
        driver->numbers[bit / 8] |= (uint8_t)(1u << bit % 8);
}

void qemu_number_free(struct qemu_driver *driver, uid_t number)
{
    uid_t bit = number - driver->setup.uid_base;

    if (bit < MACHINE_NUMBERS)
        driver->numbers[bit / 8] &= (uint8_t) ~(1u << bit % 8);
}

int qemu_number_take(struct qemu_driver *driver, uid_t *ret_number, struct err *err)
{
    for (uid_t bit = 0; bit < MACHINE_NUMBERS; bit++) {
        if (driver->numbers[bit / 8] & (1u << bit % 8))
            continue;
        *ret_number = driver->setup.uid_base + bit;
        qemu_number_claim(driver, *ret_number);
        return 0;
    }
    return err_set(err, ERR_EXHAUSTED, "all %d user ids are in use", MACHINE_NUMBERS);
}

/* --- life --- */

struct qemu_machine *qemu_machine_find(struct qemu_driver *driver, const char *uid)
{
    return map_get(driver->machines, uid);
}

struct qemu_machine *qemu_machine_new(struct qemu_driver *driver,
                                      struct machine_config *take_config)
{
    struct qemu_machine *machine = mem_new(struct qemu_machine);

    machine->driver = driver;
    machine->config = take_config;
    machine->uid = str_dup(take_config->uid);
    machine->pidfd = -1;
    machine->devices = DEVICES;
    machine->phase = PHASE_STARTING;
    machine->status.state = MACHINE_LAUNCHING;
    trace_paths_init(&machine->paths, driver->state_dir, driver->run_dir, machine->uid);
    qemu_machine_place_devices(machine);
    qemu_size_init(machine);
    map_set(driver->machines, machine->uid, machine);
    changes_add(&driver->changes, machine->uid);
    return machine;
}

void qemu_machine_free(void *value)
{
    struct qemu_machine *machine = value;

    qemu_hang_up(machine);
    loop_source_free(machine->retry);
    loop_source_free(machine->child);
    loop_source_free(machine->kill_timer);
    while (machine->waiters) {
        struct qemu_waiter *waiter = machine->waiters; /* its call ends with the driver's others */

        machine->waiters = waiter->next;
        free(waiter);
    }
    if (machine->pidfd >= 0)
        close(machine->pidfd);
    machine_config_free(machine->config);
    trace_paths_done(&machine->paths);
    free(machine->uid);
    free(machine);
}

struct qemu_machine *qemu_machine_up(struct qemu_driver *driver, const char *uid, struct err *err)
{
    struct qemu_machine *machine = qemu_machine_find(driver, uid);

    if (driver->is_closing)
        (void)err_set(err, ERR_CANCELLED, "the driver is being closed");
    else if (!machine)
        (void)err_set(err, ERR_NOT_FOUND, "the machine does not run");
    else if (machine->phase != PHASE_UP)
        (void)err_set(err, ERR_CONFLICT, "the machine does not run");
    else
        return machine;
    return NULL;
}

/* --- devices --- */

static void place(struct device_id *slot, enum device_kind kind, unsigned number, const char *name)
{
    *slot = (struct device_id){ .kind = kind, .slot = number };
    snprintf(slot->name, sizeof slot->name, "%s", name);
}

void qemu_machine_place_devices(struct qemu_machine *machine)
{
    const struct machine_config *config = machine->config;
    unsigned port = 0, cdrom = 0;

    for (unsigned i = 0; i < config->nic_count; i++, port++)
        place(&machine->ports[port], DEVICE_NIC, port, config->nics[i].name);
    for (unsigned i = 0; i < config->disk_count; i++) {
        const struct machine_disk *disk = &config->disks[i];

        if (!disk->is_cdrom) {
            place(&machine->ports[port], DEVICE_DISK, port, disk->name);
            port++;
        } else if (cdrom < CDROMS_MAX) {
            place(&machine->cdroms[cdrom], DEVICE_CDROM, cdrom, disk->name);
            machine->cdrom_letters[cdrom++] = disk->source.file_count ? 'a' : '\0';
        }
    }
    machine->port_count = port + PORTS_SPARE < PORTS_MAX ? port + PORTS_SPARE : PORTS_MAX;
}

static void list_device(struct machine_status *status, const struct device_id *id)
{
    if (!id->name[0])
        return;
    if (id->kind == DEVICE_NIC && status->nic_count < MACHINE_NICS_MAX)
        memcpy(status->nics[status->nic_count++], id->name, DEVICE_NAME_SIZE);
    if (id->kind != DEVICE_NIC && status->disk_count < MACHINE_DISKS_MAX)
        memcpy(status->disks[status->disk_count++], id->name, DEVICE_NAME_SIZE);
}

static void list_devices(const struct qemu_machine *machine, struct machine_status *status)
{
    status->disk_count = status->nic_count = 0;
    memset(status->disks, 0, sizeof status->disks);
    memset(status->nics, 0, sizeof status->nics);
    for (unsigned i = 0; i < machine->port_count; i++)
        list_device(status, &machine->ports[i]);
    for (unsigned i = 0; i < CDROMS_MAX; i++)
        list_device(status, &machine->cdroms[i]);
}

/* --- status --- */

static enum machine_state state_of(const struct qemu_machine *machine)
{
    switch (machine->phase) {
    case PHASE_STARTING:
    case PHASE_SEEKING:
    case PHASE_CONNECTING:
        return MACHINE_LAUNCHING;
    case PHASE_UP:
        return machine->run_state;
    case PHASE_ENDING:
        return machine->status.state; /* what it was, until the end is written down */
    case PHASE_ENDED:
        break;
    }
    return MACHINE_ENDED;
}

static bool is_same(const struct machine_status *a, const struct machine_status *b)
{
    struct machine_status left = *a, right = *b;

    left.usage = right.usage = (struct machine_usage){ 0 };
    return memcmp(&left, &right, sizeof left) == 0;
}

void qemu_machine_refresh(struct qemu_machine *machine)
{
    struct machine_status before = machine->status;
    struct machine_status *status = &machine->status;

    status->state = state_of(machine);
    status->end = machine->phase == PHASE_ENDED ? machine->end.end : MACHINE_END_NONE;
    status->is_tcg = !machine->kvm;
    if (machine->phase == PHASE_ENDED) {
        status->pid = 0;
        status->agent_connected = status->shutdown_requested = false;
        memset(status->message, 0, sizeof status->message);
        snprintf(status->message, sizeof status->message, "%s", machine->end.message);
    }
    status->cpus = machine->phase == PHASE_ENDED ? 0 : qemu_size_cpus(machine);
    status->memory_bytes = machine->phase == PHASE_ENDED ? 0 : qemu_size_memory(machine);
    list_devices(machine, status);
    if (!is_same(&before, status))
        changes_add(&machine->driver->changes, machine->uid);
}

void qemu_machine_set_phase(struct qemu_machine *machine, enum qemu_phase phase)
{
    static const uint8_t allowed[] = {
        [PHASE_STARTING] = 1 << PHASE_SEEKING | 1 << PHASE_CONNECTING | 1 << PHASE_ENDING,
        [PHASE_SEEKING] = 1 << PHASE_CONNECTING | 1 << PHASE_ENDING | 1 << PHASE_ENDED,
        [PHASE_CONNECTING] = 1 << PHASE_UP | 1 << PHASE_ENDING,
        [PHASE_UP] = 1 << PHASE_CONNECTING | 1 << PHASE_ENDING,
        [PHASE_ENDING] = 1 << PHASE_ENDED,
        [PHASE_ENDED] = 0,
    };

    assert(allowed[machine->phase] & (1 << phase));
    machine->phase = phase;
    qemu_machine_refresh(machine);
}

void qemu_machine_message(struct qemu_machine *machine, const char *format, ...)
{
    struct machine_status *status = &machine->status;
    va_list args;

    memset(status->message, 0, sizeof status->message); /* compared as a whole */
    va_start(args, format);
    vsnprintf(status->message, sizeof status->message, format, args);
    va_end(args);
    changes_add(&machine->driver->changes, machine->uid);
}
