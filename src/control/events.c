/* control/events.c - core/v1 Events: what happened, counted up, bounded, forgotten after an hour. */
#include "control/internal.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/random.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

enum {
    KEPT_MS = 3600 * 1000,
    SWEEP_MS = 5 * 60 * 1000,
    BURST = 25,                 /* events of one type about one object at once, as in client-go */
    REFILL_MS = 300 * 1000 / 10, /* one more each half minute */
    SERIES_MAX = 4096,
};

/* The same thing happening again to the same object. */
struct series {
    char *name, *namespace_name; /* of the Event object */
    unsigned count;
    int64_t last_ms;
};
struct bucket {
    double tokens;
    int64_t filled_ms;
};
struct recorder {
    struct control *control;
    struct map *series;  /* "uid/reason/message" to struct series */
    struct map *buckets; /* "uid/type" to struct bucket */
    struct loop_source *sweeper;
};

static void series_free(void *pointer)
{
    struct series *series = pointer;

    free(series->name);
    free(series->namespace_name);
    free(series);
}

/* Much that goes well does not keep what goes wrong from being told. */
static bool take_token(struct recorder *recorder, const char *uid, const char *type)
{
    auto_free char *id = str_printf("%s/%s", uid, type);
    struct bucket *bucket = map_get(recorder->buckets, id);
    int64_t now_ms = loop_now_ms(recorder->control->setup.loop);

    if (!bucket) {
        bucket = mem_new(struct bucket);
        *bucket = (struct bucket){ BURST, now_ms };
        map_set(recorder->buckets, id, bucket);
    }
    bucket->tokens += (double)(now_ms - bucket->filled_ms) / REFILL_MS;
    bucket->filled_ms = now_ms;
    if (bucket->tokens > BURST)
        bucket->tokens = BURST;
    if (bucket->tokens < 1)
        return false;
    bucket->tokens -= 1;
    return true;
}

static void ignore(void *arg, const struct err *err) {}

/* Events are told as well as possible: one that can't be stored is not worth failing for. */
static const struct done nobody = { ignore, NULL };

static json_t *reference(const struct kind *kind, const json_t *object)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s}", "kind", kind->name, "namespace",
                     object_namespace(object), "name", object_name(object), "uid",
                     object_uid(object), "apiVersion", kind_api_version(kind));
}

static json_t *new_event(struct recorder *recorder, const struct kind *kind, const json_t *object,
                         const struct series *series, const char *type, const char *reason,
                         const char *message)
{
    const char *host = recorder->control->host_name;
    char now[32];

    time_format(control_wall_ms(recorder->control), now, sizeof now);
    return json_pack("{s:{s:s,s:s},s:o,s:s,s:o,s:s,s:i,s:s,s:s,s:n,s:{s:s,s:s},s:s,s:s}", "metadata",
                     "name", series->name, "namespace", series->namespace_name, "involvedObject",
                     reference(kind, object), "reason", reason, "message",
                     json_string_plain(message), "type", type,
                     "count", 1, "firstTimestamp", now, "lastTimestamp", now, "eventTime", "source",
                     "component", "virgad", "host", host, "reportingComponent", "virgad",
                     "reportingInstance", host);
}

static void count_up(struct recorder *recorder, struct series *series)
{
    struct control *control = recorder->control;
    auto_json json_t *event = control_find(control, &kind_event, series->namespace_name, series->name);
    char now[32];

    if (!event)
        return;
    time_format(control_wall_ms(control), now, sizeof now);
    json_object_set_new(event, "count", json_integer(++series->count));
    json_object_set_new(event, "lastTimestamp", json_string(now));
    control_update(control, &kind_event, json_incref(event), nobody);
}

static struct series *begin_series(struct recorder *recorder, const char *id, const json_t *object)
{
    struct series *series = mem_new(struct series);
    const char *namespace_name = object_namespace(object);
    char suffix[17];

    random_suffix(suffix, sizeof suffix - 1);
    series->name = str_printf("%s.%s", object_name(object), suffix);
    series->namespace_name = str_dup(namespace_name[0] ? namespace_name : "default");
    series->count = 1;
    if (map_count(recorder->series) >= SERIES_MAX) {
        const char *oldest;
        size_t at = 0;
        if (map_next(recorder->series, &at, &oldest, NULL))
            map_remove(recorder->series, oldest);
    }
    map_set(recorder->series, id, series);
    return series;
}

void recorder_record(struct recorder *recorder, const struct kind *kind, const json_t *object,
                     const char *type, const char *reason, const char *message)
{
    auto_free char *id = str_printf("%s/%s/%s", object_uid(object), reason, message);
    struct series *series = map_get(recorder->series, id);

    if (!take_token(recorder, object_uid(object), type))
        return;
    if (series) {
        count_up(recorder, series);
    } else {
        series = begin_series(recorder, id, object);
        control_create(recorder->control, &kind_event,
                       new_event(recorder, kind, object, series, type, reason, message), nobody);
    }
    series->last_ms = control_wall_ms(recorder->control);
}

/* --- expiry --- */

static void expire_event(void *arg, const json_t *event)
{
    struct control *control = arg;
    int64_t last_ms = view_time_ms(&kind_event, event, "lastTimestamp");

    if (!last_ms)
        last_ms = view_time_ms(&kind_event, event, "metadata.creationTimestamp");
    if (control_wall_ms(control) - last_ms > KEPT_MS)
        control_delete(control, &kind_event, object_namespace(event), object_name(event), nobody);
}

static void forget_quiet(struct recorder *recorder)
{
    const char *id;
    void *value;

    for (size_t at = 0; map_next(recorder->series, &at, &id, &value);)
        if (control_wall_ms(recorder->control) - ((struct series *)value)->last_ms > KEPT_MS / 2)
            map_remove(recorder->series, id);
    for (size_t at = 0; map_next(recorder->buckets, &at, &id, &value);)
        if (loop_now_ms(recorder->control->setup.loop) - ((struct bucket *)value)->filled_ms > KEPT_MS)
            map_remove(recorder->buckets, id);
}

static void sweep(void *arg)
{
    struct recorder *recorder = arg;

    control_each(recorder->control, &kind_event, NULL, expire_event, recorder->control);
    forget_quiet(recorder);
    loop_timer_again(recorder->sweeper, SWEEP_MS);
}

struct recorder *recorder_new(struct control *control)
{
    struct recorder *recorder = mem_new(struct recorder);

    *recorder = (struct recorder){ control, map_new(series_free), map_new(free), NULL };
    recorder->sweeper = loop_timer(control->setup.loop, SWEEP_MS, sweep, recorder);
    return recorder;
}

void recorder_free(struct recorder *recorder)
{
    if (!recorder)
        return;
    loop_source_free(recorder->sweeper);
    map_free(recorder->series);
    map_free(recorder->buckets);
    free(recorder);
}
