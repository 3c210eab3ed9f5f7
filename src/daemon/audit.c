/* daemon/audit.c - the chained audit log. */
#include "daemon/audit.h"
#include "base/fault.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIGEST_SIZE = 32, HEX_SIZE = 2 * DIGEST_SIZE + 1, LINE_SIZE_MAX = 1024 * 1024 };

/* What follows the digested text of a line: ,"hash":"64 digits"} and the end of the line. */
#define HASH_BEGIN ",\"hash\":\""
#define HASH_END "\"}\n"
enum {
    HASH_BEGIN_SIZE = sizeof HASH_BEGIN - 1,
    HASH_END_SIZE = sizeof HASH_END - 1,
    TAIL_SIZE = HASH_BEGIN_SIZE + HEX_SIZE - 1 + HASH_END_SIZE
};

struct audit {
    int fd;
    char *path;
    size_t size, size_max;
    uint64_t lost; /* entries that could not be written */
    char previous[HEX_SIZE];
};

static void digest(const char *text, size_t size, char hex[HEX_SIZE])
{
    unsigned char bytes[DIGEST_SIZE];

    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text, size, bytes) < 0)
        abort();
    for (int i = 0; i < DIGEST_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

static void forget_previous(char previous[HEX_SIZE])
{
    memset(previous, '0', HEX_SIZE - 1);
    previous[HEX_SIZE - 1] = '\0';
}

/* "STATE/audit/audit.log", or an older one. */
static char *log_path(const char *state_dir, unsigned age)
{
    return age ? str_printf("%s/audit/audit.log.%u", state_dir, age)
               : str_printf("%s/audit/audit.log", state_dir);
}

/* The hash that a whole line carries, when it is right. */
static bool read_hash(const char *line, size_t size, char ret_hex[HEX_SIZE])
{
    const char *tail = line + size - TAIL_SIZE;

    if (size <= TAIL_SIZE || memcmp(tail, HASH_BEGIN, HASH_BEGIN_SIZE) != 0 ||
        memcmp(line + size - HASH_END_SIZE, HASH_END, HASH_END_SIZE) != 0)
        return false;
    digest(line, size - TAIL_SIZE, ret_hex);
    return memcmp(tail + HASH_BEGIN_SIZE, ret_hex, HEX_SIZE - 1) == 0;
}

/* --- opening --- */

/* The last bytes of the file: at least its last whole line. */
static int read_end(int fd, struct buf *ret_end, struct err *err)
{
    off_t size = lseek(fd, 0, SEEK_END);
    size_t count = size > LINE_SIZE_MAX ? LINE_SIZE_MAX : size > 0 ? (size_t)size : 0;

    if (size < 0)
        return err_errno(err, "audit log");
    if (!count)
        return 0;
    auto_free char *bytes = malloc(count);
    if (!bytes)
        abort();
    if (pread(fd, bytes, count, size - (off_t)count) != (ssize_t)count)
        return err_errno(err, "read audit log");
    buf_add(ret_end, bytes, count);
    return 0;
}

/* Bytes after the last end of a line. */
static size_t torn_size(const struct buf *end)
{
    const char *last = end->size ? memrchr(end->bytes, '\n', end->size) : NULL;

    return last ? end->size - (size_t)(last - end->bytes) - 1 : end->size;
}

/* The hash to go on from, out of the last whole line; a line that was tampered with is found
 * by audit_verify(), and the next one begins anew. */
static void take_previous(struct audit *audit, const struct buf *end, size_t torn)
{
    size_t size = end->size - torn;
    const char *before = size > 1 ? memrchr(end->bytes, '\n', size - 1) : NULL;
    size_t begin = before ? (size_t)(before - end->bytes) + 1 : 0;

    if (size > begin && !read_hash(end->bytes + begin, size - begin, audit->previous)) {
        log_warning("audit: the last line of %s is not as it was written", audit->path);
        forget_previous(audit->previous);
    }
}

static void say_torn(struct audit *audit, size_t torn)
{
    auto_json json_t *entry = json_pack("{s:s,s:I}", "verb", "recover", "tornBytes", (json_int_t)torn);

    log_warning("audit: %s: its last line is torn: %zu bytes are taken away", audit->path, torn);
    audit_write(audit, entry);
}

/* Reads where the log stands. */
static int resume(struct audit *audit, struct err *err)
{
    auto_buf struct buf end = { 0 };
    size_t torn;
    off_t size;

    if (read_end(audit->fd, &end, err) < 0)
        return -1;
    torn = torn_size(&end);
    take_previous(audit, &end, torn);
    size = lseek(audit->fd, 0, SEEK_END) - (off_t)torn;
    audit->size = (size_t)size;
    if (!torn)
        return 0;
    if (ftruncate(audit->fd, size) < 0)
        return err_errno(err, "truncate %s", audit->path);
    say_torn(audit, torn);
    return 0;
}

static int open_log(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    return fd < 0 ? err_errno(err, "open %s", path) : fd;
}

/* After a rotation the last line is in the file before. */
static void take_previous_file(struct audit *audit, const char *state_dir)
{
    auto_free char *path = log_path(state_dir, 1);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    auto_buf struct buf end = { 0 };
    struct err err;

    if (fd >= 0 && read_end(fd, &end, &err) == 0)
        take_previous(audit, &end, torn_size(&end));
}

struct audit *audit_open(const char *state_dir, struct err *err)
{
    auto_free char *folder = str_printf("%s/audit", state_dir);
    struct audit *audit;

    if (dir_make(folder, 0700, err) < 0)
        return NULL;
    audit = mem_new(struct audit);
    *audit = (struct audit){ .path = log_path(state_dir, 0), .size_max = AUDIT_FILE_SIZE_MAX };
    forget_previous(audit->previous);
    audit->fd = open_log(audit->path, err);
    take_previous_file(audit, state_dir);
    if (audit->fd >= 0 && resume(audit, err) == 0)
        return audit;
    audit_close(audit);
    return NULL;
}

void audit_limit(struct audit *audit, size_t size_max) { audit->size_max = size_max; }

void audit_close(struct audit *audit)
{
    if (!audit)
        return;
    if (audit->fd >= 0)
        close(audit->fd);
    free(audit->path);
    free(audit);
}

/* --- writing --- */

/* Each to the next older name, the oldest over what was there. A crash in between leaves a gap in
 * the names, which nobody minds. */
static void rotate(struct audit *audit)
{
    struct err err;
    int fd;

    for (unsigned age = AUDIT_FILES_KEPT - 1; age > 0; age--) {
        auto_free char *from = age > 1 ? str_printf("%s.%u", audit->path, age - 1) : str_dup(audit->path);
        auto_free char *to = str_printf("%s.%u", audit->path, age);

        fault_point("audit.rotate");
        if (rename(from, to) < 0 && errno != ENOENT)
            log_warning("audit: %s could not be renamed: %s", from, strerror(errno));
    }
    fd = open_log(audit->path, &err);
    if (fd < 0) { /* it goes on in the renamed file, and rotates again later */
        log_warning("audit: %s", err.text);
        return;
    }
    close(audit->fd);
    audit->fd = fd;
    audit->size = 0;
}

/* The line of 'entry', with its hash. */
static void make_line(const struct audit *audit, const json_t *entry, struct buf *line,
                      char ret_hash[HEX_SIZE])
{
    auto_json json_t *chained = json_copy((json_t *)entry);

    json_object_del(chained, "hash");
    json_object_del(chained, "previous"); /* so that it comes last */
    if (audit->lost)
        json_object_set_new(chained, "lostBefore", json_integer((json_int_t)audit->lost));
    json_object_set_new(chained, "previous", json_string(audit->previous));
    json_write(chained, line);
    line->bytes[--line->size] = '\0'; /* the closing brace */
    digest(line->bytes, line->size, ret_hash);
    buf_printf(line, "%s%s%s", HASH_BEGIN, ret_hash, HASH_END);
}

/* All or nothing: half a line would spoil the next one too. */
static int append(struct audit *audit, const struct buf *line, struct err *err)
{
    ssize_t written;

    if (fault_fails("audit.write", err) < 0)
        return -1;
    written = write(audit->fd, line->bytes, line->size);
    if (written == (ssize_t)line->size)
        return 0;
    if (written < 0)
        return err_errno(err, "write %s", audit->path);
    (void)err_set(err, ERR_NO_SPACE, "%s: the disk is full", audit->path);
    if (ftruncate(audit->fd, (off_t)audit->size) < 0)
        log_warning("audit: %s has a torn line", audit->path);
    return -1;
}

void audit_write(struct audit *audit, const json_t *entry)
{
    auto_buf struct buf line = { 0 };
    char hash[HEX_SIZE];
    struct err err;

    if (audit->size >= audit->size_max)
        rotate(audit);
    make_line(audit, entry, &line, hash);
    if (append(audit, &line, &err) < 0) {
        if (audit->lost++ == 0)
            log_error("audit: entries are lost: %s", err.text);
        return;
    }
    audit->size += line.size;
    audit->lost = 0;
    memcpy(audit->previous, hash, HEX_SIZE);
}

/* --- verifying --- */

struct chain {
    char previous[HEX_SIZE];
    bool began; /* a first line was read: 'previous' binds the next */
    int64_t lines;
};

static int verify_line(struct chain *chain, const char *path, unsigned number, const char *line,
                       size_t size, struct err *err)
{
    char hash[HEX_SIZE];

    if (!read_hash(line, size, hash))
        return err_set(err, ERR_CONFLICT, "%s line %u is not as it was written", path, number);

    /* The text is ours, as its hash says: it can be read. */
    auto_json json_t *entry = json_parse(line, size - 1, err);
    if (!entry)
        return err_wrap(err, "%s line %u", path, number);
    if (chain->began && strcmp(json_text_at(entry, "previous", ""), chain->previous) != 0)
        return err_set(err, ERR_CONFLICT, "%s line %u does not follow the line before it", path,
                       number);
    memcpy(chain->previous, hash, HEX_SIZE);
    chain->began = true;
    chain->lines++;
    return 0;
}

static int verify_file(struct chain *chain, const char *path, struct err *err)
{
    FILE *file = fopen(path, "re");
    auto_free char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    unsigned number = 0;
    int result = 0;

    if (!file)
        return errno == ENOENT ? 0 : err_errno(err, "open %s", path);
    while (result == 0 && (length = getline(&line, &capacity, file)) > 0)
        result = verify_line(chain, path, ++number, line, (size_t)length, err);
    fclose(file);
    return result;
}

char *audit_path(const char *state_dir) { return log_path(state_dir, 0); }

int audit_verify(const char *state_dir, struct audit_summary *ret_summary, struct err *err)
{
    auto_free char *oldest = log_path(state_dir, AUDIT_FILES_KEPT - 1);
    struct chain chain = { .began = access(oldest, F_OK) < 0 };

    /* Only when nothing can have been rotated away is the first line known to be the first. */
    forget_previous(chain.previous);
    for (unsigned age = AUDIT_FILES_KEPT; age-- > 0;) {
        auto_free char *path = log_path(state_dir, age);
        if (verify_file(&chain, path, err) < 0)
            return -1;
    }
    if (ret_summary) {
        ret_summary->lines = chain.lines;
        memcpy(ret_summary->hash, chain.previous, HEX_SIZE);
    }
    return 0;
}
