/* elastic/calendar.c - from cron's five fields to points in time. */
#include "elastic/calendar.h"
#include "base/mem.h"
#include "base/str.h"
#include <glib.h>
#include <string.h>
#include <strings.h>

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };
/* 29 February on a given weekday comes again after at most 40 years (over a century without one). */
enum { SEARCH_DAYS = 41 * 366, MINUTE_MS = 60 * 1000, DAY_MINUTES = 24 * 60 };
/* More than any zone shifts its clock by at a time. */
#define SHIFT_MS_MAX (3LL * 60 * MINUTE_MS)

struct calendar {
    uint64_t set[FIELD_COUNT]; /* bit n: value n matches */
    bool any_day, any_weekday; /* the field is "*": it does not restrict */
    bool is_repeated;          /* minute or hour begin with "*": also in an hour that comes again */
    GTimeZone *zone;
};

static const struct cron_field {
    const char *name;
    int min, max;
    const char *const *words; /* of min, min + 1, ... */
} cron_fields[FIELD_COUNT] = {
    [MINUTE] = { "minute", 0, 59, NULL },
    [HOUR] = { "hour", 0, 23, NULL },
    [DAY] = { "day of month", 1, 31, NULL },
    [MONTH] = { "month", 1, 12,
                (const char *const[]){ "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep",
                                       "oct", "nov", "dec", NULL } },
    [WEEKDAY] = { "day of week", 0, 7,
                  (const char *const[]){ "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL } },
};

static const struct {
    const char *word, *text;
} nicknames[] = {
    { "@hourly", "0 * * * *" },  { "@daily", "0 0 * * *" },  { "@midnight", "0 0 * * *" },
    { "@weekly", "0 0 * * 0" },  { "@monthly", "0 0 1 * *" }, { "@yearly", "0 0 1 1 *" },
    { "@annually", "0 0 1 1 *" },
};

/* Reads a number or a word at '*at' and moves on. */
static int read_value(const struct cron_field *field, const char **at, int *ret_value)
{
    int value = 0, digits = 0;

    for (int i = 0; field->words && field->words[i]; i++) {
        if (strncasecmp(*at, field->words[i], 3) != 0)
            continue;
        *at += 3;
        *ret_value = field->min + i;
        return 0;
    }
    for (; **at >= '0' && **at <= '9' && digits < 4; digits++)
        value = value * 10 + *(*at)++ - '0';
    *ret_value = value;
    return digits > 0 && digits < 4 ? 0 : -1;
}

/* One part between commas: "*", "5", "1-5", each with "/step" behind. */
static int read_part(const struct cron_field *field, const char **at, uint64_t *set)
{
    int first = field->min, last = field->max, step = 1;
    bool is_one = false;

    if (**at == '*') {
        (*at)++;
    } else {
        if (read_value(field, at, &first) < 0)
            return -1;
        last = first;
        is_one = true;
        if (**at == '-') {
            (*at)++;
            is_one = false;
            if (read_value(field, at, &last) < 0)
                return -1;
        }
    }
    if (**at == '/') {
        (*at)++;
        if (**at < '0' || **at > '9' || read_value(field, at, &step) < 0 || step == 0)
            return -1;
        if (is_one)
            last = field->max;
    }
    if (first < field->min || last > field->max || first > last)
        return -1;
    for (int value = first; value <= last; value += step)
        *set |= 1ULL << value;
    return 0;
}

static int read_field(const struct cron_field *field, const char *text, uint64_t *ret_set,
                      struct err *err)
{
    const char *at = text;
    uint64_t set = 0;

    for (;;) {
        if (read_part(field, &at, &set) < 0 || (*at && *at != ','))
            return err_set(err, ERR_INVALID, "\"%s\" is no %s: must be of %d to %d, as in *, %d, %d-%d or */%d",
                           text, field->name, field->min, field->max, field->min, field->min,
                           field->max, 2);
        if (!*at)
            break;
        at++;
    }
    *ret_set = set;
    return 0;
}

static int read_fields(struct calendar *calendar, const char *text, struct err *err)
{
    char copy[256], *rest = copy, *word;
    int count = 0;

    for (size_t i = 0; i < sizeof nicknames / sizeof nicknames[0]; i++)
        if (str_equal(text, nicknames[i].word))
            text = nicknames[i].text;
    if (strlen(text) >= sizeof copy)
        return err_set(err, ERR_INVALID, "longer than %zu characters", sizeof copy - 1);
    memcpy(copy, text, strlen(text) + 1);
    while ((word = strsep(&rest, " \t"))) {
        if (!*word)
            continue;
        if (count == FIELD_COUNT)
            return err_set(err, ERR_INVALID, "more than five fields: must be minute, hour, day of month, month, day of week");
        if (read_field(&cron_fields[count], word, &calendar->set[count], err) < 0)
            return -1;
        if (count == MINUTE || count == HOUR)
            calendar->is_repeated |= *word == '*';
        if (count == DAY)
            calendar->any_day = *word == '*';
        if (count == WEEKDAY)
            calendar->any_weekday = *word == '*';
        count++;
    }
    if (count < FIELD_COUNT)
        return err_set(err, ERR_INVALID, "%d field%s: must be five: minute, hour, day of month, month, day of week",
                       count, count == 1 ? "" : "s");
    if (calendar->set[WEEKDAY] & 1 << 7)
        calendar->set[WEEKDAY] |= 1; /* 7 is Sunday too */
    return 0;
}

struct calendar *calendar_new(const char *text, const char *zone, struct err *err)
{
    auto_clean(calendar_free_auto) struct calendar *calendar = mem_zero(sizeof *calendar);

    if (read_fields(calendar, text, err) < 0)
        return NULL;
    /* A path out of the database would be read as a file. */
    if (zone && (zone[0] == '/' || strstr(zone, "..")))
        calendar->zone = NULL;
    else
        calendar->zone = g_time_zone_new_identifier(zone && zone[0] ? zone : "UTC");
    if (!calendar->zone) {
        (void)err_set(err, ERR_INVALID, "unknown time zone \"%s\": must be a name of the tz database, as \"Europe/Berlin\" or \"UTC\"",
                zone ? zone : "UTC");
        return NULL;
    }
    if (calendar_next(calendar, 0) < 0) {
        (void)err_set(err, ERR_INVALID, "\"%s\" never fires: no such day exists", text);
        return NULL;
    }
    return take_pointer(calendar);
}

void calendar_free(struct calendar *calendar)
{
    if (!calendar)
        return;
    if (calendar->zone)
        g_time_zone_unref(calendar->zone);
    free(calendar);
}

static bool has(const struct calendar *calendar, int field, int value)
{
    return calendar->set[field] >> value & 1;
}

static bool day_matches(const struct calendar *calendar, GDateTime *day)
{
    bool of_month = has(calendar, DAY, g_date_time_get_day_of_month(day));
    bool of_week = has(calendar, WEEKDAY, g_date_time_get_day_of_week(day) % 7);

    if (!has(calendar, MONTH, g_date_time_get_month(day)))
        return false;
    return calendar->any_day || calendar->any_weekday ? of_month && of_week : of_month || of_week;
}

/* The time of a local minute, one of two where it comes twice; -1 when the clock skips it. */
static int64_t minute_ms(const struct calendar *calendar, GDateTime *day, int hour, int minute)
{
    GDateTime *then = g_date_time_new(calendar->zone, g_date_time_get_year(day), g_date_time_get_month(day),
                                      g_date_time_get_day_of_month(day), hour, minute, 0);
    int64_t wall_ms = -1;

    if (!then)
        return -1;
    if (g_date_time_get_hour(then) == hour && g_date_time_get_minute(then) == minute)
        wall_ms = g_date_time_to_unix(then) * 1000;
    g_date_time_unref(then);
    return wall_ms;
}

/* The local clock at 'wall_ms'; owned. */
static GDateTime *local_at(const struct calendar *calendar, int64_t wall_ms)
{
    GDateTime *utc = g_date_time_new_from_unix_utc(wall_ms / 1000);
    GDateTime *local = utc ? g_date_time_to_timezone(utc, calendar->zone) : NULL;

    if (utc)
        g_date_time_unref(utc);
    return local;
}

static int64_t offset_ms_at(const struct calendar *calendar, int64_t wall_ms)
{
    GDateTime *local = local_at(calendar, wall_ms);
    int64_t offset_ms = local ? g_date_time_get_utc_offset(local) / 1000 : 0;

    if (local)
        g_date_time_unref(local);
    return offset_ms;
}

/* By how much the clock is put back in the day around that noon; 0 on all but one day a year. */
static int64_t put_back_ms(const struct calendar *calendar, int64_t noon_ms)
{
    const int64_t half_ms = (int64_t)DAY_MINUTES / 2 * MINUTE_MS;
    int64_t by_ms = offset_ms_at(calendar, noon_ms - half_ms) - offset_ms_at(calendar, noon_ms + half_ms);

    return by_ms > 0 ? by_ms : 0;
}

static bool is_same_minute(const struct calendar *calendar, int64_t a_ms, int64_t b_ms)
{
    return a_ms + offset_ms_at(calendar, a_ms) == b_ms + offset_ms_at(calendar, b_ms);
}

/* The times that a local minute has, of which 'one_ms' is one: two where the clock is put back over it. */
static void find_twins(const struct calendar *calendar, int64_t one_ms, int64_t put_back_ms, int64_t ret_twins[2])
{
    ret_twins[0] = one_ms;
    ret_twins[1] = -1;
    if (one_ms < 0 || put_back_ms == 0)
        return;
    if (is_same_minute(calendar, one_ms, one_ms - put_back_ms)) {
        ret_twins[0] = one_ms - put_back_ms;
        ret_twins[1] = one_ms;
    } else if (is_same_minute(calendar, one_ms, one_ms + put_back_ms)) {
        ret_twins[1] = one_ms + put_back_ms;
    }
}

/* The first (or last) firing of one local day that lies in first..last; -1: none. */
static int64_t in_day(const struct calendar *calendar, GDateTime *day, int64_t first_ms, int64_t last_ms,
                      bool latest)
{
    int64_t noon_ms = g_date_time_to_unix(day) * 1000, back_ms = put_back_ms(calendar, noon_ms), best_ms = -1;

    /* Times come in their order, but for the day on which an hour comes again. */
    for (int i = 0; i < DAY_MINUTES && (best_ms < 0 || back_ms); i++) {
        int minute_of_day = latest ? DAY_MINUTES - 1 - i : i;
        int hour = minute_of_day / 60, minute = minute_of_day % 60;
        int64_t wall_ms, twins[2];

        if (!has(calendar, HOUR, hour) || !has(calendar, MINUTE, minute))
            continue;
        /* Far from what is asked for: no need to ask the zone. */
        wall_ms = noon_ms + (int64_t)(minute_of_day - DAY_MINUTES / 2) * MINUTE_MS;
        if (wall_ms < first_ms - SHIFT_MS_MAX || wall_ms - SHIFT_MS_MAX > last_ms)
            continue;
        find_twins(calendar, minute_ms(calendar, day, hour, minute), back_ms, twins);
        for (int twin = 0; twin < (calendar->is_repeated ? 2 : 1); twin++)
            if (twins[twin] >= first_ms && twins[twin] <= last_ms && twins[twin] >= 0 &&
                (best_ms < 0 || (latest ? twins[twin] > best_ms : twins[twin] < best_ms)))
                best_ms = twins[twin];
    }
    return best_ms;
}

/* Local noon of the day of 'wall_ms': a time that every day has once. */
static GDateTime *noon_of(const struct calendar *calendar, int64_t wall_ms)
{
    GDateTime *local = local_at(calendar, wall_ms), *noon = NULL;

    if (local) {
        noon = g_date_time_new(calendar->zone, g_date_time_get_year(local), g_date_time_get_month(local),
                               g_date_time_get_day_of_month(local), 12, 0, 0);
        g_date_time_unref(local);
    }
    return noon;
}

static int64_t search(const struct calendar *calendar, int64_t from_ms, int64_t first_ms, int64_t last_ms,
                      int direction, int days)
{
    GDateTime *day = noon_of(calendar, from_ms);
    int64_t found = -1;

    for (int i = 0; day && i <= days && found < 0; i++) {
        GDateTime *next;

        if (day_matches(calendar, day))
            found = in_day(calendar, day, first_ms, last_ms, direction < 0);
        next = g_date_time_add_days(day, direction);
        g_date_time_unref(day);
        day = next;
    }
    if (day)
        g_date_time_unref(day);
    return found;
}

int64_t calendar_next(const struct calendar *calendar, int64_t wall_ms)
{
    return search(calendar, wall_ms, wall_ms + 1, INT64_MAX, 1, SEARCH_DAYS);
}

int64_t calendar_last(const struct calendar *calendar, int64_t wall_ms, int64_t within_ms)
{
    return search(calendar, wall_ms, wall_ms - within_ms, wall_ms, -1,
                  (int)(within_ms / ((int64_t)DAY_MINUTES * MINUTE_MS)) + 1);
}
