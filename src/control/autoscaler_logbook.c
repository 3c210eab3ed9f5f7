/* control/autoscaler_logbook.c - gathered lines, one writing job at a time. */
#include "control/autoscaler_logbook.h"
#include "base/files.h"
#include "base/journal.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

enum { GATHER_MS = 5000, WAITING_BYTES_MAX = 256 * 1024, KIB = 1024, MIB = 1024 * KIB };

/* A decision takes about half a KiB, a sample a quarter: some thousand decisions, more
 * than a day of seconds, and five weeks of minutes. */
static const struct {
    const char *name;
    size_t segment_bytes_max;
    unsigned segments_max;
} parts[LOGBOOK_PART_COUNT] = {
    [LOGBOOK_DECISIONS] = { "decisions", 512 * KIB, 2 },
    [LOGBOOK_SAMPLES] = { "samples", 3 * MIB, 8 },
    [LOGBOOK_MINUTES] = { "minutes", 2 * MIB, 6 },
};

/* Lines on their way to disk. */
struct writing {
    struct logbook *logbook; /* NULL: gone */
    char *folder;
    struct buf lines[LOGBOOK_PART_COUNT];
};
struct logbook {
    struct worker_pool *workers;
    char *folder, *lane;
    struct buf lines[LOGBOOK_PART_COUNT];
    int64_t written_ms; /* wall clock; when the last writing began */
    struct writing *writing;
    struct err err;
};

static char *folder_of(const char *state_dir, const char *uid)
{
    return str_printf("%s/autoscalers/%s", state_dir, uid);
}

char *logbook_lane(const char *uid) { return str_printf("history %s", uid); }

static void writing_free(struct writing *writing)
{
    for (int i = 0; i < LOGBOOK_PART_COUNT; i++)
        buf_done(&writing->lines[i]);
    free(writing->folder);
    free(writing);
}

static struct journal journal_of(const char *path, enum logbook_part part)
{
    return (struct journal){ path, parts[part].segment_bytes_max, parts[part].segments_max };
}

static int write_part(const struct writing *writing, enum logbook_part part, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", writing->folder, parts[part].name);
    const struct journal journal = journal_of(path, part);

    return journal_append(&journal, writing->lines[part].bytes, writing->lines[part].size, err);
}

static int write_job(void *arg, struct err *err)
{
    const struct writing *writing = arg;

    if (dir_make(writing->folder, 0700, err) < 0)
        return -1;
    for (int i = 0; i < LOGBOOK_PART_COUNT; i++)
        if (write_part(writing, (enum logbook_part)i, err) < 0)
            return -1;
    return 0;
}

static void written(void *arg, const struct err *err)
{
    struct writing *writing = arg;

    if (writing->logbook) {
        writing->logbook->writing = NULL;
        writing->logbook->err = err ? *err : (struct err){ 0 };
    }
    writing_free(writing);
}

static bool has_lines(const struct logbook *logbook)
{
    for (int i = 0; i < LOGBOOK_PART_COUNT; i++)
        if (logbook->lines[i].size > 0)
            return true;
    return false;
}

static void write_now(struct logbook *logbook)
{
    struct writing *writing = mem_new(struct writing);

    writing->logbook = logbook;
    writing->folder = str_dup(logbook->folder);
    for (int i = 0; i < LOGBOOK_PART_COUNT; i++) {
        writing->lines[i] = logbook->lines[i];
        logbook->lines[i] = (struct buf){ .size_max = WAITING_BYTES_MAX };
    }
    logbook->writing = writing;
    worker_run(logbook->workers, (struct worker_job){ write_job, written, writing, logbook->lane });
}

struct logbook *logbook_new(struct worker_pool *workers, const char *state_dir, const char *uid)
{
    struct logbook *logbook = mem_new(struct logbook);

    logbook->workers = workers;
    logbook->folder = folder_of(state_dir, uid);
    logbook->lane = logbook_lane(uid);
    for (int i = 0; i < LOGBOOK_PART_COUNT; i++)
        logbook->lines[i].size_max = WAITING_BYTES_MAX;
    return logbook;
}

void logbook_free(struct logbook *logbook)
{
    if (!logbook)
        return;
    if (logbook->writing)
        logbook->writing->logbook = NULL;
    if (logbook->workers && has_lines(logbook)) {
        write_now(logbook);
        logbook->writing->logbook = NULL;
    }
    for (int i = 0; i < LOGBOOK_PART_COUNT; i++)
        buf_done(&logbook->lines[i]);
    free(logbook->folder);
    free(logbook->lane);
    free(logbook);
}

void logbook_add(struct logbook *logbook, enum logbook_part part, const char *line)
{
    struct buf *lines = &logbook->lines[part];
    size_t size = strlen(line);

    if (!logbook->workers || lines->size + size + 1 > WAITING_BYTES_MAX)
        return;
    buf_add(lines, line, size);
    buf_add_char(lines, '\n');
}

void logbook_write(struct logbook *logbook, int64_t wall_ms, bool now)
{
    bool is_due =
        now || wall_ms - logbook->written_ms >= GATHER_MS || wall_ms < logbook->written_ms;

    if (!logbook->workers || logbook->writing || !is_due || !has_lines(logbook))
        return;
    logbook->written_ms = wall_ms;
    write_now(logbook);
}

const struct err *logbook_error(const struct logbook *logbook) { return &logbook->err; }

/* --- reading --- */

/* The time stands first in every line, so that old ones are passed over without being parsed. */
static bool is_since(const char *line, size_t size, int64_t since_ms)
{
    static const char head[] = "{\"time\":\"";
    char time[TIME_TEXT_SIZE];
    int64_t wall_ms;
    struct err err;

    if (size < sizeof head - 1 + TIME_TEXT_SIZE || memcmp(line, head, sizeof head - 1) != 0)
        return false;
    memcpy(time, line + sizeof head - 1, TIME_TEXT_SIZE - 1);
    time[TIME_TEXT_SIZE - 1] = '\0';
    return time_parse(time, &wall_ms, &err) == 0 && wall_ms >= since_ms;
}

struct reading_since {
    int64_t since_ms;
    journal_line_fn *fn;
    void *arg;
};

static bool pass_on(void *arg, const char *line, size_t size)
{
    const struct reading_since *reading = arg;

    return !is_since(line, size, reading->since_ms) || reading->fn(reading->arg, line, size);
}

int logbook_read(const char *state_dir, const char *uid, enum logbook_part part, int64_t since_ms,
                 journal_line_fn *fn, void *arg, struct err *err)
{
    auto_free char *folder = folder_of(state_dir, uid),
                   *path = str_printf("%s/%s", folder, parts[part].name);
    const struct journal journal = journal_of(path, part);
    struct reading_since reading = { since_ms, fn, arg };

    return journal_read(&journal, pass_on, &reading, err);
}

struct copying {
    int fd;
    struct buf lines; /* gathered before they are written */
    bool failed;
    struct err *err;
};

static bool write_gathered(struct copying *copying)
{
    copying->failed =
        write_all(copying->fd, copying->lines.bytes, copying->lines.size, copying->err) < 0;
    buf_clear(&copying->lines);
    return !copying->failed;
}

static bool copy_line(void *arg, const char *line, size_t size)
{
    struct copying *copying = arg;

    buf_add(&copying->lines, line, size);
    buf_add_char(&copying->lines, '\n');
    return copying->lines.size < JOURNAL_LINE_MAX || write_gathered(copying);
}

int logbook_copy(const char *state_dir, const char *uid, enum logbook_part part, int64_t since_ms,
                 int fd, struct err *err)
{
    struct copying copying = { .fd = fd, .err = err };
    int result = logbook_read(state_dir, uid, part, since_ms, copy_line, &copying, err);

    if (result == 0 && !copying.failed && copying.lines.size > 0)
        (void)write_gathered(&copying); /* says so in 'failed' */
    buf_done(&copying.lines);
    return result < 0 || copying.failed ? -1 : 0;
}

int logbook_remove(const char *state_dir, const char *uid, struct err *err)
{
    auto_free char *folder = folder_of(state_dir, uid);

    return dir_remove(folder, err);
}
