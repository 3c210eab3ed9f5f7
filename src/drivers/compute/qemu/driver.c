/* drivers/compute/qemu/driver.c - the QEMU driver behind the contract: open, close, observe. */
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/frozen.h"
#include "drivers/compute/qemu/machine.h"
#include "drivers/compute/qemu/parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- open and close --- */

static void copy_facts(struct qemu_driver *driver)
{
    const struct qemu_host *host = &driver->host;
    struct compute_facts *facts = &driver->facts;

    facts->kvm_usable = host->kvm_usable;
    facts->has_uefi = host->ovmf_code[0] != '\0';
    snprintf(facts->kvm_reason, sizeof facts->kvm_reason, "%s", host->kvm_reason);
    snprintf(facts->version, sizeof facts->version, "QEMU %s", host->version);
    snprintf(facts->default_machine_type, sizeof facts->default_machine_type, "%s",
             host->machine_type);
    snprintf(facts->cgroup, sizeof facts->cgroup, "%s", driver->cgroups.summary);
}

static int look_around(struct qemu_driver *driver, struct err *err)
{
    auto_free char *cache = str_printf("%s/qemu.json", driver->state_dir);
    auto_free char *logs = trace_logs_dir(driver->state_dir);

    if (dir_make(driver->state_dir, 0700, err) < 0 || dir_make(driver->run_dir, 0700, err) < 0 ||
        dir_make(logs, 0700, err) < 0 || trace_boot_id(driver->boot_id, err) < 0 ||
        qemu_host_probe(&driver->host, cache, err) < 0)
        return -1;
    cgroups_find_here(&driver->cgroups);
    copy_facts(driver);
    return 0;
}

static void driver_free(struct qemu_driver *driver)
{
    qemu_jobs_close(driver->jobs);
    qemu_guest_tellings_stop(driver);
    map_free(driver->machines);
    qemu_calls_cancel(driver);
    changes_done(&driver->changes);
    free(driver->state_dir);
    free(driver->run_dir);
    free(driver->memory_dir);
    free(driver);
}

static void sweep_frozen(const struct qemu_driver *driver)
{
    struct frozen_dirs dirs;

    frozen_dirs_init(&dirs, &driver->setup);
    frozen_sweep(&dirs, driver->boot_id);
    frozen_dirs_done(&dirs);
}

static struct compute *qemu_open(const struct compute_setup *setup, struct err *err)
{
    struct qemu_driver *driver = mem_new(struct qemu_driver);

    driver->compute.ops = &compute_qemu;
    driver->setup = *setup;
    driver->state_dir = str_dup(setup->state_dir);
    driver->run_dir = str_dup(setup->run_dir);
    driver->setup.state_dir = driver->state_dir;
    driver->setup.run_dir = driver->run_dir;
    driver->memory_dir = str_dup(setup->memory_dir);
    driver->setup.memory_dir = driver->memory_dir;
    driver->machines = map_new(qemu_machine_free);
    driver->jobs = qemu_jobs_new(setup->workers);
    changes_init(&driver->changes, &driver->setup);
    if (look_around(driver, err) < 0) {
        driver_free(driver);
        return NULL;
    }
    sweep_frozen(driver);
    qemu_adopt_all(driver);
    return &driver->compute;
}

static void qemu_close(struct compute *compute)
{
    struct qemu_driver *driver = qemu_driver_of(compute);

    driver->is_closing = true;
    driver_free(driver);
}

/* --- reads --- */

static const struct compute_facts *qemu_facts(struct compute *compute)
{
    return &qemu_driver_of(compute)->facts;
}

static void qemu_observe(struct compute *compute, const char *uid,
                         struct machine_status *ret_status)
{
    const struct qemu_machine *machine = qemu_machine_find(qemu_driver_of(compute), uid);

    *ret_status = machine ? machine->status : (struct machine_status){ .state = MACHINE_ABSENT };
}

static char **qemu_list(struct compute *compute) { return map_keys(qemu_driver_of(compute)->machines); }

/* --- for tests and diagnosis --- */

static void on_monitor_answer(void *arg, const struct err *err, const json_t *result)
{
    if (err)
        qemu_call_end(arg, err);
    else
        qemu_call_end_json(arg, result);
}

void compute_qemu_monitor(struct compute *compute, const char *uid, const char *command,
                          const json_t *arguments, compute_json_fn *fn, void *arg)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_json(driver, fn, arg);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);

    if (!machine)
        qemu_call_end_later(call, &err);
    else
        monitor_call(machine->monitor, command, arguments ? json_deep_copy(arguments) : NULL, -1,
                     MONITOR_CALL_MS, on_monitor_answer, call);
}

const struct compute_ops compute_qemu = {
    .name = "qemu",
    .open = qemu_open,
    .close = qemu_close,
    .facts = qemu_facts,
    .observe = qemu_observe,
    .list = qemu_list,
    .start = qemu_start,
    .press_power = qemu_press_power,
    .kill = qemu_kill,
    .reset = qemu_reset,
    .pause = qemu_pause,
    .resume = qemu_resume,
    .release = qemu_release,
    .logs_remove = qemu_logs_remove,
    .logs_list = qemu_logs_list,
    .resize = qemu_resize,
    .disk_attach = qemu_disk_attach,
    .disk_detach = qemu_disk_detach,
    .disk_resize = qemu_disk_resize,
    .nic_attach = qemu_nic_attach,
    .nic_detach = qemu_nic_detach,
    .cdrom_change = qemu_cdrom_change,
    .console_open = qemu_console_open,
    .vnc_open = qemu_vnc_open,
    .log_open = qemu_log_open,
    .screenshot = qemu_screenshot,
    .agent = qemu_agent,
    .identify = qemu_identify,
    .nic_link = qemu_nic_link,
    .freeze = qemu_freeze,
    .frozen_remove = qemu_frozen_remove,
    .frozen_list = qemu_frozen_list,
    .sample = qemu_sample,
};
