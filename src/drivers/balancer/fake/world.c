/* drivers/balancer/fake/world.c - the pretended proxies. */
#include "drivers/balancer/fake/world.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_PID = 1000 };

static void fake_balancer_free(void *pointer)
{
    struct fake_balancer *balancer = pointer;

    balancer_config_free(balancer->config);
    balancer_status_done(&balancer->status);
    map_free(balancer->loads);
    free(balancer);
}

struct balancer_fake *balancer_fake_new(void)
{
    struct balancer_fake *fake = mem_new(struct balancer_fake);

    *fake = (struct balancer_fake){ .balancers = map_new(fake_balancer_free),
                                    .sick = map_new(NULL),
                                    .taken_ports = map_new(NULL),
                                    .settings = { .delay_max_ms = 3 },
                                    .next_pid = FIRST_PID };
    return fake;
}

void balancer_fake_free(struct balancer_fake *fake)
{
    if (!fake)
        return;
    map_free(fake->balancers);
    map_free(fake->sick);
    map_free(fake->taken_ports);
    free(fake);
}

void balancer_fake_set(struct balancer_fake *fake, const struct balancer_fake_settings *settings)
{
    fake->settings = *settings;
}

struct fake_balancer *balfake_find(const struct balancer_fake *fake, const char *uid)
{
    return map_get(fake->balancers, uid);
}

/* --- status from config, health and load --- */

static char *place(const struct ip_addr *addr, uint16_t port)
{
    char text[IP_TEXT_SIZE];

    ip_format(addr, text);
    return str_printf("%s:%u", text, port);
}

static enum balancer_member_state state_of(const struct balancer_fake *fake,
                                           const struct balancer_backend *backend,
                                           const struct balancer_member *member, bool was_up)
{
    auto_free char *where = place(&member->addr, member->port);
    bool is_sick = backend->health.type != BALANCER_CHECK_NONE && map_has(fake->sick, where);

    if (member->is_draining)
        return BALANCER_MEMBER_DRAINING;
    if (!is_sick)
        return BALANCER_MEMBER_UP;
    return was_up || member->is_proven ? BALANCER_MEMBER_DOWN : BALANCER_MEMBER_JOINING;
}

static bool was_up(const struct balancer_backend_status *before, const char *id)
{
    const struct balancer_member_status *member =
        before ? balancer_status_member(before, id) : NULL;

    return member && (member->state == BALANCER_MEMBER_UP || member->state == BALANCER_MEMBER_DOWN);
}

static bool has_one_up(const struct balancer_backend_status *backend)
{
    for (size_t i = 0; i < backend->member_count; i++)
        if (backend->members[i].state == BALANCER_MEMBER_UP)
            return true;
    return false;
}

static struct balancer_backend_status backend_status(const struct balancer_fake *fake,
                                                     const struct fake_balancer *balancer,
                                                     const struct balancer_backend *backend)
{
    static const struct balancer_fake_load none = { .p50_ms = -1, .p90_ms = -1, .p95_ms = -1, .p99_ms = -1 };
    const struct balancer_backend_status *before =
        balancer_status_backend(&balancer->status, backend->name);
    const struct balancer_fake_load *load = map_get(balancer->loads, backend->name);
    struct balancer_backend_status status = { .member_count = backend->member_count };

    load = load ? load : &none;
    (void)snprintf(status.name, sizeof status.name, "%s", backend->name);
    status.p50_ms = load->p50_ms;
    status.p90_ms = load->p90_ms;
    status.p95_ms = load->p95_ms;
    status.p99_ms = load->p99_ms;
    status.members = mem_zero(backend->member_count * sizeof *status.members);
    for (size_t i = 0; i < backend->member_count; i++) {
        struct balancer_member_status *member = &status.members[i];
        (void)snprintf(member->id, sizeof member->id, "%s", backend->members[i].id);
        member->state = state_of(fake, backend, &backend->members[i], was_up(before, member->id));
        if (member->state != BALANCER_MEMBER_UP && member->state != BALANCER_MEMBER_DRAINING)
            continue;
        member->connections = load->connections;
        member->queue = load->queue;
        member->request_rate = member->state == BALANCER_MEMBER_UP ? load->request_rate : 0;
        member->error_rate = member->state == BALANCER_MEMBER_UP ? load->error_rate : 0;
        status.queue += member->queue;
        status.request_rate += member->request_rate;
        status.error_rate += member->error_rate;
    }
    status.requests = load->requests;
    status.bytes = load->bytes;
    if (!has_one_up(&status))
        status.held = load->held < backend->held_max ? load->held : backend->held_max;
    status.queue += status.held;
    return status;
}

static void refresh_listeners(const struct balancer_fake *fake, struct fake_balancer *balancer)
{
    const struct balancer_config *config = balancer->config;

    free(balancer->status.listeners);
    balancer->status.listeners =
        mem_zero(config->listener_count * sizeof *balancer->status.listeners);
    balancer->status.listener_count = config->listener_count;
    for (size_t i = 0; i < config->listener_count; i++) {
        struct balancer_listener_status *listener = &balancer->status.listeners[i];
        auto_free char *port = str_printf("%u", config->listeners[i].port);
        (void)snprintf(listener->name, sizeof listener->name, "%s", config->listeners[i].name);
        listener->is_port_taken =
            map_has(fake->taken_ports, port) && !config->listeners[i].is_inside;
        listener->is_open = !balancer->is_down && !listener->is_port_taken;
        if (listener->is_port_taken)
            (void)snprintf(listener->problem, sizeof listener->problem,
                           "port %s is in use by another program", port);
    }
}

void balfake_refresh(struct balancer_fake *fake, struct fake_balancer *balancer)
{
    const struct balancer_config *config = balancer->config;
    struct balancer_backend_status *backends = mem_zero(config->backend_count * sizeof *backends);

    for (size_t i = 0; i < config->backend_count; i++)
        backends[i] = backend_status(fake, balancer, &config->backends[i]);
    for (size_t i = 0; i < balancer->status.backend_count; i++)
        free(balancer->status.backends[i].members);
    free(balancer->status.backends);
    balancer->status.backends = backends;
    balancer->status.backend_count = config->backend_count;
    refresh_listeners(fake, balancer);
    balancer->status.state = balancer->is_down ? BALANCER_STARTING : BALANCER_RUNNING;
}

/* --- changes --- */

/* As the real one: another process only when more than members and certificates differ. */
static bool is_same_process(const struct balancer_config *a, const struct balancer_config *b)
{
    if (a->listener_count != b->listener_count || a->backend_count != b->backend_count)
        return false;
    for (size_t i = 0; i < a->listener_count; i++)
        if (!str_equal(a->listeners[i].name, b->listeners[i].name) ||
            a->listeners[i].port != b->listeners[i].port ||
            a->listeners[i].protocol != b->listeners[i].protocol)
            return false;
    for (size_t i = 0; i < a->backend_count; i++)
        if (!str_equal(a->backends[i].name, b->backends[i].name) ||
            a->backends[i].algorithm != b->backends[i].algorithm)
            return false;
    return true;
}

void balfake_ensure(struct balancer_fake *fake, const struct balancer_config *config)
{
    struct fake_balancer *balancer = balfake_find(fake, config->uid);
    bool keeps_pid = balancer && is_same_process(balancer->config, config);

    if (!balancer) {
        balancer = mem_new(struct fake_balancer);
        balancer->loads = map_new(free);
        map_set(fake->balancers, config->uid, balancer);
    }
    balancer_config_free(balancer->config);
    balancer->config = balancer_config_copy(config);
    if (!keeps_pid)
        balancer->status.pid = fake->next_pid++;
    balfake_refresh(fake, balancer);
}

void balfake_remove(struct balancer_fake *fake, const char *uid)
{
    map_remove(fake->balancers, uid);
}

/* --- what happens to balancers --- */

void balancer_fake_reboot(struct balancer_fake *fake)
{
    map_free(fake->balancers);
    fake->balancers = map_new(fake_balancer_free);
}

void balancer_fake_crash(struct balancer_fake *fake, const char *uid, int64_t back_after_ms)
{
    struct fake_balancer *balancer = balfake_find(fake, uid);

    if (!balancer)
        return;
    balancer->is_down = true;
    balancer->status.restarts++;
    balancer->status.pid = fake->next_pid++;
    (void)snprintf(balancer->status.last_end, sizeof balancer->status.last_end,
                   "killed by signal 9 (Killed)");
    balfake_refresh(fake, balancer);
    balfake_driver_changed(fake->driver, uid);
    balfake_driver_back(fake->driver, uid, back_after_ms);
}

static void tell_all(struct balancer_fake *fake)
{
    const char *uid;
    void *balancer;

    for (size_t at = 0; map_next(fake->balancers, &at, &uid, &balancer);) {
        balfake_refresh(fake, balancer);
        balfake_driver_changed(fake->driver, uid);
    }
}

void balancer_fake_set_health(struct balancer_fake *fake, const struct ip_addr *addr, uint16_t port,
                              bool is_healthy)
{
    auto_free char *where = place(addr, port);

    if (is_healthy)
        map_remove(fake->sick, where);
    else
        map_set(fake->sick, where, fake);
    tell_all(fake);
}

void balancer_fake_take_port(struct balancer_fake *fake, uint16_t port, bool is_taken)
{
    auto_free char *text = str_printf("%u", port);

    if (is_taken)
        map_set(fake->taken_ports, text, fake);
    else
        map_remove(fake->taken_ports, text);
}

void balancer_fake_set_load(struct balancer_fake *fake, const char *uid, const char *backend,
                            const struct balancer_fake_load *load)
{
    struct fake_balancer *balancer = balfake_find(fake, uid);

    if (!balancer)
        return;
    map_set(balancer->loads, backend, mem_copy(load, sizeof *load));
    balfake_refresh(fake, balancer);
    if (load->held)
        balfake_driver_changed(fake->driver, uid);
}

void balancer_fake_set_retired(struct balancer_fake *fake, const char *uid, bool has_retired)
{
    struct fake_balancer *balancer = balfake_find(fake, uid);

    if (!balancer)
        return;
    balancer->status.has_retired = has_retired;
    balfake_driver_changed(fake->driver, uid);
}

/* --- what is there --- */

unsigned balancer_fake_count(const struct balancer_fake *fake)
{
    return (unsigned)map_count(fake->balancers);
}

const struct balancer_config *balancer_fake_config(const struct balancer_fake *fake,
                                                   const char *uid)
{
    const struct fake_balancer *balancer = balfake_find(fake, uid);

    return balancer ? balancer->config : NULL;
}
