/* drivers/compute/qemu/resize.c - a disk grows while the machine runs: file and guest at once. */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include <stdlib.h>

struct growth {
    struct qemu_machine *machine;
    struct qemu_call *call;
    struct node_base base;
    int64_t size_bytes;
};

static void growth_end(struct growth *growth, const struct err *err)
{
    struct qemu_call *call = growth->call;

    free(growth);
    qemu_call_end(call, err);
}

static void on_resized(void *arg, const struct err *err, const json_t *result)
{
    growth_end(arg, err);
}

/* -1: the disk is not there. */
static int64_t size_of(const json_t *blocks, const char *node)
{
    size_t i;
    json_t *block;

    json_array_foreach ((json_t *)blocks, i, block) {
        if (str_equal(json_text_at(block, "inserted.node-name", ""), node))
            return json_int_at(block, "inserted.image.virtual-size", -1);
    }
    return -1;
}

static int check(const struct growth *growth, int64_t size_bytes, struct err *err)
{
    if (size_bytes < 0)
        return err_set(err, ERR_NOT_FOUND, "the disk is gone");
    if (size_bytes > growth->size_bytes)
        return err_set(err, ERR_INVALID, "a disk of %lld bytes cannot shrink to %lld",
                       (long long)size_bytes, (long long)growth->size_bytes);
    return 0;
}

static void on_blocks(void *arg, const struct err *err, const json_t *result)
{
    struct growth *growth = arg;
    char node[NODE_NAME_SIZE];
    struct err failure;
    int64_t size_bytes;

    if (err) {
        growth_end(growth, err);
        return;
    }
    node_name(&growth->base, 0, node);
    size_bytes = size_of(result, node);
    if (check(growth, size_bytes, &failure) < 0)
        growth_end(growth, &failure);
    else if (size_bytes == growth->size_bytes)
        growth_end(growth, NULL);
    else
        monitor_call(
            growth->machine->monitor, "block_resize",
            json_pack("{ss,sI}", "node-name", node, "size", (json_int_t)growth->size_bytes), -1,
            MONITOR_CALL_MS, on_resized, growth);
}

static bool find_disk(const struct qemu_machine *machine, const char *name, unsigned *ret_port)
{
    for (unsigned port = 0; port < machine->port_count; port++) {
        const struct device_id *id = &machine->ports[port];

        if (id->name[0] && id->kind == DEVICE_DISK && str_equal(id->name, name)) {
            *ret_port = port;
            return true;
        }
    }
    return false;
}

void qemu_disk_resize(struct compute *compute, const char *uid, const char *disk_name,
                      int64_t size_bytes, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);
    struct growth *growth;
    unsigned port;

    if (machine && !find_disk(machine, disk_name, &port)) {
        (void)err_set(&err, ERR_NOT_FOUND, "no disk %s", disk_name);
        machine = NULL;
    }
    if (!machine) {
        qemu_call_end_later(call, &err);
        return;
    }
    growth = mem_new(struct growth);
    *growth = (struct growth){ machine, call, disk_node_base(port), size_bytes };
    monitor_call(machine->monitor, "query-block", NULL, -1, MONITOR_CALL_MS, on_blocks, growth);
}
