/* tests/unit/control/group_site.h - a host in miniature with an InstanceGroup "web" on it. */
#pragma once
#include "site.h"
#include "control/balancers.h"
#include <sys/socket.h>

static void create_group(json_t *take_spec)
{
    json_set_at(take_spec, "template.spec.image", json_string("debian"));
    json_set_at(take_spec, "template.spec.cpus", json_integer(1));
    json_set_at(take_spec, "template.spec.memory", json_string("64Mi"));
    json_set_at(take_spec, "template.spec.guestAgent", json_true());
    control_create(site.control, &kind_instance_group,
                   json_pack("{s:{s:s,s:s},s:o}", "metadata", "name", "web", "namespace", "default", "spec", take_spec),
                   nobody);
    loop_sim_advance(site.loop, STEP_MS);
}

static json_t *group(void) { return control_find(site.control, &kind_instance_group, "default", "web"); }

static int64_t group_int(const char *path)
{
    auto_json json_t *object = group();

    return json_int_at(object, path, -1);
}

static void set_group(const char *path, json_t *take_value)
{
    auto_json json_t *value = take_value;

    for (unsigned tries = 0; tries < 1000; tries++) {
        json_t *object = group();

        if (json_equal(json_at(object, path), value)) {
            json_decref(object);
            return;
        }
        json_set_at(object, path, json_incref(value));
        control_update(site.control, &kind_instance_group, object, nobody);
        loop_sim_advance(site.loop, 1);
    }
    check_fail(CHECK_HERE, "%s cannot be set", path);
}

static unsigned members;
static unsigned most_members;
static char newest[64];

static void count_member(void *arg, const json_t *object)
{
    members++;
    if (arg)
        snprintf(arg, sizeof newest, "%s", object_name(object));
}

static unsigned member_count(void)
{
    members = 0;
    control_each(site.control, &kind_instance, "default", count_member, newest);
    if (members > most_members)
        most_members = members;
    return members;
}

static void wait_ready(int64_t count)
{
    for (int64_t waited_ms = 0; group_int("status.readyReplicas") != count || member_count() != (unsigned)count;
         waited_ms += STEP_MS) {
        if (waited_ms > LIMIT_MS) {
            auto_json json_t *object = group();
            auto_free char *text = json_text(json_object_get(object, "status"));
            check_fail(CHECK_HERE, "%u members, never %lld ready: %s", members, (long long)count, text);
        }
        pass_time();
    }
}

/* The oldest probe gets an answer, when there is one. */
static inline void answer_probe(const char *answer)
{
    struct ip_addr to;
    uint16_t port;
    int fd = network_fake_take_dialled(site.net, &to, &port);

    if (fd < 0)
        return;
    (void)send(fd, answer, strlen(answer), MSG_NOSIGNAL); /* nobody waits any more: fine */
    close(fd);
}

/* With each probe answered by 404. */
static inline void wait_message(const char *wanted)
{
    for (int64_t waited_ms = 0;; waited_ms += STEP_MS) {
        auto_json json_t *object = group();
        const char *message = json_text_at(object, "status.message", "");

        if (strstr(message, wanted))
            return;
        if (waited_ms > LIMIT_MS)
            check_fail(CHECK_HERE, "never says %s: %s", wanted, message);
        answer_probe("HTTP/1.1 404 Not Found\r\n\r\n");
        pass_time();
    }
}

static void delete_group(void)
{
    for (unsigned i = 0; i < 10000; i++) {
        auto_json json_t *object = group();

        if (!object)
            return;
        if (!object_is_deleting(object))
            control_delete(site.control, &kind_instance_group, "default", "web", nobody);
        pass_time();
    }
    check_fail(CHECK_HERE, "the group does not go");
}

static void begin_group(uint64_t seed, json_t *take_spec)
{
    begin(seed);
    most_members = 0;
    create_image();
    create_group(take_spec);
}

static void end_group(void)
{
    site.crashes = false;
    delete_group();
    check_nothing_left();
    end();
}
