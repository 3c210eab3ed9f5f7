/* elastic/calendar.h - schedules as cron writes them, in a time zone of their own. Pure but for
 * the zone files that are read (package tzdata).
 *
 *   minute hour day-of-month month day-of-week     0-59 0-23 1-31 1-12 0-7 (0 and 7: Sunday)
 *
 * with "*", lists "1,15", ranges "1-5", steps "0-59/10", names "jan" and "mon", and @hourly, @daily,
 * @midnight, @weekly, @monthly, @yearly, @annually: what Kubernetes' CronJob takes. As in cron, a
 * day matches when either day field does, if both are restricted. In the hour that summer time skips
 * a schedule does not fire. In the one that comes twice it fires the first time only; one whose minute or
 * hour begins with "*" goes by the time that passes and fires in both (crontab(5) of Vixie's cron). */
#pragma once
#include "base/auto.h"
#include "base/err.h"
#include <stdint.h>

struct calendar;

/* 'zone' is a name of the tz database ("Europe/Berlin"); NULL and "" are UTC. NULL and ERR_INVALID
 * that says what is wrong: the text, an unknown zone, or that it never fires ("0 0 31 2 *"). */
struct calendar *calendar_new(const char *text, const char *zone, struct err *err);
void calendar_free(struct calendar *calendar); /* NULL is fine */
DEFINE_AUTO(struct calendar, calendar_free)

/* The first firing after 'wall_ms' (milliseconds since 1970). */
int64_t calendar_next(const struct calendar *calendar, int64_t wall_ms);
/* The last firing at or before 'wall_ms' and not more than 'within_ms' before it; -1: none. */
int64_t calendar_last(const struct calendar *calendar, int64_t wall_ms, int64_t within_ms);
