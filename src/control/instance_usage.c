/* control/instance_usage.c - what a running instance uses, read every few seconds. */
#include "control/instance.h"
#include "control/results.h"
#include "base/quantity.h"
#include "base/str.h"
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

/* --- traffic, which the network knows --- */

static char *traffic_op(const json_t *card) { return str_printf("traffic %s", json_text_at(card, "name", "")); }

static void traffic_read(void *arg, const struct err *err, const struct port_counters *counters)
{
    carrier_end(arg, err, counters, sizeof *counters);
}

/* Once for each sample: another instance may be the one that asks for those. */
static void read_traffic(struct scene *scene)
{
    struct network_driver *network = control_setup(scene->work->control)->network;
    const json_t *cards = scene_list(scene, "status.networks");
    const int64_t *read_for_ms = work_result(scene->work, "traffic");

    if (read_for_ms && *read_for_ms == scene->machine.usage.wall_ms)
        return;
    work_result_keep(scene->work, "traffic", scene->machine.usage.wall_ms);
    for (size_t i = 0; i < json_array_size(cards); i++) {
        const json_t *card = json_array_get(cards, i);
        auto_free char *id = str_printf("%s/%s", scene->uid, json_text_at(card, "name", ""));
        auto_free char *op = traffic_op(card);
        if (work_op_begin(scene->work, op))
            network->ops->port_read(network, json_text_at(card, "networkUID", ""), id, traffic_read,
                                    carrier_new(scene->work, op));
    }
}

/* Sums what is known of all cards. */
static struct port_counters traffic_of(struct scene *scene)
{
    const json_t *cards = scene_list(scene, "status.networks");
    struct port_counters sum = { 0 };

    for (size_t i = 0; i < json_array_size(cards); i++) {
        auto_free char *op = traffic_op(json_array_get(cards, i));
        const struct port_counters *counters = work_result(scene->work, op);
        if (!counters)
            continue;
        sum.rx_bytes += counters->rx_bytes;
        sum.tx_bytes += counters->tx_bytes;
    }
    return sum;
}

static bool is_reading_traffic(struct scene *scene)
{
    const json_t *cards = scene_list(scene, "status.networks");
    bool reading = false;

    for (size_t i = 0; i < json_array_size(cards); i++) {
        auto_free char *op = traffic_op(json_array_get(cards, i));
        reading |= work_op(scene->work, op, NULL) == OP_RUNNING;
    }
    return reading;
}

/* --- all together --- */

static json_t *usage_of(const struct machine_usage *now, const struct machine_usage *last,
                        const struct port_counters *traffic)
{
    char time[TIME_TEXT_SIZE];
    json_t *usage;

    time_format(now->wall_ms, time, sizeof time);
    usage = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "time", time, "diskReadBytes",
                      (json_int_t)now->disk_read_bytes, "diskWriteBytes", (json_int_t)now->disk_write_bytes,
                      "diskReadOperations", (json_int_t)now->disk_read_ops, "diskWriteOperations",
                      (json_int_t)now->disk_write_ops, "networkReceiveBytes", (json_int_t)traffic->rx_bytes,
                      "networkTransmitBytes", (json_int_t)traffic->tx_bytes);
    set_cpu(usage, now, last);
    set_bytes(usage, "memory", now->memory_bytes);
    if (now->guest_memory_bytes)
        set_bytes(usage, "guestMemory", now->guest_memory_bytes);
    return usage;
}

static void show(struct scene *scene, const struct machine_usage *last)
{
    const struct machine_usage *now = &scene->machine.usage;
    struct port_counters traffic = traffic_of(scene);

    json_set_at(scene->object, "status.usage", usage_of(now, last, &traffic));
    work_result_keep_bytes(scene->work, "usage", now, sizeof *now);
}

int64_t usage_show(struct scene *scene)
{
    const struct control_setup *setup = control_setup(scene->work->control);
    const struct machine_usage *now = &scene->machine.usage;
    const struct machine_usage *last = work_result(scene->work, "usage");
    int64_t interval_ms = setup->usage_interval_ms ? setup->usage_interval_ms : INTERVAL_MS;
    int64_t due_ms = now->wall_ms + interval_ms - control_wall_ms(scene->work->control);

    if (now->wall_ms && (!last || last->wall_ms != now->wall_ms)) {
        read_traffic(scene);
        if (!is_reading_traffic(scene))
            show(scene, last);
    }
    /* One sample() reads all machines: whoever is due first asks for all. */
    if (due_ms > 0)
        return due_ms;
    if (work_op_begin(scene->work, "sample"))
        setup->compute->ops->sample(setup->compute, work_op_done(scene->work, "sample"));
    return interval_ms;
}
