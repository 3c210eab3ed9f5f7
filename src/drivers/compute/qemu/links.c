/* drivers/compute/qemu/links.c - cables of network cards, pulled and plugged. */
#include "base/str.h"
#include "drivers/compute/qemu/migrating.h"
#include "drivers/compute/qemu/monitor.h"
#include "drivers/compute/qemu/parts.h"

static json_t *link_arguments(unsigned port, bool is_up)
{
    return json_pack("{so,sb}", "name", json_printf("net%u", port), "up", (int)is_up);
}

void qemu_links_set(struct qemu_machine *machine, bool is_up)
{
    for (unsigned port = 0; machine->monitor && port < machine->port_count; port++) {
        if (!machine->ports[port].name[0] || machine->ports[port].kind != DEVICE_NIC)
            continue;
        monitor_call(machine->monitor, "set_link", link_arguments(port, is_up), -1, MONITOR_CALL_MS, NULL, NULL);
    }
}

/* Has the guest say who has its addresses now: whoever asked while the link was down would ask again
 * only after a second. */
static void announce(struct qemu_machine *machine)
{
    json_t *arguments = json_pack("{s:i,s:i,s:i,s:i}", "initial", 20, "max", 200, "rounds", 3, "step", 80);

    monitor_call(machine->monitor, "announce-self", arguments, -1, MONITOR_CALL_MS, NULL, NULL);
}

static void on_answer(void *arg, const struct err *err, const json_t *result) { qemu_call_end(arg, err); }

void qemu_nic_link(struct compute *compute, const char *uid, const char *nic_name, bool is_up, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);

    for (unsigned port = 0; machine && port < machine->port_count; port++) {
        const struct device_id *id = &machine->ports[port];

        if (id->kind != DEVICE_NIC || !str_equal(id->name, nic_name))
            continue;
        monitor_call(machine->monitor, "set_link", link_arguments(port, is_up), -1, MONITOR_CALL_MS, on_answer, call);
        if (is_up)
            announce(machine);
        return;
    }
    if (machine)
        (void)err_set(&err, ERR_NOT_FOUND, "the machine has no NIC %s", nic_name);
    qemu_call_end_later(call, &err);
}
