/* base/journal.h - a file of lines that only grows at its end and yet never beyond a bound.
 *
 * It is kept in segments: PATH is written to; when it is full it becomes PATH.1, PATH.1 becomes
 * PATH.2, and the oldest goes. What write(2) has taken survives the end of the process; after the
 * end of the machine a last line may be torn, which the next append closes and readers skip as they
 * skip what they can't read. Nothing is synced: for what explains and can be lost, not for what was
 * promised. Blocking: for worker jobs. One writer at a time. */
#pragma once
#include "err.h"
#include <stdbool.h>
#include <stddef.h>

enum { JOURNAL_LINE_MAX = 64 * 1024 };

struct journal {
    const char *path;
    size_t segment_bytes_max; /* a segment ends before it would grow beyond this */
    unsigned segments_max;    /* 1 to 100 */
};

/* Adds whole lines, each with its end, at most 'segment_bytes_max' bytes. The folder must be there.
 */
int journal_append(const struct journal *journal, const char *lines, size_t size, struct err *err);

/* Calls 'fn' for every line without its end, oldest first, until it returns false. Lines beyond
 * JOURNAL_LINE_MAX are left out; no file is no lines. */
typedef bool journal_line_fn(void *arg, const char *line, size_t size);
int journal_read(const struct journal *journal, journal_line_fn *fn, void *arg, struct err *err);
