/* drivers/storage/directory/image_fetch.c - downloads by curl, run as a user without privileges.
 *
 * A download goes on where it was only if the server says that the file is still the same one
 * (If-Range). */
#include "base/auto.h"
#include "base/fault.h"
#include "base/files.h"
#include "drivers/storage/directory/fetch_part.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    TRIES_WITHOUT_PROGRESS_MAX = 6,
    TRIES_MAX = 200,
    RESTARTS_MAX = 3,
    BACKOFF_MS_MAX = 30 * 1000,
    PART_FD = 3,
    HEADERS_FD = 4,
    ENV_MAX = 12,
};

static const uint64_t ADDRESS_SPACE_MAX = UINT64_C(1) << 30;
static const int64_t TIMEOUT_MS = INT64_C(48) * 3600 * 1000;

/* --- the URL --- */

/* Scheme, host and path: no user and password, no query with its tokens. */
static char *shown(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    size_t length = strcspn(host, "?#");
    size_t authority = strcspn(host, "/?#");

    for (size_t i = 0; i < authority; i++)
        if (host[i] == '@') {
            host += i + 1;
            length -= i + 1;
            authority -= i + 1;
            i = 0;
        }
    return str_printf("%.*s%.*s", (int)(strstr(url, "://") + 3 - url), url, (int)length, host);
}

static int check_url(const char *url, struct err *err)
{
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return err_set(err, ERR_INVALID, "the URL of an image begins with http:// or https://");
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return err_set(err, ERR_INVALID, "the URL has a blank or control character");
    return 0;
}

/* --- one try --- */

static void add_setting(struct buf *config, const char *name, const char *value)
{
    buf_printf(config, "%s = \"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            buf_add_char(config, '\\');
        buf_add_char(config, *value);
    }
    buf_add_text(config, "\"\n");
}

/* Ends a stalled connection, never one that is merely slow; no proxy and no .curlrc. */
static const char settings[] = "silent\n"
                               "show-error\n"
                               "fail\n"
                               "globoff\n"
                               "location\n"
                               "max-redirs = 10\n"
                               "proto = \"=http,https\"\n"
                               "proto-redir = \"=http,https\"\n"
                               "connect-timeout = 30\n"
                               "speed-limit = 1\n"
                               "speed-time = 60\n"
                               "user-agent = \"virga/" VIRGA_VERSION "\"\n";

/* They come through a descriptor: a URL in the arguments would show in "ps". */
static int write_config(const struct fetch *fetch, int64_t offset, int *ret_fd, struct err *err)
{
    auto_buf struct buf config = { 0 };
    auto_close int fd = memfd_create("curl", MFD_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "memfd");
    buf_add_text(&config, settings);
    add_setting(&config, "url", fetch->op->url);
    buf_printf(&config, "output = \"/dev/fd/%d\"\ndump-header = \"/dev/fd/%d\"\n", PART_FD,
               HEADERS_FD);
    buf_printf(&config, "max-filesize = %" PRId64 "\n", fetch->size_max);
    if (offset > 0)
        buf_printf(&config, "continue-at = %" PRId64 "\n", offset);
    if (offset > 0 && fetch->validator[0]) {
        auto_free char *header = str_printf("If-Range: %s", fetch->validator);
        add_setting(&config, "header", header);
    }
    if (write_all(fd, config.bytes, config.size, err) < 0)
        return -1;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, "memfd");
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static void tell_progress(void *arg)
{
    struct fetch *fetch = arg;
    struct fetch_headers headers;

    fetch_part_headers(fetch, &headers);
    atomic_store(&fetch->op->progress.bytes, fetch_part_size(fetch));
    if (headers.total_bytes > 0)
        atomic_store(&fetch->op->progress.total, headers.total_bytes);
}

/* Nothing of our environment but the proxies that the administrator has set for the daemon. */
static void add_environment(char *env[ENV_MAX])
{
    static const char *const names[] = { "http_proxy",  "https_proxy", "all_proxy", "no_proxy",
                                         "HTTPS_PROXY", "ALL_PROXY",   "NO_PROXY" };
    size_t count = 0;

    env[count++] = str_dup("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    env[count++] = str_dup("LANG=C.UTF-8");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getenv(names[i]))
            env[count++] = str_printf("%s=%s", names[i], getenv(names[i]));
    env[count] = NULL;
}

static int run_curl(struct fetch *fetch, int config_fd, struct child_end *end, struct err *err)
{
    const struct spawn_fd fds[] = { { config_fd, 0 },
                                    { fetch->part_fd, PART_FD },
                                    { fetch->headers_fd, HEADERS_FD } };
    const char *const argv[] = { "curl", "-q", "--config", "-", NULL };
    uid_t uid = fetch->op->place->convert_uid;
    char *env[ENV_MAX];
    int result;
    const struct child child = {
        .spawn = { .argv = argv,
                   .env = (const char *const *)env,
                   .fds = fds,
                   .fd_count = 3,
                   .change_user = true,
                   .uid = uid,
                   .gid = (gid_t)uid,
                   .address_space_max = ADDRESS_SPACE_MAX,
                   .file_size_max = (uint64_t)fetch->size_max,
                   .open_files_max = 64 },
        .cancel = &fetch->op->cancel,
        .timeout_ms = TIMEOUT_MS,
        .tick = tell_progress,
        .arg = fetch,
    };

    add_environment(env);
    result = child_run(&child, end, err);
    for (char **each = env; *each; each++)
        free(*each);
    return result;
}

/* --- what came of it --- */

enum verdict { VERDICT_DONE, VERDICT_AGAIN, VERDICT_ANEW, VERDICT_FAILED };

/* From curl's manual, "EXIT CODES". */
enum curl_exit {
    CURL_BAD_PROTOCOL = 1,
    CURL_BAD_URL = 3,
    CURL_HTTP_ERROR = 22,
    CURL_WRITE_ERROR = 23,
    CURL_NO_RANGES = 33,
    CURL_REDIRECTS = 47,
    CURL_BAD_CERTIFICATE = 60,
    CURL_TOO_LARGE = 63,
};

static enum verdict judge_status(const struct fetch *fetch, int status, struct err *err)
{
    bool may_pass = status >= 500 || status == 408 || status == 429;

    err_set(err, may_pass ? ERR_UNAVAILABLE : ERR_INVALID, "%s: the server answered %d",
            fetch->shown_url, status);
    return may_pass ? VERDICT_AGAIN : VERDICT_FAILED;
}

/* The server has nothing after our last byte: all is there, or the file is another one now. */
static enum verdict judge_end_of_range(const struct fetch *fetch,
                                       const struct fetch_headers *headers)
{
    return headers->total_bytes == fetch_part_size(fetch) ? VERDICT_DONE : VERDICT_ANEW;
}

static enum verdict too_large(const struct fetch *fetch, struct err *err)
{
    if (fetch->limited_by_space)
        err_set(err, ERR_NO_SPACE, "%s: larger than the %" PRId64 " bytes that are free",
                fetch->shown_url, fetch->size_max);
    else
        err_set(err, ERR_TOO_LARGE, "%s: larger than the %" PRId64 " bytes allowed",
                fetch->shown_url, fetch->size_max);
    return VERDICT_FAILED;
}

static bool is_disk_full(const struct fetch *fetch)
{
    int64_t free_bytes;
    struct err unseen;

    return place_free_bytes(fetch->op->place->image_dir, &free_bytes, &unseen) == 0 &&
           free_bytes == 0;
}

static enum verdict judge_failure(const struct fetch *fetch, const struct child_end *end,
                                  struct err *err)
{
    bool is_final = end->code == CURL_BAD_PROTOCOL || end->code == CURL_BAD_URL ||
                    end->code == CURL_REDIRECTS || end->code == CURL_BAD_CERTIFICATE;

    child_explain(end, is_final ? ERR_INVALID : ERR_UNAVAILABLE, err);
    if (err->code == ERR_TOO_LARGE || end->code == CURL_TOO_LARGE)
        return too_large(fetch, err);
    if (end->code == CURL_WRITE_ERROR) /* curl does not say why */
        err->code = is_disk_full(fetch) ? ERR_NO_SPACE : ERR_IO;
    err_wrap(err, "%s", fetch->shown_url);
    if (err->code == ERR_NO_SPACE || err->code == ERR_IO)
        return VERDICT_FAILED;
    return is_final ? VERDICT_FAILED : VERDICT_AGAIN;
}

static enum verdict judge(const struct fetch *fetch, const struct child_end *end, struct err *err)
{
    struct fetch_headers headers;

    fetch_part_headers(fetch, &headers);
    if (headers.status == 416)
        return judge_end_of_range(fetch, &headers);
    if (end->code == 0)
        return VERDICT_DONE;
    if (end->code == CURL_NO_RANGES)
        return VERDICT_ANEW;
    if (end->code == CURL_HTTP_ERROR)
        return judge_status(fetch, headers.status, err);
    return judge_failure(fetch, end, err);
}

/* Without a name for the version of the file, or a digest at the end, nobody would notice that
 * the two halves are of different files. */
static int drop_what_cannot_be_checked(struct fetch *fetch, struct err *err)
{
    bool is_checked = fetch->validator[0] || !str_is_empty(fetch->op->checksum);

    return is_checked || fetch_part_size(fetch) == 0 ? 0 : fetch_part_drop(fetch, err);
}

static int try_once(struct fetch *fetch, enum verdict *ret_verdict, struct err *err)
{
    auto_close int config_fd = -1;
    struct child_end end;

    if (fetch_part_settle(fetch, err) < 0 || drop_what_cannot_be_checked(fetch, err) < 0 ||
        write_config(fetch, fetch_part_size(fetch), &config_fd, err) < 0)
        return -1;
    fault_point("storage.fetch");
    if (run_curl(fetch, config_fd, &end, err) < 0)
        return -1;
    fault_point("storage.fetched");
    *ret_verdict = judge(fetch, &end, err);
    return 0;
}

/* --- again and again --- */

static int64_t backoff_ms(const struct fetch *fetch)
{
    int64_t ms = fetch->op->place->retry_ms << (fetch->fruitless < 16 ? fetch->fruitless : 16);

    return ms < BACKOFF_MS_MAX ? ms : BACKOFF_MS_MAX;
}

/* -1 when it was tried often enough; 'err' says why it failed last. */
static int wait_for_next_try(struct fetch *fetch, int64_t size_before, struct err *err)
{
    fetch->tries++;
    fetch->fruitless = fetch_part_size(fetch) > size_before ? 0 : fetch->fruitless + 1;
    if (fetch->fruitless >= TRIES_WITHOUT_PROGRESS_MAX || fetch->tries >= TRIES_MAX)
        return -1;
    return cancel_wait(&fetch->op->cancel, backoff_ms(fetch), err);
}

static int restart(struct fetch *fetch, struct err *err)
{
    if (++fetch->restarts > RESTARTS_MAX)
        return err_set(err, ERR_UNAVAILABLE, "%s: the file changes while it is fetched",
                       fetch->shown_url);
    return fetch_part_drop(fetch, err);
}

static int fetch_all(struct fetch *fetch, struct err *err)
{
    for (;;) {
        int64_t size_before = fetch_part_size(fetch);
        enum verdict verdict;

        if (try_once(fetch, &verdict, err) < 0)
            return -1;
        if (verdict == VERDICT_DONE)
            return 0;
        if (verdict == VERDICT_FAILED)
            return -1;
        if (verdict == VERDICT_ANEW && restart(fetch, err) < 0)
            return -1;
        if (verdict == VERDICT_AGAIN && wait_for_next_try(fetch, size_before, err) < 0)
            return -1;
    }
}

static int set_limit(struct fetch *fetch, struct err *err)
{
    if (image_budget(fetch->op, &fetch->size_max, err) < 0)
        return -1;
    fetch->size_max += fetch_part_size(fetch); /* what is there takes no new space */
    fetch->limited_by_space = fetch->op->size <= 0 || fetch->op->size > fetch->size_max;
    if (!fetch->limited_by_space)
        fetch->size_max = fetch->op->size;
    return 0;
}

int image_fetch(struct op *op, int *ret_fd, struct err *err)
{
    struct fetch fetch = { .op = op, .part_fd = -1, .headers_fd = -1 };
    int result;

    if (check_url(op->url, err) < 0)
        return -1;
    op_step(op, "Downloading", 0);
    fetch.shown_url = shown(op->url);
    result = fetch_part_open(&fetch, err);
    if (result == 0)
        result = set_limit(&fetch, err);
    if (result == 0)
        result = fetch_all(&fetch, err);
    fetch_part_close(&fetch);
    if (result == 0)
        result = fetch_part_take(&fetch, ret_fd, err);
    free(fetch.shown_url);
    return result;
}
