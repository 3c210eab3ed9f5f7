/* base/duration.c - durations as Go writes them. */
#include "base/quantity.h"
#include <stdio.h>
#include <string.h>

enum { MS = 1, SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static const struct unit {
    char text[3];
    int64_t ms;
} units[] = { { "ms", MS }, { "h", HOUR }, { "m", MINUTE }, { "s", SECOND } };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static int set_invalid(const char *text, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "\"%.40s\" is not a duration: numbers with the units h, m, s or ms, as in 30s "
                   "or 1h30m",
                   text);
}

static int set_too_long(const char *text, struct err *err)
{
    return err_set(err, ERR_INVALID, "duration \"%.40s\" is too long", text);
}

/* The unit at '*at', or NULL. "ms" stands before "m" in the table. */
static const struct unit *read_unit(const char **at)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t length = strlen(units[i].text);

        if (strncmp(*at, units[i].text, length) == 0) {
            *at += length;
            return &units[i];
        }
    }
    return NULL;
}

/* Reads ".25" as billionths; digits after the ninth are less than any millisecond counts. */
static int64_t read_fraction(const char **at, int *digit_count)
{
    int64_t billionths = 0;
    int64_t place = 100000000;

    if (**at != '.')
        return 0;
    for (++*at; is_digit(**at); ++*at, ++*digit_count) {
        billionths += (**at - '0') * place;
        place /= 10;
    }
    return billionths;
}

/* Reads one "1.5h" at '*at' and adds it to '*sum'. */
static int add_part(const char **at, int64_t *sum, const char *text, struct err *err)
{
    int digit_count = 0;
    int64_t whole = 0;
    int64_t part;
    bool overflows = false;

    for (; is_digit(**at); ++*at, digit_count++)
        overflows |= __builtin_mul_overflow(whole, 10, &whole) ||
                     __builtin_add_overflow(whole, **at - '0', &whole);
    int64_t billionths = read_fraction(at, &digit_count);
    const struct unit *unit = read_unit(at);
    if (!unit || !digit_count)
        return set_invalid(text, err);
    overflows |=
        __builtin_mul_overflow(whole, unit->ms, &part) || __builtin_add_overflow(*sum, part, sum) ||
        __builtin_add_overflow(*sum, (billionths * unit->ms + 999999999) / 1000000000, sum);
    return overflows ? set_too_long(text, err) : 0;
}

int duration_parse(const char *text, int64_t *ret_ms, struct err *err)
{
    const char *at = text;
    int64_t sum = 0;

    if (strcmp(text, "0") == 0) {
        *ret_ms = 0;
        return 0;
    }
    if (!*text)
        return set_invalid(text, err);
    while (*at)
        if (add_part(&at, &sum, text, err) < 0)
            return -1;
    *ret_ms = sum;
    return 0;
}

void duration_format(int64_t ms, char *to, size_t size)
{
    const char *sign = ms < 0 ? "-" : "";
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    unsigned long long hours = left / HOUR;
    unsigned minutes = (unsigned)(left % HOUR / MINUTE);
    unsigned seconds = (unsigned)(left % MINUTE / SECOND);
    unsigned rest = (unsigned)(left % SECOND);
    char hours_text[24] = "";
    char minutes_text[8] = "";
    char seconds_text[12] = "";

    if (hours)
        snprintf(hours_text, sizeof hours_text, "%lluh", hours);
    if (minutes)
        snprintf(minutes_text, sizeof minutes_text, "%um", minutes);
    if (rest && left < SECOND)
        snprintf(seconds_text, sizeof seconds_text, "%ums", rest);
    else if (rest)
        snprintf(seconds_text, sizeof seconds_text, "%u.%03us", seconds, rest);
    else if (seconds || left < SECOND)
        snprintf(seconds_text, sizeof seconds_text, "%us", seconds);
    snprintf(to, size, "%s%s%s%s", sign, hours_text, minutes_text, seconds_text);
}

/* Two units, the second left out when it is zero: "3m20s", "4h". */
static void format_two(int64_t large, char large_unit, int64_t small, char small_unit, char *to,
                       size_t size)
{
    if (small)
        snprintf(to, size, "%lld%c%lld%c", (long long)large, large_unit, (long long)small,
                 small_unit);
    else
        snprintf(to, size, "%lld%c", (long long)large, large_unit);
}

/* The steps of k8s.io/apimachinery duration.HumanDuration. */
void duration_format_age(int64_t ms, char *to, size_t size)
{
    int64_t seconds = ms / SECOND;
    int64_t minutes = ms / MINUTE;
    int64_t hours = ms / HOUR;
    int64_t days = hours / 24;

    if (seconds < -1)
        snprintf(to, size, "<invalid>");
    else if (seconds < 120)
        format_two(seconds < 0 ? 0 : seconds, 's', 0, 's', to, size);
    else if (minutes < 10)
        format_two(minutes, 'm', seconds % 60, 's', to, size);
    else if (hours < 3)
        format_two(minutes, 'm', 0, 's', to, size);
    else if (hours < 8)
        format_two(hours, 'h', minutes % 60, 'm', to, size);
    else if (hours < 48)
        format_two(hours, 'h', 0, 'm', to, size);
    else if (days < 8)
        format_two(days, 'd', hours % 24, 'h', to, size);
    else if (days < 2 * 365)
        format_two(days, 'd', 0, 'h', to, size);
    else if (days < 8 * 365)
        format_two(days / 365, 'y', days % 365, 'd', to, size);
    else
        format_two(days / 365, 'y', 0, 'd', to, size);
}
