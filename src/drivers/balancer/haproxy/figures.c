/* drivers/balancer/haproxy/figures.c - from the proxy's statistics and samples to a status. */
#include "base/mem.h"
#include "drivers/balancer/haproxy/haproxy.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SAMPLES_AT_ONCE = 256, SAMPLE_SIZE = 256, RATE_OVER_MS = 800 };

/* A counter that goes on where it was when the process that counts is another one. */
struct counter {
    uint64_t base, raw;
};
/* What is remembered from one reading to the next, of a listener, backend or member. */
struct tally {
    struct counter requests, errors, bytes;
    double request_rate, error_rate;
    int64_t rate_ms; /* from when on the rates of the next reading are; 0: never read */
    uint64_t rate_requests, rate_errors;
    bool was_up;
};

/* --- samples: how long requests took, and how many are held --- */

static void show_held(struct balancer *balancer, struct balancer_backend_status *backend)
{
    auto_free char *name = str_printf(BACKEND_PREFIX "%s", backend->name);
    const struct holding_count *count = map_get(balancer->held, name);

    backend->queue -= backend->held;
    backend->held = count ? holding_sum(count, loop_now_ms(balancer->driver->loop)) : 0;
    backend->queue += backend->held;
}

static void take_held(struct balancer *balancer, const struct holding_line *line)
{
    struct balancer_backend_status *backend;
    struct holding_count *count = map_get(balancer->held, line->backend);

    if (!str_starts(line->backend, BACKEND_PREFIX) ||
        (!count && map_count(balancer->held) >= BALANCER_BACKENDS_MAX))
        return;
    if (!count) {
        count = mem_new(struct holding_count);
        map_set(balancer->held, line->backend, count);
    }
    holding_note(count, line, loop_now_ms(balancer->driver->loop));
    backend =
        balancer_status_backend(&balancer->status, line->backend + strlen(BACKEND_PREFIX));
    if (backend)
        show_held(balancer, backend);
    figures_report(balancer);
}

static void take_latency(struct balancer *balancer, const char *text, size_t size)
{
    char name[LATENCY_NAME_SIZE];
    struct latency *latency;
    int64_t ms;

    if (!latency_read_line(text, size, name, &ms) || !str_starts(name, BACKEND_PREFIX))
        return;
    latency = map_get(balancer->latencies, name);
    if (!latency) {
        if (map_count(balancer->latencies) >= BALANCER_BACKENDS_MAX)
            return;
        latency = mem_new(struct latency);
        map_set(balancer->latencies, name, latency);
    }
    latency_add(latency, loop_now_ms(balancer->driver->loop), ms);
}

static void take_sample(struct balancer *balancer, const char *text, size_t size)
{
    struct holding_line line;

    if (holding_read_line(text, size, &line))
        take_held(balancer, &line);
    else
        take_latency(balancer, text, size);
}

static void on_sample(void *arg, int fd, unsigned events)
{
    char bytes[SAMPLE_SIZE];

    for (int i = 0; i < SAMPLES_AT_ONCE; i++) {
        ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got <= 0)
            return;
        take_sample(arg, bytes, (size_t)got);
    }
}

int figures_listen(struct balancer *balancer, struct err *err)
{
    if (balancer->log_fd >= 0)
        return 0;
    if (runtime_receive(balancer->folder, "log", balancer->number, &balancer->log_fd, err) < 0)
        return -1;
    balancer->log =
        loop_io(balancer->driver->loop, balancer->log_fd, LOOP_READ, on_sample, balancer);
    return 0;
}

void figures_done(struct balancer *balancer)
{
    loop_source_free(take_pointer(balancer->log));
    if (balancer->log_fd >= 0)
        close(balancer->log_fd);
    balancer->log_fd = -1;
}

/* --- counting --- */

static uint64_t count(struct counter *counter, uint64_t raw)
{
    if (raw < counter->raw)
        counter->base += counter->raw;
    counter->raw = raw;
    return counter->base + raw;
}

struct reading {
    struct balancer *balancer;
    int64_t now_ms;
    struct map *tallies; /* of those seen this time */
    struct balancer_status *status;
    size_t seen_capacity;
};

static struct tally *tally_of(struct reading *reading, const struct stat_row *row)
{
    auto_free char *key = str_printf("%s/%s", row->proxy, row->server);
    struct tally *tally = map_take(reading->balancer->tallies, key);

    if (!tally) {
        tally = map_get(reading->tallies, key); /* named twice: not by our configuration */
        if (tally)
            return tally;
        tally = mem_new(struct tally);
    }
    map_set(reading->tallies, key, tally);
    return tally;
}

/* Members that come and go have it read more often than once a second: a rate over so short a time
 * would say nothing. */
static void measure(struct tally *tally, int64_t now_ms, uint64_t requests, uint64_t errors,
                    uint64_t bytes)
{
    int64_t elapsed_ms = now_ms - tally->rate_ms;

    requests = count(&tally->requests, requests);
    errors = count(&tally->errors, errors);
    (void)count(&tally->bytes, bytes);
    if (tally->rate_ms && elapsed_ms < RATE_OVER_MS)
        return;
    if (tally->rate_ms) {
        tally->request_rate = (double)(requests - tally->rate_requests) * 1000 / (double)elapsed_ms;
        tally->error_rate = (double)(errors - tally->rate_errors) * 1000 / (double)elapsed_ms;
    }
    tally->rate_ms = now_ms;
    tally->rate_requests = requests;
    tally->rate_errors = errors;
}

/* --- rows --- */

static void take_listener(struct reading *reading, const struct stat_row *row, struct tally *tally)
{
    for (size_t i = 0; i < reading->status->listener_count; i++) {
        struct balancer_listener_status *listener = &reading->status->listeners[i];
        if (!str_equal(listener->name, row->proxy + strlen(LISTENER_PREFIX)))
            continue;
        listener->connections = (unsigned)row->sessions_now;
        listener->requests = tally->requests.base + tally->requests.raw;
        listener->request_rate = tally->request_rate;
    }
}

static struct balancer_backend_status *backend_of(struct reading *reading, const char *name)
{
    struct balancer_status *status = reading->status;
    struct balancer_backend_status *backend = balancer_status_backend(status, name);

    if (backend)
        return backend;
    status->backends =
        mem_resize(status->backends, (status->backend_count + 1) * sizeof *status->backends);
    backend = &status->backends[status->backend_count++];
    *backend = (struct balancer_backend_status){ .p50_ms = -1, .p90_ms = -1, .p95_ms = -1, .p99_ms = -1 };
    (void)snprintf(backend->name, sizeof backend->name, "%s", name);
    return backend;
}

static void take_backend(struct reading *reading, const struct stat_row *row,
                         const struct tally *tally)
{
    struct balancer_backend_status *backend =
        backend_of(reading, row->proxy + strlen(BACKEND_PREFIX));
    const struct latency *latency = map_get(reading->balancer->latencies, row->proxy);

    backend->queue = (unsigned)row->queue_now;
    backend->requests = tally->requests.base + tally->requests.raw;
    backend->errors = tally->errors.base + tally->errors.raw;
    backend->bytes = tally->bytes.base + tally->bytes.raw;
    show_held(reading->balancer, backend);
    backend->request_rate = tally->request_rate;
    backend->error_rate = tally->error_rate;
    if (!latency)
        return;
    backend->p50_ms = latency_percentile(latency, reading->now_ms, 0.5);
    backend->p90_ms = latency_percentile(latency, reading->now_ms, 0.9);
    backend->p95_ms = latency_percentile(latency, reading->now_ms, 0.95);
    backend->p99_ms = latency_percentile(latency, reading->now_ms, 0.99);
}

static void remember_server(struct reading *reading, const char *backend,
                            const struct stat_row *row, bool was_up)
{
    struct balancer *balancer = reading->balancer;
    struct seen_server *seen;

    if (balancer->seen_count == reading->seen_capacity) {
        reading->seen_capacity = reading->seen_capacity ? 2 * reading->seen_capacity : 16;
        balancer->seen =
            mem_resize(balancer->seen, reading->seen_capacity * sizeof *balancer->seen);
    }
    seen = &balancer->seen[balancer->seen_count++];
    seen->was_up = was_up;
    (void)snprintf(seen->backend, sizeof seen->backend, "%.*s", BALANCER_NAME_SIZE - 1, backend);
    (void)snprintf(seen->id, sizeof seen->id, "%.*s", BALANCER_NAME_SIZE - 1, row->server);
    (void)snprintf(seen->status, sizeof seen->status, "%.31s", row->status);
    (void)snprintf(seen->address, sizeof seen->address, "%.*s", ENDPOINT_TEXT_SIZE - 1,
                   row->address);
}

static const struct balancer_member *wanted(const struct balancer *balancer, const char *backend,
                                            const char *id)
{
    for (size_t i = 0; i < balancer->config->backend_count; i++) {
        const struct balancer_backend *its = &balancer->config->backends[i];
        for (size_t j = 0; str_equal(its->name, backend) && j < its->member_count; j++)
            if (str_equal(its->members[j].id, id))
                return &its->members[j];
    }
    return NULL;
}

static enum balancer_member_state member_state(const struct balancer *balancer, const char *backend,
                                               const struct stat_row *row, struct tally *tally)
{
    enum server_state state = server_state_of(row->status);

    const struct balancer_member *member = balancer->config ? wanted(balancer, backend, row->server) : NULL;

    tally->was_up |= state == SERVER_UP;
    if (balancer->config && !member)
        return BALANCER_MEMBER_LEAVING;
    if (state == SERVER_UP)
        return BALANCER_MEMBER_UP;
    if (state == SERVER_DRAINING || (state == SERVER_RESTING && member && member->is_draining))
        return BALANCER_MEMBER_DRAINING;
    return state == SERVER_RESTING || !tally->was_up ? BALANCER_MEMBER_JOINING
                                                     : BALANCER_MEMBER_DOWN;
}

static void take_member(struct reading *reading, const struct stat_row *row, struct tally *tally)
{
    const char *name = row->proxy + strlen(BACKEND_PREFIX);
    struct balancer_backend_status *backend = backend_of(reading, name);
    struct balancer_member_status *member;

    backend->members =
        mem_resize(backend->members, (backend->member_count + 1) * sizeof *backend->members);
    member = &backend->members[backend->member_count++];
    *member =
        (struct balancer_member_status){ .state = member_state(reading->balancer, name, row, tally),
                                         .connections = (unsigned)row->sessions_now,
                                         .queue = (unsigned)row->queue_now,
                                         .requests = tally->requests.base + tally->requests.raw,
                                         .errors = tally->errors.base + tally->errors.raw,
                                         .request_rate = tally->request_rate,
                                         .error_rate = tally->error_rate,
                                         .response_ms = (int64_t)row->total_ms };
    (void)snprintf(member->id, sizeof member->id, "%.*s", BALANCER_NAME_SIZE - 1, row->server);
    stat_row_check(row, member->check, sizeof member->check);
    remember_server(reading, name, row, tally->was_up);
}

static void take_row(void *arg, const struct stat_row *row)
{
    struct reading *reading = arg;
    bool is_listener =
        str_starts(row->proxy, LISTENER_PREFIX) && str_equal(row->server, "FRONTEND");
    struct tally *tally;

    if (!is_listener && !str_starts(row->proxy, BACKEND_PREFIX))
        return;
    tally = tally_of(reading, row);
    measure(tally, reading->now_ms, is_listener && row->requests ? row->requests : row->sessions,
            stat_row_errors(row), row->bytes_in + row->bytes_out);
    if (is_listener)
        take_listener(reading, row, tally);
    else if (str_equal(row->server, "BACKEND"))
        take_backend(reading, row, tally);
    else
        take_member(reading, row, tally);
}

/* --- the whole status --- */

static void set_listeners(struct balancer *balancer)
{
    struct balancer_status *status = &balancer->status;
    size_t wanted_count = balancer->config ? balancer->config->listener_count : 0;

    if (!balancer->config)
        return;
    if (status->listener_count != wanted_count) {
        free(status->listeners);
        status->listeners = mem_zero(wanted_count * sizeof *status->listeners);
        status->listener_count = wanted_count;
    }
    for (size_t i = 0; i < wanted_count; i++) {
        struct balancer_listener_status *listener = &status->listeners[i];
        const char *name = balancer->config->listeners[i].name;
        if (!str_equal(listener->name, name))
            *listener = (struct balancer_listener_status){ 0 };
        (void)snprintf(listener->name, sizeof listener->name, "%s", name);
        (void)snprintf(listener->problem, sizeof listener->problem, "%s", balancer->problems[i]);
        listener->is_port_taken = balancer->is_taken[i];
        listener->is_open = balancer->serving && !balancer->problems[i][0];
    }
}

void figures_take(struct balancer *balancer, const char *answer, size_t size)
{
    struct reading reading = { .balancer = balancer,
                               .status = &balancer->status,
                               .now_ms = loop_now_ms(balancer->driver->loop),
                               .tallies = map_new(free) };
    struct err err;

    set_listeners(balancer);
    for (size_t i = 0; i < balancer->status.backend_count; i++)
        free(balancer->status.backends[i].members);
    free(take_pointer(balancer->status.backends));
    balancer->status.backend_count = 0;
    free(take_pointer(balancer->seen));
    balancer->seen_count = 0;
    if (stats_csv_read(answer, size, take_row, &reading, &err) < 0)
        balancer->refused = err;
    else
        balancer->status.read_wall_ms = loop_wall_ms(balancer->driver->loop);
    map_free(balancer->tallies);
    balancer->tallies = reading.tallies;
}

/* --- saying what changed --- */

void figures_set_state(struct balancer *balancer)
{
    struct balancer_status *status = &balancer->status;
    bool failed = balancer->refused.code != ERR_NONE;

    status->pid = balancer->serving ? balancer->serving->pid : 0;
    status->has_retired = balancer->retired != NULL;
    status->state = balancer->serving                  ? BALANCER_RUNNING
                    : !balancer->config                ? BALANCER_ABSENT
                    : failed && balancer->failures > 1 ? BALANCER_FAILED
                                                       : BALANCER_STARTING;
    (void)snprintf(status->message, sizeof status->message, "%.255s",
                   failed ? balancer->refused.text : "");
}

static void mix(uint64_t *sum, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *sum = (*sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
}

/* A number that is another one when anything but figures is (FNV-1a). */
static uint64_t summary(const struct balancer_status *status)
{
    uint64_t sum = 0xcbf29ce484222325;

    mix(&sum, &status->state, sizeof status->state);
    mix(&sum, &status->pid, sizeof status->pid);
    mix(&sum, &status->has_retired, sizeof status->has_retired);
    mix(&sum, &status->restarts, sizeof status->restarts);
    mix(&sum, status->message, strlen(status->message));
    for (size_t i = 0; i < status->listener_count; i++) {
        mix(&sum, status->listeners[i].name, strlen(status->listeners[i].name));
        mix(&sum, status->listeners[i].problem, strlen(status->listeners[i].problem));
        mix(&sum, &status->listeners[i].is_open, sizeof status->listeners[i].is_open);
    }
    for (size_t i = 0; i < status->backend_count; i++) {
        bool holds = status->backends[i].held > 0;
        mix(&sum, &holds, sizeof holds);
        for (size_t j = 0; j < status->backends[i].member_count; j++) {
            const struct balancer_member_status *member = &status->backends[i].members[j];
            bool is_busy = member->connections || member->queue;
            mix(&sum, member->id, strlen(member->id) + 1);
            mix(&sum, &member->state, sizeof member->state);
            if (member->state == BALANCER_MEMBER_DRAINING) /* it may go as soon as it is idle */
                mix(&sum, &is_busy, sizeof is_busy);
        }
    }
    return sum;
}

void figures_report(struct balancer *balancer)
{
    struct haproxy_driver *driver = balancer->driver;
    uint64_t sum;

    if (balancer->is_removed)
        return;
    set_listeners(balancer);
    figures_set_state(balancer);
    sum = summary(&balancer->status);
    if (sum == balancer->told)
        return;
    balancer->told = sum;
    if (driver->changed)
        driver->changed(driver->arg, balancer->uid);
}
