/* drivers/compute/fake/size.c - machines that grow and shrink while they run. */
#include "drivers/compute/fake/call.h"

static int check_limits(const struct machine_config *config, unsigned cpus, int64_t bytes, struct err *err)
{
    if (cpus < 1 || bytes < 1024 * 1024)
        return err_set(err, ERR_INVALID, "at least 1 processor and 1 MiB of memory");
    if (cpus > machine_cpus_most(config))
        return err_set(err, ERR_UNSUPPORTED, "the machine was started ready for %u processors", machine_cpus_most(config));
    if (bytes > machine_memory_most(config))
        return err_set(err, ERR_UNSUPPORTED, "the machine was started ready for %lld bytes of memory",
                       (long long)machine_memory_most(config));
    if (config->frozen && bytes < config->memory_bytes)
        return err_set(err, ERR_UNSUPPORTED, "a fork shares the memory that it went on with, and cannot give of it");
    return 0;
}

static int do_resize(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    struct machine_status *status;
    unsigned cpus = call->cpus;
    int64_t bytes = call->size_bytes;

    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    status = &machine->status;
    if (status->state != MACHINE_RUNNING)
        return err_set(err, ERR_CONFLICT, "the guest does not run");
    if (check_limits(machine->config, cpus, bytes, err) < 0)
        return -1;
    if (cpus < status->cpus && !status->agent_connected) {
        (void)err_set(err, ERR_UNAVAILABLE, "the guest agent does not answer");
        cpus = status->cpus;
    }
    if (bytes < machine->held_bytes) {
        (void)err_set(err, ERR_EXHAUSTED, "the guest uses its memory");
        bytes = machine->held_bytes < status->memory_bytes ? machine->held_bytes : status->memory_bytes;
    }
    status->cpus = cpus;
    status->memory_bytes = bytes;
    fake_machine_changed(machine);
    return err->code ? -1 : 0;
}

void fake_resize(struct compute *compute, const char *uid, unsigned cpus, int64_t memory_bytes,
                 struct done done)
{
    struct fake_call *call = fake_call_new(compute, uid, do_resize);

    call->done = done;
    call->cpus = cpus;
    call->size_bytes = memory_bytes;
}

void compute_fake_guest_holds_memory(struct compute_fake_world *world, const char *uid, int64_t bytes)
{
    struct fake_machine *machine = fake_machine_find(world, uid);

    if (machine)
        machine->held_bytes = bytes;
}
