/* cli/event_order.c - rows of events by the time that they say. */
#include "cli/event_order.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

struct timed_row {
    json_t *row;      /* borrowed */
    const char *time; /* RFC 3339 in UTC, which sorts as text; "" when it says none */
    size_t place;
};

static char *key_of(const json_t *metadata)
{
    return str_printf("%s/%s", json_text_at(metadata, "namespace", ""), json_text_at(metadata, "name", ""));
}

static json_t *times_of(const json_t *events)
{
    json_t *times = json_object();
    size_t i;
    json_t *event;

    json_array_foreach ((json_t *)events, i, event) {
        auto_free char *key = key_of(json_object_get(event, "metadata"));
        const char *time = json_text_at(event, "lastTimestamp", json_text_at(event, "eventTime", ""));

        json_object_set_new(times, key, json_string(time));
    }
    return times;
}

static int compare(const void *a, const void *b)
{
    const struct timed_row *one = a, *other = b;
    int order = strcmp(one->time, other->time);

    return order ? order : one->place < other->place ? -1 : 1;
}

void event_rows_order(json_t *table, const json_t *events)
{
    json_t *rows = json_object_get(table, "rows");
    size_t count = json_array_size(rows);
    auto_free struct timed_row *timed = mem_array(count + 1, sizeof *timed);
    auto_json json_t *times = times_of(events);
    json_t *ordered = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *row = json_array_get(rows, i);
        auto_free char *key = key_of(json_at(row, "object.metadata"));
        const char *time = json_string_value(json_object_get(times, key));

        timed[i] = (struct timed_row){ row, time ? time : "", i };
    }
    qsort(timed, count, sizeof *timed, compare);
    for (size_t i = 0; i < count; i++)
        json_array_append(ordered, timed[i].row);
    json_object_set_new(table, "rows", ordered);
}
