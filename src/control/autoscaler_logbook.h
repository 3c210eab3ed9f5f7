/* control/autoscaler_logbook.h - what is kept of one Autoscaler on disk: every decision with its
 * inputs, a sample each second and the means of each minute. In STATE/autoscalers/UID, journals of
 * JSON lines (base/journal.h, elastic/decision.h, elastic/record.h).
 *
 * Lines are gathered and written by worker jobs every few seconds, at once when something was
 * decided: killed, a daemon forgets those few seconds. */
#pragma once
#include "base/err.h"
#include "base/journal.h"
#include "base/worker.h"
#include <stdbool.h>
#include <stdint.h>

/* MINUTES are means of the samples, for what has to know weeks. */
enum logbook_part { LOGBOOK_DECISIONS, LOGBOOK_SAMPLES, LOGBOOK_MINUTES, LOGBOOK_PART_COUNT };

struct logbook;

/* 'workers' NULL: nothing is kept, and the rest does nothing. */
struct logbook *logbook_new(struct worker_pool *workers, const char *state_dir, const char *uid);
void logbook_free(struct logbook *logbook); /* what is gathered is still written */

/* Adds a line (without its end). What would exceed the bound of what may wait for a slow disk is
 * lost. */
void logbook_add(struct logbook *logbook, enum logbook_part part, const char *line);
/* Has what is gathered written soon, when it is older than a few seconds or 'now'. */
void logbook_write(struct logbook *logbook, int64_t wall_ms, bool now);
/* Why the last writing failed; empty: it did not. */
const struct err *logbook_error(const struct logbook *logbook);

/* For jobs that read: they belong into this lane, after what is being written. Owned. */
char *logbook_lane(const char *uid);
/* Blocking: the lines of 'part' whose time is 'since_ms' or later into 'fd', oldest first. */
int logbook_copy(const char *state_dir, const char *uid, enum logbook_part part, int64_t since_ms,
                 int fd, struct err *err);
/* Blocking: calls 'fn' for the same lines. */
int logbook_read(const char *state_dir, const char *uid, enum logbook_part part, int64_t since_ms,
                 journal_line_fn *fn, void *arg, struct err *err);
/* Blocking: removes all of it. */
int logbook_remove(const char *state_dir, const char *uid, struct err *err);
