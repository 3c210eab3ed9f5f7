/* drivers/compute/fake/driver.c - the fake behind the contract: open, close, observe. */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/fake/call.h"
#include <assert.h>
#include <stdlib.h>

static void on_heard(void *arg)
{
    struct fake_driver *driver = arg;
    void *each;

    for (size_t at = 0; map_next(driver->world->machines, &at, NULL, &each);) {
        struct fake_machine *machine = each;

        if (!machine->has_process || machine->is_heard)
            continue;
        if (machine->status.state == MACHINE_LAUNCHING)
            fake_machine_runs(machine);
        machine->is_heard = true;
        fake_machine_changed(machine);
    }
}

/* The last daemon died anywhere: between writing down the intent and starting the process,
 * or later. What has a process is known at once, its state when its monitor answers. */
static void find_machines(struct fake_driver *driver)
{
    struct compute_fake_world *world = driver->world;
    void *each;

    for (size_t at = 0; map_next(world->machines, &at, NULL, &each);) {
        struct fake_machine *machine = each;

        machine->is_heard = !machine->has_process;
        if (machine->status.state == MACHINE_LAUNCHING && !machine->has_process)
            fake_machine_end(machine, MACHINE_END_START_FAILED, "the start was interrupted");
    }
    driver->hear = loop_timer(world->loop, fake_delay_ms(world), on_heard, driver);
}

struct compute *compute_fake_open(struct compute_fake_world *world,
                                  const struct compute_setup *setup)
{
    struct fake_driver *driver = mem_new(struct fake_driver);

    assert(!world->driver);
    driver->compute.ops = &compute_fake;
    driver->world = world;
    driver->setup = *setup;
    changes_init(&driver->changes, &driver->setup);
    driver->facts = (struct compute_facts){ .kvm_reason = "a fake has no processor",
                                            .version = "fake 1.0",
                                            .default_machine_type = "fake-1.0",
                                            .has_uefi = true,
                                            .cgroup = "a fake needs no limits" };
    world->driver = driver;
    find_machines(driver);
    return &driver->compute;
}

static struct compute *fake_open(const struct compute_setup *setup, struct err *err)
{
    struct compute *compute = compute_fake_open(compute_fake_world_new(setup->loop, NULL), setup);

    fake_driver_of(compute)->owns_world = true;
    return compute;
}

static void fake_close(struct compute *compute)
{
    struct fake_driver *driver = fake_driver_of(compute);
    struct compute_fake_world *world = driver->world;

    fake_calls_cancel(driver);
    loop_source_free(driver->hear);
    fake_consoles_close(driver);
    changes_done(&driver->changes);
    world->driver = NULL;
    if (driver->owns_world)
        compute_fake_world_free(world);
    free(driver);
}

static const struct compute_facts *fake_facts(struct compute *compute)
{
    return &fake_driver_of(compute)->facts;
}

static void fake_observe(struct compute *compute, const char *uid,
                         struct machine_status *ret_status)
{
    struct fake_machine *machine = fake_machine_find(fake_driver_of(compute)->world, uid);

    *ret_status = machine ? machine->status : (struct machine_status){ .state = MACHINE_ABSENT };
    if (machine && machine->has_process && !machine->is_heard) {
        ret_status->state = MACHINE_LAUNCHING;
        ret_status->agent_connected = false;
    }
}

static char **fake_list(struct compute *compute) { return map_keys(fake_driver_of(compute)->world->machines); }

const struct compute_ops compute_fake = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .facts = fake_facts,
    .observe = fake_observe,
    .list = fake_list,
    .start = fake_start,
    .press_power = fake_press_power,
    .kill = fake_kill,
    .reset = fake_reset,
    .pause = fake_pause,
    .resume = fake_resume,
    .release = fake_release,
    .logs_remove = fake_logs_remove,
    .logs_list = fake_logs_list,
    .resize = fake_resize,
    .disk_attach = fake_disk_attach,
    .disk_detach = fake_disk_detach,
    .disk_resize = fake_disk_resize,
    .nic_attach = fake_nic_attach,
    .nic_detach = fake_nic_detach,
    .cdrom_change = fake_cdrom_change,
    .console_open = fake_console_call,
    .vnc_open = fake_vnc_call,
    .log_open = fake_log_call,
    .screenshot = fake_screenshot,
    .agent = fake_agent,
    .identify = fake_identify,
    .nic_link = fake_nic_link,
    .freeze = fake_freeze,
    .frozen_remove = fake_frozen_remove,
    .frozen_list = fake_frozen_list,
    .sample = fake_sample,
};
