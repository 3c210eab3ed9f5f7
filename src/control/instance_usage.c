/* control/instance_usage.c - what a running instance uses, read every few seconds. */
#include "control/instance.h"
#include "control/results.h"
#include "base/quantity.h"
#include "kinds/tables/tables.h"

enum { INTERVAL_MS = 10 * 1000 };

static void set_bytes(json_t *usage, const char *name, int64_t bytes)
{
    char text[QUANTITY_TEXT_SIZE];

    quantity_format_bytes(bytes, text, sizeof text);
    json_object_set_new(usage, name, json_string(text));
}

static void set_cpu(json_t *usage, const struct machine_usage *now, const struct machine_usage *last)
{
    char text[QUANTITY_TEXT_SIZE];

    json_object_set_new(usage, "cpuSeconds", json_real((double)(now->cpu_ns / 1000000) / 1000));
    if (!last || now->wall_ms <= last->wall_ms || now->cpu_ns < last->cpu_ns)
        return;
    quantity_format_milli((int64_t)((now->cpu_ns - last->cpu_ns) / 1000) / (now->wall_ms - last->wall_ms),
                          text, sizeof text);
    json_object_set_new(usage, "cpu", json_string(text));
}

static json_t *usage_of(const struct machine_usage *now, const struct machine_usage *last)
{
    char time[TIME_TEXT_SIZE];
    json_t *usage;

    time_format(now->wall_ms, time, sizeof time);
    usage = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "time", time, "diskReadBytes",
                      (json_int_t)now->disk_read_bytes, "diskWriteBytes", (json_int_t)now->disk_write_bytes,
                      "diskReadOperations", (json_int_t)now->disk_read_ops, "diskWriteOperations",
                      (json_int_t)now->disk_write_ops, "networkReceiveBytes", (json_int_t)now->net_rx_bytes,
                      "networkTransmitBytes", (json_int_t)now->net_tx_bytes);
    set_cpu(usage, now, last);
    set_bytes(usage, "memory", now->memory_bytes);
    if (now->guest_memory_bytes)
        set_bytes(usage, "guestMemory", now->guest_memory_bytes);
    return usage;
}

int64_t usage_show(struct scene *scene)
{
    const struct control_setup *setup = control_setup(scene->work->control);
    const struct machine_usage *now = &scene->machine.usage;
    const struct machine_usage *last = work_result(scene->work, "usage");
    int64_t interval_ms = setup->usage_interval_ms ? setup->usage_interval_ms : INTERVAL_MS;
    int64_t due_ms = now->wall_ms + interval_ms - control_wall_ms(scene->work->control);

    if (now->wall_ms && (!last || last->wall_ms != now->wall_ms)) {
        json_set_at(scene->object, "status.usage", usage_of(now, last));
        work_result_keep_bytes(scene->work, "usage", now, sizeof *now);
    }
    /* One sample() reads all machines: whoever is due first asks for all. */
    if (due_ms > 0)
        return due_ms;
    if (work_op_begin(scene->work, "sample"))
        setup->compute->ops->sample(setup->compute, work_op_done(scene->work, "sample"));
    return interval_ms;
}
