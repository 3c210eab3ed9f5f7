/* control/host.c - Host: this machine's capacity, promises and use. */
#include "control/control.h"
#include "control/host_use.h"
#include "control/placement.h"
#include "control/results.h"
#include "control/strangers.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <sys/utsname.h>

enum { LOOK_MS = 10 * 1000 };

static void show_resources(json_t *host, const char *path, double cpus, int64_t memory_bytes)
{
    auto_free char *cpus_path = str_printf("status.%s.cpus", path);
    auto_free char *memory_path = str_printf("status.%s.memory", path);
    char memory[32];

    quantity_format_bytes(memory_bytes, memory, sizeof memory);
    json_set_at(host, cpus_path, json_real(cpus));
    json_set_at(host, memory_path, json_string(memory));
}

static void show_accelerator(struct work *work, const struct compute_facts *facts)
{
    json_set_at(work->object, "status.accelerator", json_string(facts->kvm_usable ? "KVM" : "TCG"));
    work_condition(work, "KVMUsable", facts->kvm_usable, facts->kvm_usable ? "Found" : "NotUsable", "%s",
                   facts->kvm_usable ? "instances run with hardware virtualization"
                                     : facts->kvm_reason);
}

static void show_versions(struct work *work, const struct compute_facts *facts)
{
    struct utsname system;

    uname(&system);
    json_set_at(work->object, "status.version", json_string(VIRGA_VERSION));
    json_set_at(work->object, "status.qemuVersion", json_string(facts->version));
    json_set_at(work->object, "status.kernelVersion", json_string(system.release));
    work_condition(work, "LimitsEnforced", !str_starts(facts->cgroup, "none"), "Cgroups", "%s",
                   facts->cgroup);
}

static void show_started(struct work *work)
{
    char now[32];

    if (work_result(work, "started"))
        return;
    work_result_keep(work, "started", 1);
    time_format(control_wall_ms(work->control), now, sizeof now);
    json_set_at(work->object, "status.startedAt", json_string(now));
}

static void show_store(struct work *work)
{
    struct store *store = control_setup(work->control)->store;
    struct err err = { 0 };
    bool healthy = store->ops->health(store, &err) == 0;

    work_condition(work, "StoreHealthy", healthy, healthy ? "Writing" : "NotWriting", "%s",
                   healthy ? "objects can be written" : err.text);
}

/* Daily, beside the database: what an administrator falls back on when the disk lost some of it. */
static void show_backup(struct work *work)
{
    struct store *store = control_setup(work->control)->store;
    bool was_good = !condition_get(work->object, "StoreBackedUp") ||
                    condition_is_true(work->object, "StoreBackedUp");
    struct err err = { 0 };
    int64_t made_ms;
    bool is_good = store->ops->backup(store, &made_ms, &err) == 0;
    char made[32] = "none yet";

    if (made_ms)
        time_format(made_ms, made, sizeof made);
    work_condition(work, "StoreBackedUp", is_good, is_good ? "Scheduled" : "Failed",
                   is_good ? "the last backup of the store: %s%s" : "the last backup of the store: %s; the next failed: %s",
                   made, err.text);
    if (was_good && !is_good)
        work_event(work, "Warning", "BackupFailed", "the store could not be backed up: %s", err.text);
    else if (!was_good && is_good)
        work_event(work, "Normal", "BackedUp", "the store is backed up again");
}

static void show_use(struct work *work)
{
    struct host_use use;

    if (loop_is_simulated(control_setup(work->control)->loop))
        return;
    if (host_use_read(&use, work_result(work, "last use")) == 0)
        show_resources(work->object, "used", use.cpus, use.memory_bytes);
    work_result_keep_bytes(work, "last use", &use, sizeof use);
}

static struct verdict reconcile(struct work *work)
{
    const struct control_setup *setup = control_setup(work->control);
    const struct compute_facts *facts = setup->compute->ops->facts(setup->compute);
    struct room capacity = placement_capacity(work->control);
    struct room allocatable = placement_allocatable(work->control);
    struct promised promised = placement_promised(work->control);

    placement_host_seen(work->control, work->object);
    if (!str_equal(object_name(work->object), setup->host_name))
        return VERDICT_SETTLED;
    show_started(work);
    show_accelerator(work, facts);
    show_versions(work, facts);
    show_store(work);
    show_backup(work);
    strangers_show(work);
    show_resources(work->object, "capacity", capacity.cpus, capacity.memory_bytes);
    show_resources(work->object, "allocatable", allocatable.cpus, allocatable.memory_bytes);
    show_resources(work->object, "allocated", (double)promised.cpus, promised.memory_bytes);
    json_set_at(work->object, "status.instances", json_integer(promised.instances));
    show_use(work);
    if (!str_equal(view_text(&kind_host, work->object, "status.phase"), "ShuttingDown"))
        work_phase(work, "Ready", NULL);
    work_condition(work, "Ready", true, "Serving", "virgad runs");
    return VERDICT_AGAIN(LOOK_MS);
}

const struct controller controller_host = {
    .kind = &kind_host,
    .reconcile = reconcile,
};
