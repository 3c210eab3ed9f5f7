/* base/times.c - RFC 3339 times, as strict as Go reads them. */
#include "base/quantity.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z: what four digits of a year can say. */
static const int64_t wall_ms_min = -62167219200000;
static const int64_t wall_ms_max = 253402300799999;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Reads 'count' digits and the character 'after' them (0: none). */
static bool read_field(const char **at, int count, char after, int *ret_value)
{
    *ret_value = 0;
    for (; count > 0; count--, ++*at) {
        if (!is_digit(**at))
            return false;
        *ret_value = *ret_value * 10 + (**at - '0');
    }
    if (after && *(*at)++ != after)
        return false;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && is_leap ? 29 : days[month - 1];
}

static bool read_date_and_time(const char **at, struct tm *ret_tm)
{
    int year, month;

    *ret_tm = (struct tm){ 0 };
    if (!read_field(at, 4, '-', &year) || !read_field(at, 2, '-', &month) ||
        !read_field(at, 2, 'T', &ret_tm->tm_mday) || !read_field(at, 2, ':', &ret_tm->tm_hour) ||
        !read_field(at, 2, ':', &ret_tm->tm_min) || !read_field(at, 2, 0, &ret_tm->tm_sec))
        return false;
    ret_tm->tm_year = year - 1900;
    ret_tm->tm_mon = month - 1;
    return month >= 1 && month <= 12 && ret_tm->tm_mday >= 1 &&
           ret_tm->tm_mday <= days_in_month(year, month) && ret_tm->tm_hour <= 23 &&
           ret_tm->tm_min <= 59 && ret_tm->tm_sec <= 59;
}

/* Reads ".25" as milliseconds, dropping what is finer. */
static bool read_fraction(const char **at, int *ret_ms)
{
    int place = 100;

    *ret_ms = 0;
    if (**at != '.')
        return true;
    if (!is_digit((*at)[1]))
        return false;
    for (++*at; is_digit(**at); ++*at, place /= 10)
        *ret_ms += (**at - '0') * place;
    return true;
}

/* Reads "Z" or "+01:30" to the end of the text. */
static bool read_offset(const char *at, int *ret_minutes)
{
    int hours, minutes;
    int sign = *at == '-' ? -1 : 1;

    *ret_minutes = 0;
    if (strcmp(at, "Z") == 0)
        return true;
    if (*at != '+' && *at != '-')
        return false;
    at++;
    if (!read_field(&at, 2, ':', &hours) || !read_field(&at, 2, 0, &minutes) || *at)
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return hours <= 23 && minutes <= 59;
}

int time_parse(const char *text, int64_t *ret_wall_ms, struct err *err)
{
    const char *at = text;
    struct tm tm;
    int ms, offset;

    if (!read_date_and_time(&at, &tm) || !read_fraction(&at, &ms) || !read_offset(at, &offset))
        return err_set(err, ERR_INVALID,
                       "\"%.40s\" is not a time as in RFC 3339, such as 2026-11-21T02:13:36Z",
                       text);
    *ret_wall_ms = ((int64_t)timegm(&tm) - offset * 60) * 1000 + ms;
    return 0;
}

/* Splits into calendar fields and the milliseconds of the second. */
static struct tm split(int64_t wall_ms, int *ret_ms)
{
    int64_t ms = wall_ms < wall_ms_min   ? wall_ms_min
                 : wall_ms > wall_ms_max ? wall_ms_max
                                         : wall_ms;
    int64_t rest = (ms % 1000 + 1000) % 1000;
    time_t seconds = (time_t)((ms - rest) / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    *ret_ms = (int)rest;
    return tm;
}

void time_format(int64_t wall_ms, char *to, size_t size)
{
    int ms;
    struct tm tm = split(wall_ms, &ms);

    snprintf(to, size, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void time_format_micro(int64_t wall_ms, char *to, size_t size)
{
    int ms;
    struct tm tm = split(wall_ms, &ms);

    snprintf(to, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03d000Z", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ms);
}
