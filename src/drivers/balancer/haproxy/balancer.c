/* drivers/balancer/haproxy/balancer.c - bringing one balancer to what it shall be.
 *
 * balancer_step() looks at what is and begins the one next thing: a process with another
 * configuration, the replacement of a certificate, commands about members, or the answer that all
 * is as wanted. Each thing ends in another step. */
#include "base/mem.h"
#include "base/random.h"
#include "drivers/balancer/haproxy/haproxy.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CALL_TIMEOUT_MS = 5000,
    TRIES_MAX = 5, /* rounds of commands until an ensure() is answered with a failure */
    CERTIFICATE_LINE_MAX = 15000, /* what one command may bring; a larger one takes a new process */
};

/* --- life --- */

static void make_cookie_key(char key[COOKIE_KEY_SIZE])
{
    uint8_t bytes[(COOKIE_KEY_SIZE - 1) / 2];

    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(key + 2 * i, 3, "%02x", bytes[i]);
}

struct balancer *balancer_new(struct haproxy_driver *driver, const char *uid, uid_t number)
{
    struct balancer *balancer = mem_new(struct balancer);

    *balancer = (struct balancer){
        .driver = driver, .uid = str_dup(uid), .number = number, .netns_fd = -1, .log_fd = -1
    };
    balancer->folder = str_printf("%s/%s", driver->run_dir, uid);
    balancer->tallies = map_new(free);
    balancer->latencies = map_new(free);
    balancer->held = map_new(free);
    make_cookie_key(balancer->cookie_key);
    return balancer;
}

void balancer_free(void *pointer)
{
    struct balancer *balancer = pointer;

    runtime_cancel(balancer->call);
    loop_source_free(balancer->again);
    loop_source_free(balancer->soon);
    proxy_free(balancer->coming);
    proxy_free(balancer->serving);
    while (balancer->retired) {
        struct proxy *proxy = balancer->retired;
        balancer->retired = proxy->next;
        proxy_free(proxy);
    }
    sockets_close(balancer);
    figures_done(balancer);
    balancer_config_free(balancer->config);
    balancer_status_done(&balancer->status);
    buf_done(&balancer->commands);
    if (balancer->netns_fd >= 0)
        close(balancer->netns_fd);
    map_free(balancer->tallies);
    map_free(balancer->latencies);
    map_free(balancer->held);
    free(balancer->seen);
    free(balancer->installing);
    free(balancer->removers);
    free(balancer->folder);
    free(balancer->uid);
    free(balancer);
}

void balancer_answer(struct balancer *balancer, const struct err *err)
{
    if (!balancer->is_awaited)
        return;
    balancer->is_awaited = false;
    done_call(balancer->done, err);
}

void balancer_facts(struct balancer *balancer, struct config_facts *ret_facts)
{
    static char log_socket[4096]; /* of the loop thread; read before it returns to the loop */

    (void)snprintf(log_socket, sizeof log_socket, "%s/log", balancer->folder);
    *ret_facts = (struct config_facts){ .threads = balancer->driver->threads,
                                        .connections_max = balancer->driver->connections_max,
                                        .cookie_key = balancer->cookie_key,
                                        .log_socket = log_socket,
                                        .folder = balancer->folder };
}

/* --- calls --- */

static void call(struct balancer *balancer, const char *line, runtime_fn *fn)
{
    char name[RECORD_PATH_SIZE];
    struct err err;

    (void)snprintf(name, sizeof name, "admin-%u", balancer->serving->generation);
    balancer->call = runtime_call(balancer->driver->loop, balancer->folder, name, line,
                                  CALL_TIMEOUT_MS, fn, balancer, &err);
    if (!balancer->call)
        balancer_answer(balancer, &err); /* it is ending; the poll finds out otherwise */
}

/* --- certificates --- */

static const struct balancer_listener *stale_certificate(struct balancer *balancer)
{
    for (size_t i = 0; i < balancer->config->listener_count; i++) {
        const struct balancer_listener *listener = &balancer->config->listeners[i];
        if (str_is_empty(listener->certificate) || balancer->problems[i][0])
            continue;
        auto_free char *name = str_printf("%s.pem", listener->name);
        char *now = haproxy_trace_read(balancer, name);
        bool is_same = str_equal(now, listener->certificate);
        if (now)
            explicit_bzero(now, strlen(now));
        free(now);
        if (!is_same)
            return listener;
    }
    return NULL;
}

static const struct balancer_listener *listener_named(const struct balancer *balancer,
                                                      const char *name)
{
    for (size_t i = 0; i < balancer->config->listener_count; i++)
        if (str_equal(balancer->config->listeners[i].name, name))
            return &balancer->config->listeners[i];
    return NULL;
}

/* A process that starts from now on reads the file. */
static void keep_certificate(struct balancer *balancer, const char *listener_name)
{
    const struct balancer_listener *listener = listener_named(balancer, listener_name);
    auto_free char *name = str_printf("%s.pem", listener_name);

    if (listener && !str_is_empty(listener->certificate) &&
        haproxy_trace_write_private(balancer, name, listener->certificate, &balancer->refused) < 0)
        balancer_answer(balancer, &balancer->refused);
}

static void on_certificate_committed(void *arg, const struct err *err, const char *answer,
                                     size_t size)
{
    struct balancer *balancer = arg;
    auto_free char *name = take_pointer(balancer->installing);

    balancer->call = NULL;
    if (!err && !strstr(answer, "Success"))
        (void)err_set(&balancer->refused, ERR_INVALID, "certificate of listener %s: %.*s", name,
                      (int)strcspn(answer, "\n"), answer);
    else if (err)
        balancer->refused = *err;
    else
        keep_certificate(balancer, name);
    if (balancer->refused.code)
        balancer_answer(balancer, &balancer->refused);
    else
        balancer_step(balancer);
    figures_report(balancer);
}

static void on_certificate_set(void *arg, const struct err *err, const char *answer, size_t size)
{
    struct balancer *balancer = arg;
    auto_free char *line =
        str_printf("commit ssl cert %s/%s.pem", balancer->folder, balancer->installing);

    balancer->call = NULL;
    if (!err && strstr(answer, "ransaction")) { /* "Transaction created for certificate ..." */
        call(balancer, line, on_certificate_committed);
        return;
    }
    on_certificate_committed(balancer, err, answer, size);
}

/* An empty line ends the payload, so none may be within. */
static void add_without_empty_lines(const char *text, struct buf *to)
{
    for (const char *c = text; *c; c++)
        if (*c != '\r' && !(*c == '\n' && (c == text || to->bytes[to->size - 1] == '\n')))
            buf_add_char(to, *c);
    if (to->bytes[to->size - 1] != '\n')
        buf_add_char(to, '\n');
}

/* False: it is too large for a command. */
static bool install_certificate(struct balancer *balancer, const struct balancer_listener *listener)
{
    auto_buf struct buf line = { 0 };

    buf_printf(&line, "set ssl cert %s/%s.pem <<\n", balancer->folder, listener->name);
    add_without_empty_lines(listener->certificate, &line);
    bool fits = line.size <= CERTIFICATE_LINE_MAX;
    if (fits) {
        free(balancer->installing);
        balancer->installing = str_dup(listener->name);
        call(balancer, line.bytes, on_certificate_set);
    }
    explicit_bzero(line.bytes, line.size);
    return fits;
}

/* --- members --- */

static void look(struct balancer *balancer);

static void send_commands(struct balancer *balancer);

static void on_commands_sent(void *arg, const struct err *err, const char *answer, size_t size)
{
    struct balancer *balancer = arg;

    balancer->call = NULL;
    if (err) {
        buf_clear(&balancer->commands);
        balancer_answer(balancer, err);
        return;
    }
    if (balancer->commands.size)
        send_commands(balancer);
    else
        look(balancer);
}

static void send_commands(struct balancer *balancer)
{
    size_t length = strcspn(balancer->commands.bytes, "\n");
    auto_free char *line = str_dup_part(balancer->commands.bytes, length);
    size_t used = balancer->commands.bytes[length] ? length + 1 : length;

    if (used == balancer->commands.size)
        buf_clear(&balancer->commands);
    else
        buf_drop_front(&balancer->commands, used);
    call(balancer, line, on_commands_sent);
}

/* What is left, servers with connections that do not go, the poll tries again. */
static void settle(struct balancer *balancer, size_t missing)
{
    struct err err;

    if (missing && balancer->tries >= TRIES_MAX) {
        (void)err_set(&err, ERR_IO, "haproxy does not take %zu members", missing);
        balancer_answer(balancer, &err);
    } else if (!missing) {
        balancer_answer(balancer, balancer->refused.code ? &balancer->refused : NULL);
    }
}

static void on_looked(void *arg, const struct err *err, const char *answer, size_t size)
{
    struct balancer *balancer = arg;
    size_t missing = 0;

    balancer->call = NULL;
    if (err) {
        balancer_answer(balancer, err);
        return;
    }
    figures_take(balancer, answer, size);
    buf_clear(&balancer->commands);
    if (balancer->is_awaited && !balancer->is_compared) { /* asked for before ensure() came */
        balancer_step(balancer);
        figures_report(balancer);
        return;
    }
    if (balancer->config)
        members_plan(balancer->config, balancer->seen, balancer->seen_count, &balancer->commands,
                     &missing);
    if (balancer->commands.size && (balancer->tries < TRIES_MAX)) {
        balancer->tries++;
        send_commands(balancer);
    } else {
        buf_clear(&balancer->commands);
        settle(balancer, missing);
    }
    figures_report(balancer);
}

static void look(struct balancer *balancer) { call(balancer, "show stat", on_looked); }

/* --- what is next --- */

static void start(struct balancer *balancer, const char *structure)
{
    struct err err;

    if (figures_listen(balancer, &err) < 0 || proxy_start(balancer, structure, &err) < 0)
        balancer_answer(balancer, &err);
    figures_report(balancer);
}

void balancer_step(struct balancer *balancer)
{
    const struct balancer_listener *listener;
    auto_buf struct buf structure = { 0 };
    struct config_facts facts;
    struct config_open open;

    if (!balancer->config || balancer->coming || balancer->call || balancer->again ||
        balancer->is_removed)
        return;
    sockets_open(balancer);
    sockets_openness(balancer, &open);
    balancer_facts(balancer, &facts);
    config_text(balancer->config, &open, &facts, NULL, NULL, &structure);
    if (!balancer->serving ||
        (balancer->is_awaited && !str_equal(balancer->serving->structure, structure.bytes))) {
        start(balancer, structure.bytes);
        return;
    }
    listener = balancer->is_awaited ? stale_certificate(balancer) : NULL;
    balancer->is_compared = !listener;
    if (!listener)
        look(balancer);
    else if (!install_certificate(balancer, listener))
        start(balancer, structure.bytes);
}

void balancer_poll(struct balancer *balancer)
{
    if (balancer->is_removed || balancer->call || balancer->coming || !balancer->serving)
        return;
    balancer->tries =
        balancer->is_awaited ? balancer->tries : TRIES_MAX - 1; /* one round of commands */
    look(balancer);
}
