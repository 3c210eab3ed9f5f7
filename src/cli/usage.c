/* cli/usage.c - see usage.h */
#include "cli/usage.h"
#include "base/mem.h"
#include "base/quantity.h"
#include <stdlib.h>
#include <string.h>

struct row {
    double key; /* the most comes first; with equal keys the name decides */
    const char *name;
    json_t *cells; /* owned until it is in the table */
};

const char *usage_order_name(enum usage_order order)
{
    static const char *const names[USAGE_ORDER_COUNT] = { "processor", "memory", "network", "name" };

    return names[order];
}

/* --- samples: {UID: {"last": USAGE, "before": USAGE}} --- */

static json_t *learn_one(const json_t *sample, const json_t *usage)
{
    const json_t *last = json_object_get(sample, "last");

    if (!usage)
        return json_object();
    if (!last)
        return json_pack("{s:O}", "last", usage);
    if (str_equal(json_text_at(last, "time", ""), json_text_at(usage, "time", "")))
        return json_incref((json_t *)sample);
    return json_pack("{s:O,s:O}", "last", usage, "before", last);
}

void usage_learn(json_t *samples, const json_t *list)
{
    const json_t *items = json_object_get(list, "items");
    auto_json json_t *learned = json_object();

    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *uid = json_text_at(item, "metadata.uid", "");

        json_object_set_new(learned, uid,
                            learn_one(json_object_get(samples, uid), json_at(item, "status.usage")));
    }
    json_object_clear(samples);
    json_object_update(samples, learned);
}

/* Units of 'name' a second between the two readings; -1: unknown. */
static double rate(const json_t *samples, const json_t *item, const char *name)
{
    const json_t *sample = json_object_get(samples, json_text_at(item, "metadata.uid", ""));
    const json_t *before = json_object_get(sample, "before"), *last = json_object_get(sample, "last");
    int64_t from = json_int_at(before, name, 0), to = json_int_at(last, name, 0), from_ms, to_ms;
    struct err unread;

    if (!before || time_parse(json_text_at(before, "time", ""), &from_ms, &unread) < 0 ||
        time_parse(json_text_at(last, "time", ""), &to_ms, &unread) < 0 || to_ms <= from_ms ||
        to < from) /* it was started anew */
        return -1;
    return (double)(to - from) * 1000 / (double)(to_ms - from_ms);
}

/* --- rows --- */

static json_t *size_cell(double bytes, const char *unit)
{
    char text[QUANTITY_TEXT_SIZE];

    if (bytes < 0)
        return json_string("-");
    quantity_format_human((int64_t)bytes, text, sizeof text);
    return json_printf("%s%s", text, unit);
}

static double quantity_at(const json_t *item, const char *path, bool is_milli)
{
    const char *text = json_text_at(item, path, NULL);
    struct err unread;
    int64_t value;

    if (!text || (is_milli ? quantity_parse_milli(text, &value, &unread)
                           : quantity_parse(text, &value, &unread)) < 0)
        return -1;
    return (double)value;
}

static double key_of(enum usage_order order, double cpu, double memory, double network)
{
    return order == USAGE_BY_CPU       ? cpu
           : order == USAGE_BY_MEMORY  ? memory
           : order == USAGE_BY_NETWORK ? network
                                       : 0;
}

static struct row make_row(const json_t *item, const json_t *samples, enum usage_order order)
{
    double cpu = quantity_at(item, "status.usage.cpu", /*is_milli=*/true);
    double memory = quantity_at(item, "status.usage.memory", false);
    double in = rate(samples, item, "networkReceiveBytes");
    double out = rate(samples, item, "networkTransmitBytes");
    const char *name = json_text_at(item, "metadata.name", "");
    json_t *cells = json_pack("[s,s]", name, json_text_at(item, "status.phase", "Pending"));

    json_array_append_new(cells, cpu < 0 ? json_string("-") : json_printf("%.0f%%", cpu / 10));
    json_array_append_new(cells, json_integer(json_int_at(item, "spec.cpus", 0)));
    json_array_append_new(cells, size_cell(memory, ""));
    json_array_append_new(cells, size_cell(quantity_at(item, "spec.memory", false), ""));
    json_array_append_new(cells, size_cell(rate(samples, item, "diskReadBytes"), "/s"));
    json_array_append_new(cells, size_cell(rate(samples, item, "diskWriteBytes"), "/s"));
    json_array_append_new(cells, size_cell(in, "/s"));
    json_array_append_new(cells, size_cell(out, "/s"));
    json_array_append_new(cells, json_string(json_text_at(item, "status.networks[0].ipv4Address", "-")));
    return (struct row){ key_of(order, cpu, memory, in + out), name, cells };
}

static int compare(const void *a, const void *b)
{
    const struct row *one = a, *other = b;

    return one->key != other->key ? (one->key < other->key ? 1 : -1) : strcmp(one->name, other->name);
}

static json_t *row_json(const json_t *item, json_t *take_cells)
{
    return json_pack("{s:o,s:{s:{s:s}}}", "cells", take_cells, "object", "metadata", "namespace",
                     json_text_at(item, "metadata.namespace", ""));
}

static json_t *columns(void)
{
    static const char *const names[] = { "Name",   "Phase",      "CPU",     "of",
                                         "Memory", "max",        "Read",    "Written",
                                         "Received", "Sent",     "IPv4" };
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        json_array_append_new(list, json_pack("{s:s}", "name", names[i]));
    return list;
}

json_t *usage_table(const json_t *list, const json_t *samples, enum usage_order order)
{
    const json_t *items = json_object_get(list, "items");
    size_t count = json_array_size(items);
    auto_free struct row *rows = mem_array(count + 1, sizeof *rows);
    json_t *table = json_pack("{s:o,s:[]}", "columnDefinitions", columns(), "rows");

    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(items, i);

        rows[i] = make_row(item, samples, order);
        rows[i].cells = row_json(item, rows[i].cells);
    }
    qsort(rows, count, sizeof *rows, compare);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(json_object_get(table, "rows"), rows[i].cells);
    return table;
}
