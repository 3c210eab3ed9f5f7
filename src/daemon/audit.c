/* daemon/audit.c - the chained audit log. */
#include "daemon/audit.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIGEST_SIZE = 32, HEX_SIZE = 2 * DIGEST_SIZE + 1 };

struct audit {
    int fd;
    char previous[HEX_SIZE];
};

static void digest(const char *line, size_t size, char hex[HEX_SIZE])
{
    unsigned char bytes[DIGEST_SIZE];

    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, line, size, bytes) < 0)
        abort();
    for (int i = 0; i < DIGEST_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

static char *log_path(const char *state_dir) { return str_printf("%s/audit/audit.log", state_dir); }

/* Calls 'fn' for each line; 'hex' is its digest. */
static int each_line(const char *path, int (*fn)(void *arg, unsigned number, const char *line,
                                                 const char *hex, struct err *err),
                     void *arg, struct err *err)
{
    FILE *file = fopen(path, "re");
    auto_free char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    unsigned number = 0;
    int result = 0;

    if (!file)
        return 0;
    while (result == 0 && (length = getline(&line, &capacity, file)) > 0) {
        char hex[HEX_SIZE];
        /* A line cut off by a power loss has no end: the chain goes on from the one before. */
        if (line[length - 1] != '\n')
            break;
        digest(line, (size_t)length, hex);
        result = fn(arg, ++number, line, hex, err);
    }
    fclose(file);
    return result;
}

static int remember(void *arg, unsigned number, const char *line, const char *hex, struct err *err)
{
    memcpy(((struct audit *)arg)->previous, hex, HEX_SIZE);
    return 0;
}

/* A torn last line is ended, so that the next one begins on its own. */
static void end_torn_line(int fd)
{
    off_t end = lseek(fd, 0, SEEK_END);
    char last = '\n';

    if (end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n' && write(fd, "\n", 1) < 0)
        log_warning("audit: the last line is torn and could not be ended");
}

struct audit *audit_open(const char *state_dir, struct err *err)
{
    auto_free char *folder = str_printf("%s/audit", state_dir);
    auto_free char *path = log_path(state_dir);
    struct audit *audit;
    int fd;

    if (dir_make(folder, 0700, err) < 0)
        return NULL;
    fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)err_errno(err, "open %s", path);
        return NULL;
    }
    end_torn_line(fd);
    audit = mem_new(struct audit);
    audit->fd = fd;
    memset(audit->previous, '0', HEX_SIZE - 1);
    (void)each_line(path, remember, audit, err);
    return audit;
}

void audit_write(struct audit *audit, const json_t *entry)
{
    auto_json json_t *chained = json_copy((json_t *)entry);
    auto_buf struct buf line = { 0 };

    json_object_set_new(chained, "previous", json_string(audit->previous));
    json_write(chained, &line);
    buf_add_char(&line, '\n');
    if (write(audit->fd, line.bytes, line.size) != (ssize_t)line.size) {
        log_error("audit: the log could not be written");
        return;
    }
    digest(line.bytes, line.size, audit->previous);
}

void audit_close(struct audit *audit)
{
    if (!audit)
        return;
    close(audit->fd);
    free(audit);
}

static int verify_line(void *arg, unsigned number, const char *line, const char *hex, struct err *err)
{
    char *previous = arg;
    auto_json json_t *entry = json_parse(line, strlen(line), err);

    if (!entry)
        return err_wrap(err, "audit line %u", number);
    if (strcmp(json_text_at(entry, "previous", ""), previous) != 0)
        return err_set(err, ERR_CONFLICT, "audit line %u does not follow the line before it", number);
    memcpy(previous, hex, HEX_SIZE);
    return 0;
}

int audit_verify(const char *state_dir, struct err *err)
{
    auto_free char *path = log_path(state_dir);
    char previous[HEX_SIZE] = { 0 };

    memset(previous, '0', HEX_SIZE - 1);
    return each_line(path, verify_line, previous, err);
}
