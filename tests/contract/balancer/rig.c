#include "rig.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 30 * 1000, GLANCE_MS = 20 };

uint16_t rig_member_port(unsigned number) { return (uint16_t)(9100 + number); }

static struct ip_addr loopback(void) { return (struct ip_addr){ 4, { 127, 0, 0, 1 } }; }

static void add_member(struct balancer_backend *backend, unsigned number)
{
    struct balancer_member *member = &backend->members[backend->member_count++];

    *member = (struct balancer_member){ .addr = loopback(), .port = rig_member_port(number) };
    (void)snprintf(member->id, sizeof member->id, "member-%u", number);
}

struct balancer_config *rig_config(const char *uid, unsigned member_count)
{
    struct balancer_config *config = mem_new(struct balancer_config);
    struct balancer_listener *listener = mem_new(struct balancer_listener);
    struct balancer_backend *backend = mem_new(struct balancer_backend);

    *config =
        (struct balancer_config){ str_dup(uid), str_dup("default/test"), listener, 1, backend, 1 };
    *listener = (struct balancer_listener){ .name = "http",
                                            .protocol = BALANCER_HTTP,
                                            .addr = loopback(),
                                            .port = 9080,
                                            .backend = "web",
                                            .connections_max = 500,
                                            .idle_timeout_ms = 10000 };
    *backend = (struct balancer_backend){ .name = "web",
                                          .is_http = true,
                                          .connect_timeout_ms = 1000,
                                          .queue_timeout_ms = 5000,
                                          .idle_timeout_ms = 10000,
                                          .health = { .type = BALANCER_CHECK_TCP,
                                                      .interval_ms = 200,
                                                      .timeout_ms = 500,
                                                      .rise = 1,
                                                      .fall = 1 } };
    backend->members = mem_zero(9 * sizeof backend->members[0]);
    for (unsigned i = 1; i <= member_count; i++)
        add_member(backend, i);
    return config;
}

/* --- waiting --- */

static void on_done(void *arg, const struct err *err)
{
    struct wait *wait = arg;

    CHECK(!wait->called);
    wait->called = true;
    if (err)
        wait->err = *err;
    loop_stop(wait->rig->loop);
}

struct done wait_done(struct rig *rig, struct wait *wait)
{
    *wait = (struct wait){ .rig = rig };
    return (struct done){ on_done, wait };
}

static void on_late(void *arg)
{
    struct rig *rig = arg;

    rig->is_late = true;
    loop_stop(rig->loop);
}

void rig_wait(struct rig *rig, struct wait *wait)
{
    struct loop_source *timer = loop_timer(rig->loop, PATIENCE_MS, on_late, rig);
    struct err err;

    rig->is_late = false;
    while (!wait->called && !rig->is_late)
        CHECK_OK(loop_run(rig->loop, &err), &err);
    loop_source_free(timer);
    if (!wait->called)
        check_fail(CHECK_HERE, "no answer within %d ms", PATIENCE_MS);
}

void rig_changed(void *arg, const char *uid)
{
    struct rig *rig = arg;

    rig->changes++;
    CHECK(uid[0] != '\0');
}

struct glance {
    struct rig *rig;
    struct loop_source *timer;
};

static void on_glance(void *arg)
{
    struct glance *glance = arg;

    loop_timer_again(glance->timer, GLANCE_MS);
    loop_stop(glance->rig->loop);
}

void rig_reach(struct rig *rig, const char *uid, rig_holds_fn *holds, const char *what)
{
    struct loop_source *late = loop_timer(rig->loop, PATIENCE_MS, on_late, rig);
    struct glance glance = { rig, NULL };
    struct err err;

    rig->is_late = false;
    glance.timer = loop_timer(rig->loop, GLANCE_MS, on_glance, &glance);
    while (!holds(rig->balancer->ops->observe(rig->balancer, uid)) && !rig->is_late)
        CHECK_OK(loop_run(rig->loop, &err), &err);
    loop_source_free(glance.timer);
    loop_source_free(late);
    if (!holds(rig->balancer->ops->observe(rig->balancer, uid))) {
        const struct balancer_status *status = rig->balancer->ops->observe(rig->balancer, uid);
        check_fail(CHECK_HERE, "never so: %s (state %d: %s)", what, status->state, status->message);
    }
}

void rig_ensure(struct rig *rig, const struct balancer_config *config, struct wait *ret_wait)
{
    rig->balancer->ops->ensure(rig->balancer, config, -1, wait_done(rig, ret_wait));
    CHECK(!ret_wait->called);
    rig_wait(rig, ret_wait);
}

void rig_ensure_ok(struct rig *rig, const struct balancer_config *config)
{
    struct wait wait;

    rig_ensure(rig, config, &wait);
    CHECK_STR(wait.err.text, "");
}

void rig_remove_ok(struct rig *rig, const char *uid)
{
    struct wait wait;

    rig->balancer->ops->remove(rig->balancer, uid, wait_done(rig, &wait));
    CHECK(!wait.called);
    rig_wait(rig, &wait);
    CHECK_STR(wait.err.text, "");
}
