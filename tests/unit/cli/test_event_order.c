#include "check.h"
#include "cli/event_order.h"
#include <stddef.h>

static json_t *row(const char *name)
{
    return json_pack("{s:[s],s:{s:{s:s,s:s}}}", "cells", name, "object", "metadata", "name", name, "namespace", "default");
}

static json_t *event(const char *name, const char *field, const char *time)
{
    return json_pack("{s:{s:s,s:s},s:s}", "metadata", "name", name, "namespace", "default", field, time);
}

TEST(rows_come_in_the_order_of_their_times_and_unknown_ones_first)
{
    auto_json json_t *table = json_pack("{s:[o,o,o,o]}", "rows", row("late"), row("new"), row("early"), row("middle"));
    auto_json json_t *events = json_pack("[o,o,o]", event("late", "lastTimestamp", "2026-01-01T00:10:00Z"),
                                         event("early", "lastTimestamp", "2026-01-01T00:01:00Z"),
                                         event("middle", "eventTime", "2026-01-01T00:02:00Z"));
    static const char *const wanted[] = { "new", "early", "middle", "late" };

    event_rows_order(table, events);
    for (size_t i = 0; i < 4; i++)
        CHECK_STR(json_text_at(json_array_get(json_object_get(table, "rows"), i), "cells[0]", ""), wanted[i]);
}
