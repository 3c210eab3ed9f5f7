/* drivers/balancer/fake/driver.c - the contract's face of the pretended proxies. */
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/balancer/fake/world.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A call under way, or a proxy that is about to be back. */
struct fake_call {
    struct balancer_fake_driver *driver;
    const char *name;
    char uid[BALANCER_NAME_SIZE];
    struct balancer_config *config; /* of ensure */
    struct done done;
    struct err refused;
    struct loop_source *timer;
    struct fake_call *next;
};

struct balancer_fake_driver {
    struct balancer_driver driver; /* first */
    struct balancer_fake *world;
    bool owns_world;
    struct loop *loop;
    void (*changed)(void *arg, const char *uid);
    void *arg;
    struct fake_call *calls; /* oldest first */
};

static struct balancer_fake_driver *fake_of(struct balancer_driver *driver)
{
    return (struct balancer_fake_driver *)driver;
}

/* --- calls --- */

static void unlink_call(struct fake_call *call)
{
    struct fake_call **link = &call->driver->calls;

    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
}

static void apply(struct fake_call *call)
{
    struct balancer_fake *world = call->driver->world;
    struct fake_balancer *balancer = balfake_find(world, call->uid);

    if (call->config)
        balfake_ensure(world, call->config);
    else if (str_equal(call->name, "back") && balancer) {
        balancer->is_down = false;
        balfake_refresh(world, balancer);
    } else if (!str_equal(call->name, "back"))
        balfake_remove(world, call->uid);
}

static void end(struct fake_call *call, const struct err *err)
{
    unlink_call(call);
    loop_source_free(call->timer);
    done_call(call->done, err);
    balancer_config_free(call->config);
    free(call);
}

static bool fails(struct fake_call *call)
{
    unsigned one_in = call->driver->world->settings.fail_one_in;
    auto_free char *point = str_printf("balancer.%s", call->name);

    if (call->refused.code || fault_fails(point, &call->refused) < 0)
        return true;
    if (!one_in || str_equal(call->name, "back") || loop_random(call->driver->loop) % one_in)
        return false;
    (void)err_set(&call->refused, ERR_IO, "pretended failure");
    return true;
}

static void on_due(void *arg)
{
    struct fake_call *call = arg;
    struct balancer_fake_driver *driver = call->driver;
    char uid[BALANCER_NAME_SIZE];
    bool failed = fails(call);

    (void)snprintf(uid, sizeof uid, "%s", call->uid);
    if (!failed)
        apply(call);
    end(call, failed ? &call->refused : NULL);
    if (!failed)
        balfake_driver_changed(driver, uid);
}

static struct fake_call *call_new(struct balancer_fake_driver *driver, const char *name,
                                  const char *uid, int64_t delay_ms)
{
    struct fake_call *call = mem_new(struct fake_call), **link = &driver->calls;

    *call = (struct fake_call){ .driver = driver, .name = name };
    (void)snprintf(call->uid, sizeof call->uid, "%.*s", BALANCER_NAME_SIZE - 1, uid ? uid : "");
    while (*link)
        link = &(*link)->next;
    *link = call;
    call->timer = loop_timer(driver->loop, delay_ms, on_due, call);
    return call;
}

static int64_t delay_ms(struct balancer_fake_driver *driver)
{
    const struct balancer_fake_settings *settings = &driver->world->settings;
    uint64_t span = (uint64_t)(settings->delay_max_ms - settings->delay_min_ms + 1);

    return settings->delay_min_ms + (int64_t)(loop_random(driver->loop) % span);
}

static void cancel(struct fake_call *call, const char *why)
{
    struct err err;

    (void)err_set(&err, ERR_CANCELLED, "%s", why);
    end(call, &err);
}

/* --- open and close --- */

struct balancer_driver *balancer_fake_open(struct balancer_fake *world,
                                           const struct balancer_setup *setup)
{
    struct balancer_fake_driver *fake = mem_new(struct balancer_fake_driver);

    assert(!world->driver);
    *fake = (struct balancer_fake_driver){ .driver = { &balancer_fake },
                                           .world = world,
                                           .loop = setup->loop,
                                           .changed = setup->changed,
                                           .arg = setup->arg };
    world->driver = fake;
    return &fake->driver;
}

static struct balancer_driver *fake_open(const struct balancer_setup *setup, struct err *err)
{
    struct balancer_driver *driver;

    if (fault_fails("balancer.open", err))
        return NULL;
    driver = balancer_fake_open(balancer_fake_new(), setup);
    fake_of(driver)->owns_world = true;
    return driver;
}

static void fake_close(struct balancer_driver *face)
{
    struct balancer_fake_driver *driver = face ? fake_of(face) : NULL;

    if (!driver)
        return;
    while (driver->calls) {
        if (!driver->calls->refused.code && loop_random(driver->loop) % 2)
            apply(driver->calls);
        cancel(driver->calls, "the driver is closing");
    }
    driver->world->driver = NULL;
    if (driver->owns_world)
        balancer_fake_free(driver->world);
    free(driver);
}

/* --- the contract --- */

static void on_overtaken(void *arg) { cancel(arg, "another configuration came"); }

/* An older ensure() of the same balancer has no effect any more. */
static void overtake(struct balancer_fake_driver *driver, const char *uid)
{
    for (struct fake_call *call = driver->calls; call; call = call->next)
        if (call->config && str_equal(call->uid, uid)) {
            loop_source_free(call->timer);
            call->timer = loop_defer(driver->loop, on_overtaken, call);
            balancer_config_free(take_pointer(call->config));
            (void)err_set(&call->refused, ERR_CANCELLED, "another configuration came");
        }
}

static void fake_ensure(struct balancer_driver *face, const struct balancer_config *config,
                        int take_netns_fd, struct done done)
{
    struct balancer_fake_driver *driver = fake_of(face);
    struct fake_call *call;
    struct err refused = { 0 };

    if (take_netns_fd >= 0)
        close(take_netns_fd);
    (void)balancer_config_check(config, &refused);
    if (!refused.code)
        overtake(driver, config->uid);
    call = call_new(driver, "ensure", config->uid, delay_ms(driver));
    call->refused = refused;
    call->config = balancer_config_copy(config);
    call->done = done;
}

static void fake_remove(struct balancer_driver *face, const char *uid, struct done done)
{
    overtake(fake_of(face), uid);
    call_new(fake_of(face), "remove", uid, delay_ms(fake_of(face)))->done = done;
}

static const struct balancer_status *fake_observe(struct balancer_driver *face, const char *uid)
{
    static const struct balancer_status absent = { .state = BALANCER_ABSENT };
    struct fake_balancer *balancer = balfake_find(fake_of(face)->world, uid);

    if (!balancer)
        return &absent;
    balancer->status.read_wall_ms = loop_wall_ms(fake_of(face)->loop);
    return &balancer->status;
}

static char **fake_list(struct balancer_driver *face) { return map_keys(fake_of(face)->world->balancers); }

void balfake_driver_changed(struct balancer_fake_driver *driver, const char *uid)
{
    if (driver && driver->changed)
        driver->changed(driver->arg, uid);
}

void balfake_driver_back(struct balancer_fake_driver *driver, const char *uid, int64_t after_ms)
{
    if (driver)
        (void)call_new(driver, "back", uid, after_ms);
}

const struct balancer_ops balancer_fake = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .ensure = fake_ensure,
    .remove = fake_remove,
    .observe = fake_observe,
    .list = fake_list,
};
