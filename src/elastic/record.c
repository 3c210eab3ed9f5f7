/* elastic/record.c - writing and reading one line. */
#include "elastic/record.h"
#include "base/quantity.h"
#include "base/str.h"
#include <math.h>
#include <string.h>

enum { COUNT_MAX = 1000 * 1000 };

#define SUM_MAX (METRIC_AMOUNT_MAX * COUNT_MAX)
#define OWN_WORD "Custom/"

/* NULL: a custom one that there is not. Owned. */
static char *slot_name(int slot, const struct metric_names *names)
{
    const char *custom = slot < METRIC_CUSTOM ? NULL : names->custom[slot - METRIC_CUSTOM];
    bool is_plain = custom && metric_type_find(custom) >= METRIC_CUSTOM && !str_starts(custom, OWN_WORD);

    if (!custom)
        return str_dup(metric_type_name((enum metric_type)slot));
    if (!custom[0])
        return NULL;
    return str_printf("%s%s", is_plain ? "" : OWN_WORD, custom);
}

static json_t *value_json(const struct metric_value *value)
{
    json_t *json = json_pack("{s:f,s:i}", "sum", value->sum, "members", (int)value->reporting);

    if (value->is_whole)
        json_object_set_new(json, "whole", json_true());
    return json;
}

char *record_line(const struct sample *sample, const struct metric_names *names)
{
    auto_json json_t *line = NULL;
    json_t *metrics = json_object();
    char time[TIME_TEXT_SIZE];

    time_format(sample->wall_ms, time, sizeof time);
    for (int i = 0; i < METRIC_SLOTS; i++) {
        const struct metric_value *value = &sample->values[i];
        auto_free char *name = value->is_known && isfinite(value->sum) ? slot_name(i, names) : NULL;

        if (name)
            json_object_set_new(metrics, name, value_json(value));
    }
    line = json_pack("{s:s,s:i,s:i,s:i,s:i,s:i,s:o}", "time", time, "members", (int)sample->members, "ready",
                     (int)sample->ready, "starting", (int)sample->starting, "failed", (int)sample->failed,
                     "leaving", (int)sample->leaving, "metrics", metrics);
    return json_text(line);
}

static int read_count(const json_t *object, const char *name, unsigned *ret_count, struct err *err)
{
    int64_t count = json_int_at(object, name, -1);

    if (count < 0 || count > COUNT_MAX)
        return err_set(err, ERR_INVALID, "%s: must be a number of members from 0 to %d", name, COUNT_MAX);
    *ret_count = (unsigned)count;
    return 0;
}

static int read_metric(const char *name, const json_t *from, struct metric_names *names,
                       struct sample *sample, struct err *err)
{
    bool is_own = str_starts(name, OWN_WORD);
    enum metric_type type = is_own ? METRIC_CUSTOM : metric_type_find(name);
    const char *custom = is_own ? name + strlen(OWN_WORD) : name;
    int slot = type >= METRIC_CUSTOM ? metric_slot(names, METRIC_CUSTOM, custom, /*add=*/true) : (int)type;
    const json_t *sum = json_object_get(from, "sum");
    unsigned reporting;

    if (!json_is_number(sum) || !(json_number_value(sum) >= 0 && json_number_value(sum) <= SUM_MAX))
        return err_set(err, ERR_INVALID, "metrics.%s.sum: must be a number from 0 to %g", name, SUM_MAX);
    if (read_count(from, "members", &reporting, err) < 0)
        return err_wrap(err, "metrics.%s", name);
    if (slot >= 0)
        sample->values[slot] = (struct metric_value){ true, json_number_value(sum), reporting,
                                                      json_is_true(json_object_get(from, "whole")) };
    return 0;
}

int record_read(const char *line, size_t size, struct metric_names *names, struct sample *ret_sample,
                struct err *err)
{
    auto_json json_t *object = json_parse(line, size, err);
    struct sample sample = { 0 };
    const char *time = json_text_at(object, "time", NULL), *name;
    json_t *value;

    if (!object)
        return -1;
    if (!time)
        return err_set(err, ERR_INVALID, "time: missing: must be a time, as 2026-11-21T08:00:01Z");
    if (time_parse(time, &sample.wall_ms, err) < 0)
        return err_wrap(err, "time");
    if (read_count(object, "members", &sample.members, err) < 0 ||
        read_count(object, "ready", &sample.ready, err) < 0 ||
        read_count(object, "starting", &sample.starting, err) < 0 ||
        read_count(object, "failed", &sample.failed, err) < 0 ||
        read_count(object, "leaving", &sample.leaving, err) < 0)
        return -1;
    json_object_foreach(json_object_get(object, "metrics"), name, value)
        if (read_metric(name, value, names, &sample, err) < 0)
            return -1;
    *ret_sample = sample;
    return 0;
}
