/* drivers/balancer/haproxy/proxy.c - HAProxy processes: starting, replacing, finding, ending. */
#include "base/mem.h"
#include "base/fault.h"
#include "drivers/balancer/haproxy/haproxy.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READY_TIMEOUT_MS = 20 * 1000,
    SAID_MAX = 4096,
    STEADY_MS = 10 * 1000, /* so long up: failures before are forgotten */
    RETRY_MIN_MS = 100,
    RETRY_MAX_MS = 10 * 1000,
    RETIRED_MAX = 8, /* beyond, the oldest is ended at once */
};

/* --- what it says on its standard error --- */

static void on_words(void *arg, int fd, unsigned events)
{
    struct proxy *proxy = arg;
    char bytes[1024];
    ssize_t got = read(fd, bytes, sizeof bytes);

    if (got > 0) {
        buf_add(&proxy->said, bytes, (size_t)got);
        if (proxy->said.size > SAID_MAX)
            buf_drop_front(&proxy->said, proxy->said.size - SAID_MAX);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        loop_io_events(proxy->words, 0);
    }
}

static void hear_rest(struct proxy *proxy)
{
    char bytes[SAID_MAX];
    ssize_t got = proxy->words_fd < 0 ? -1 : read(proxy->words_fd, bytes, sizeof bytes);

    if (got > 0)
        buf_add(&proxy->said, bytes, (size_t)got);
}

/* The first alert, without its time and process: it names the line that is wrong. */
static void first_alert(const struct proxy *proxy, char *to, size_t size)
{
    const char *text = proxy->said.bytes ? proxy->said.bytes : "";
    const char *alert = strstr(text, "[ALERT]"), *colon;

    alert = alert ? alert : text;
    colon = strstr(alert, " : ");
    alert = colon ? colon + 3 : alert;
    (void)snprintf(to, size, "%.*s", (int)strcspn(alert, "\n"), alert);
}

/* --- freeing and ending --- */

void proxy_free(struct proxy *proxy)
{
    if (!proxy)
        return;
    loop_source_free(proxy->end);
    loop_source_free(proxy->words);
    if (proxy->words_fd >= 0)
        close(proxy->words_fd);
    if (proxy->pidfd >= 0)
        close(proxy->pidfd);
    buf_done(&proxy->said);
    free(proxy->structure);
    free(proxy);
}

void proxy_kill(struct proxy *proxy)
{
    if (proxy)
        (void)pidfd_send_signal(proxy->pidfd, SIGKILL, NULL, 0); /* ended already: as wanted */
}

static bool runs_as(pid_t pid, uid_t number)
{
    char path[64];
    struct stat status;

    (void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return stat(path, &status) == 0 && status.st_uid == number;
}

void proxy_kill_all(const struct balancer *balancer)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
        if (pid > 0 && runs_as(pid, balancer->number))
            (void)kill(pid, SIGKILL);
    }
    if (dir)
        closedir(dir);
}

static void reap(struct balancer *balancer, struct proxy *proxy)
{
    if (!proxy)
        return;
    loop_source_free(take_pointer(proxy->end));
    loop_reap(balancer->driver->loop, proxy->pid, proxy->pidfd);
    proxy->pidfd = -1;
}

/* --- the end of one --- */

static void unlink_retired(struct balancer *balancer, struct proxy *proxy)
{
    for (struct proxy **link = &balancer->retired; *link; link = &(*link)->next)
        if (*link == proxy) {
            *link = proxy->next;
            return;
        }
}

static void on_again(void *arg)
{
    struct balancer *balancer = arg;

    loop_source_free(take_pointer(balancer->again));
    balancer_step(balancer);
}

static void start_later(struct balancer *balancer)
{
    int64_t delay_ms = RETRY_MIN_MS;

    if (balancer->again || !balancer->config)
        return;
    for (unsigned i = 2; i < balancer->failures && delay_ms < RETRY_MAX_MS; i++)
        delay_ms *= 2;
    if (balancer->failures < 2)
        delay_ms = 0;
    balancer->again =
        loop_timer(balancer->driver->loop, delay_ms < RETRY_MAX_MS ? delay_ms : RETRY_MAX_MS,
                   on_again, balancer);
}

static void describe_end(const struct proxy *proxy, struct loop_exit how, char *to, size_t size)
{
    char said[128] = "";

    first_alert(proxy, said, sizeof said);
    if (how.known && how.signal)
        (void)snprintf(to, size, "killed by signal %d (%s)", how.signal, strsignal(how.signal));
    else if (how.known)
        (void)snprintf(to, size, "exit status %d%s%s", how.code, said[0] ? ": " : "", said);
    else
        (void)snprintf(to, size, "process %d ended", (int)proxy->pid);
}

/* Did not come up: whoever serves goes on. */
static void coming_ended(struct balancer *balancer, struct proxy *proxy, struct loop_exit how)
{
    char why[160];

    runtime_cancel(take_pointer(balancer->call));
    balancer->coming = NULL;
    balancer->failures++;
    describe_end(proxy, how, why, sizeof why);
    (void)err_set(&balancer->refused, ERR_IO, "haproxy: %s", why);
    haproxy_trace_remove_generation(balancer, proxy->generation);
    if (!balancer->serving)
        start_later(balancer);
    balancer_answer(balancer, &balancer->refused);
}

static void serving_ended(struct balancer *balancer, struct proxy *proxy, struct loop_exit how)
{
    bool was_steady = loop_now_ms(balancer->driver->loop) - proxy->started_ms >= STEADY_MS;

    if (!balancer->coming)
        runtime_cancel(take_pointer(balancer->call));
    buf_clear(&balancer->commands);
    free(take_pointer(balancer->installing));
    balancer->serving = NULL;
    balancer->failures = was_steady ? 1 : balancer->failures + 1;
    balancer->status.restarts++;
    describe_end(proxy, how, balancer->status.last_end, sizeof balancer->status.last_end);
    haproxy_trace_remove_generation(balancer, proxy->generation);
    if (!balancer->coming)
        start_later(balancer);
}

static void removed_ended(struct balancer *balancer, struct proxy *proxy)
{
    if (proxy == balancer->coming)
        balancer->coming = NULL;
    else if (proxy == balancer->serving)
        balancer->serving = NULL;
    else
        unlink_retired(balancer, proxy);
    proxy_free(proxy);
    balancer_forget(balancer);
}

static void on_end(void *arg, pid_t pid, struct loop_exit how)
{
    struct proxy *proxy = arg;
    struct balancer *balancer = proxy->balancer;

    hear_rest(proxy);
    if (balancer->is_removed) {
        removed_ended(balancer, proxy);
        return;
    }
    if (proxy == balancer->coming)
        coming_ended(balancer, proxy, how);
    else if (proxy == balancer->serving)
        serving_ended(balancer, proxy, how);
    else
        unlink_retired(balancer, proxy);
    proxy_free(proxy);
    figures_report(balancer);
}

/* --- taking over --- */

/* It accepts nothing new from now on: what waits at the sockets is its follower's. Connections that
 * it has it finishes. */
static void retire(struct balancer *balancer, struct proxy *proxy)
{
    unsigned count = 0;

    (void)pidfd_send_signal(proxy->pidfd, SIGUSR1, NULL, 0); /* it has just ended */
    haproxy_trace_remove_generation(balancer, proxy->generation);
    proxy->next = balancer->retired;
    balancer->retired = proxy;
    for (struct proxy *old = proxy; old; old = old->next)
        if (++count > RETIRED_MAX)
            proxy_kill(old);
}

static void on_ready(void *arg, const struct err *err, const char *answer, size_t size)
{
    struct balancer *balancer = arg;
    struct proxy *proxy = balancer->coming;

    balancer->call = NULL;
    if (err) {
        if (err->code == ERR_TIMEOUT)
            proxy_kill(proxy);
        return; /* its end says more */
    }
    fault_point("balancer.ready");
    if (balancer->serving)
        retire(balancer, take_pointer(balancer->serving));
    balancer->serving = take_pointer(balancer->coming);
    err_clear(&balancer->refused);
    sockets_close_unwanted(balancer);
    balancer->told = 0;
    balancer_step(balancer);
    figures_report(balancer);
}

/* --- starting --- */

static struct proxy *proxy_new(struct balancer *balancer, unsigned generation, char *take_structure)
{
    struct proxy *proxy = mem_new(struct proxy);

    *proxy = (struct proxy){ .balancer = balancer,
                             .generation = generation,
                             .pidfd = -1,
                             .words_fd = -1,
                             .structure = take_structure,
                             .started_ms = loop_now_ms(balancer->driver->loop) };
    return proxy;
}

/* Members that get traffic from the first moment on: those that do now, and those somebody vouches
 * for. The others are added once the proxy runs, and wait for their check. */
static bool starts_up(void *arg, const struct balancer_backend *backend,
                      const struct balancer_member *member)
{
    const struct balancer *balancer = arg;

    if (member->is_proven || backend->health.type == BALANCER_CHECK_NONE)
        return true;
    for (size_t i = 0; i < balancer->seen_count; i++) {
        enum server_state state = server_state_of(balancer->seen[i].status);
        if (str_equal(balancer->seen[i].id, member->id) &&
            str_equal(balancer->seen[i].backend, backend->name))
            return state == SERVER_UP || state == SERVER_DRAINING;
    }
    return false;
}

static int write_certificates(const struct balancer *balancer, struct err *err)
{
    for (size_t i = 0; i < balancer->config->listener_count; i++) {
        const struct balancer_listener *listener = &balancer->config->listeners[i];
        auto_free char *name = str_printf("%s.pem", listener->name);
        if (!str_is_empty(listener->certificate) &&
            haproxy_trace_write_private(balancer, name, listener->certificate, err) < 0)
            return -1;
    }
    return 0;
}

static int write_files(struct balancer *balancer, const struct config_facts *facts, struct err *err)
{
    auto_buf struct buf text = { 0 };
    struct config_open open;
    char name[RECORD_PATH_SIZE];

    sockets_openness(balancer, &open);
    config_text(balancer->config, &open, facts, starts_up, balancer, &text);
    (void)snprintf(name, sizeof name, "haproxy-%u.cfg", balancer->generation);
    if (write_certificates(balancer, err) < 0 ||
        (holding_is_wanted(balancer->config) &&
         haproxy_trace_write_private(balancer, HOLDING_SCRIPT_NAME, holding_script, err) < 0) ||
        haproxy_trace_write_private(balancer, name, text.bytes, err) < 0)
        return -1;
    return haproxy_trace_write_record(balancer, balancer->generation, err);
}

static int run(struct proxy *proxy, int admin_fd, int words_fd, struct err *err)
{
    struct balancer *balancer = proxy->balancer;
    auto_free char *config = haproxy_trace_path(balancer, "haproxy-%u.cfg", proxy->generation);
    const char *const argv[] = { "haproxy", "-db", "-f", config, NULL };
    struct spawn_fd fds[BALANCER_LISTENERS_MAX + 2] = { { admin_fd, ADMIN_FD }, { words_fd, 2 } };
    size_t count = 2;
    struct spawn spawn = { .argv = argv,
                           .fds = fds,
                           .new_session = true,
                           .change_user = true,
                           .uid = balancer->number,
                           .gid = balancer->number,
                           .netns_fd = balancer->netns_fd };

    for (size_t i = 0; i < balancer->config->listener_count; i++) {
        int at = sockets_find(balancer, &balancer->config->listeners[i]);
        if (at >= 0)
            fds[count++] =
                (struct spawn_fd){ balancer->sockets[at].fd, FIRST_LISTENER_FD + (int)i };
    }
    spawn.fd_count = count;
    return spawn_start(&spawn, &proxy->pid, &proxy->pidfd, err);
}

/* A pipe that neither side ever waits at: what nobody reads is lost, also after this daemon. */
static int launch(struct proxy *proxy, struct err *err)
{
    struct balancer *balancer = proxy->balancer;
    auto_close int admin_fd = -1;
    auto_close int words_fd = -1;
    char name[RECORD_PATH_SIZE];
    int ends[2];

    (void)snprintf(name, sizeof name, "admin-%u", proxy->generation);
    if (runtime_listen(balancer->folder, name, &admin_fd, err) < 0)
        return -1;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_errno(err, "pipe");
    proxy->words_fd = ends[0];
    words_fd = ends[1];
    fault_point("balancer.launch");
    if (run(proxy, admin_fd, words_fd, err) < 0)
        return -1;
    proxy->words = loop_io(balancer->driver->loop, proxy->words_fd, LOOP_READ, on_words, proxy);
    proxy->end = loop_child(balancer->driver->loop, proxy->pid, proxy->pidfd, on_end, proxy);
    return 0;
}

/* The question waits in the socket's queue until the process takes it: that is when it serves. Were
 * the process to end first, the connection would break. */
static int ask_ready(struct balancer *balancer, struct err *err)
{
    char name[RECORD_PATH_SIZE];

    (void)snprintf(name, sizeof name, "admin-%u", balancer->generation);
    balancer->call = runtime_call(balancer->driver->loop, balancer->folder, name, "show version",
                                  READY_TIMEOUT_MS, on_ready, balancer, err);
    return balancer->call ? 0 : -1;
}

static int begin(struct balancer *balancer, struct proxy *proxy, struct err *err)
{
    struct config_facts facts;

    balancer_facts(balancer, &facts);
    if (write_files(balancer, &facts, err) < 0 || launch(proxy, err) < 0)
        return -1;
    balancer->coming = proxy;
    if (ask_ready(balancer, err) == 0)
        return 0;
    balancer->coming = NULL;
    proxy_kill(proxy);
    reap(balancer, proxy);
    return -1;
}

int proxy_start(struct balancer *balancer, const char *structure, struct err *err)
{
    struct proxy *proxy = proxy_new(balancer, ++balancer->generation, str_dup(structure));

    if (fault_fails("balancer.start", err) == 0 && begin(balancer, proxy, err) == 0)
        return 0;
    haproxy_trace_remove_generation(balancer, proxy->generation);
    proxy_free(proxy);
    balancer->failures++;
    balancer->refused = *err;
    if (!balancer->serving)
        start_later(balancer);
    return -1;
}

/* --- finding again --- */

int proxy_adopt(struct balancer *balancer, unsigned generation, pid_t pid, char *take_structure,
                struct err *err)
{
    struct proxy *proxy = proxy_new(balancer, generation, take_structure);
    uint64_t start_ticks;

    if (process_start_time(pid, &start_ticks, err) < 0 ||
        process_open(pid, start_ticks, &proxy->pidfd, err) < 0) {
        proxy_free(proxy);
        return -1;
    }
    proxy->pid = pid;
    proxy->end = loop_child(balancer->driver->loop, pid, proxy->pidfd, on_end, proxy);
    balancer->serving = proxy;
    return 0;
}
