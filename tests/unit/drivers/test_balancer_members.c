#include "check.h"
#include "drivers/balancer/haproxy/members.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One backend "web" whose members are at 10.0.0.N:80. */
struct scene {
    struct balancer_member members[4];
    struct balancer_backend backend;
    struct balancer_config config;
    struct seen_server seen[4];
    size_t seen_count;
    struct buf commands;
    size_t missing;
};

static void scene_init(struct scene *scene)
{
    *scene = (struct scene){ .backend = { .name = "web",
                                          .is_http = true,
                                          .health = { .type = BALANCER_CHECK_TCP,
                                                      .interval_ms = 2000,
                                                      .timeout_ms = 2000,
                                                      .rise = 1,
                                                      .fall = 2 } } };
    scene->backend.members = scene->members;
    scene->config.backends = &scene->backend;
    scene->config.backend_count = 1;
}

static struct balancer_member *want(struct scene *scene, const char *id, unsigned number)
{
    struct balancer_member *member = &scene->members[scene->backend.member_count++];

    (void)snprintf(member->id, sizeof member->id, "%s", id);
    member->addr = (struct ip_addr){ 4, { 10, 0, 0, (uint8_t)number } };
    member->port = 80;
    return member;
}

static void see(struct scene *scene, const char *id, unsigned number, const char *status)
{
    struct seen_server *seen = &scene->seen[scene->seen_count++];

    (void)snprintf(seen->backend, sizeof seen->backend, "web");
    (void)snprintf(seen->id, sizeof seen->id, "%s", id);
    (void)snprintf(seen->address, sizeof seen->address, "10.0.0.%u:80", number);
    (void)snprintf(seen->status, sizeof seen->status, "%s", status);
}

static const char *plan(struct scene *scene)
{
    members_plan(&scene->config, scene->seen, scene->seen_count, &scene->commands, &scene->missing);
    return scene->commands.bytes ? scene->commands.bytes : "";
}

#define SERVER_WORDS                                                                               \
    "10.0.0.2:80 check inter 2000ms fastinter 200ms downinter 200ms rise 1 fall 2"                 \
    " pool-purge-delay 5s pool-max-conn -1"

TEST(nothing_is_done_when_all_are_as_wanted)
{
    static const char *const statuses[] = { "UP",       "UP 1/2",   "DOWN",
                                            "DOWN 1/2", "no check", "DRAIN (agent)" };

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct scene scene;
        scene_init(&scene);
        (void)want(&scene, "a", 2);
        see(&scene, "a", 2, statuses[i]);
        CHECK_STR(plan(&scene), "");
        CHECK_EQ(scene.missing, 0);
    }
}

TEST(a_new_member_gets_nothing_until_its_check_has_passed)
{
    struct scene scene;

    scene_init(&scene);
    (void)want(&scene, "a", 2);
    CHECK_STR(plan(&scene), "add server b_web/a " SERVER_WORDS ";set server b_web/a state drain;"
                            "enable health b_web/a;set server b_web/a health down;"
                            "set server b_web/a state ready;");
    CHECK_EQ(scene.missing, 1);
    buf_done(&scene.commands);
}

TEST(a_proven_member_gets_traffic_at_once)
{
    struct scene scene;

    scene_init(&scene);
    want(&scene, "a", 2)->is_proven = true;
    CHECK_STR(plan(&scene), "add server b_web/a " SERVER_WORDS ";set server b_web/a state drain;"
                            "enable health b_web/a;set server b_web/a state ready;");
    buf_done(&scene.commands);
}

TEST(one_that_is_proven_while_it_joins_takes_over_before_others_are_drained)
{
    struct scene scene;

    scene_init(&scene);
    want(&scene, "a", 2)->is_draining = true;
    want(&scene, "b", 3)->is_proven = true;
    see(&scene, "a", 2, "UP");
    see(&scene, "b", 3, "DOWN");
    CHECK_STR(plan(&scene), "set server b_web/b health up;set server b_web/a state drain;");
    buf_done(&scene.commands);
}

TEST(one_that_was_up_has_to_pass_its_check_again)
{
    struct scene scene;

    scene_init(&scene);
    want(&scene, "a", 2)->is_proven = true;
    see(&scene, "a", 2, "DOWN");
    scene.seen[0].was_up = true;
    CHECK_STR(plan(&scene), "");
}

TEST(who_leaves_is_left_also_by_those_who_have_its_cookie)
{
    static char cookie[] = "VIRGA";
    static const struct {
        const char *status, *commands;
        bool drains;
    } rows[] = {
        { "UP", "set server b_web/a state maint;", true },
        { "DRAIN", "set server b_web/a state maint;", true },
        { "MAINT", "", true },
        { "MAINT", "set server b_web/a state ready;set server b_web/a weight 1;", false },
        { "DRAIN", "set server b_web/a state ready;set server b_web/a weight 1;", false },
        { "UP", "", false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene;

        scene_init(&scene);
        scene.backend.cookie = cookie;
        want(&scene, "a", 2)->is_draining = rows[i].drains;
        see(&scene, "a", 2, rows[i].status);
        CHECK_STR(plan(&scene), rows[i].commands);
        buf_done(&scene.commands);
    }
}

TEST(a_member_is_drained_and_taken_back)
{
    struct scene scene;

    scene_init(&scene);
    want(&scene, "a", 2)->is_draining = true;
    (void)want(&scene, "b", 3);
    see(&scene, "a", 2, "UP");
    see(&scene, "b", 3, "DRAIN");
    CHECK_STR(plan(&scene), "set server b_web/b state ready;set server b_web/b weight 1;"
                            "set server b_web/a state drain;");
    CHECK_EQ(scene.missing, 0);
    buf_done(&scene.commands);
}

TEST(what_is_not_wanted_is_removed)
{
    struct scene scene;

    scene_init(&scene);
    see(&scene, "a", 2, "UP");
    CHECK_STR(plan(&scene), "disable agent b_web/a;set server b_web/a state maint;"
                            "shutdown sessions server b_web/a;del server b_web/a;");
    buf_done(&scene.commands);
}

TEST(a_member_with_another_address_goes_and_comes_again)
{
    struct scene scene;

    scene_init(&scene);
    (void)want(&scene, "a", 2);
    see(&scene, "a", 9, "UP");
    CHECK_CONTAINS(plan(&scene), "del server b_web/a");
    CHECK(strstr(plan(&scene), "add server") == NULL);
    CHECK_EQ(scene.missing, 1);
    buf_done(&scene.commands);
}

TEST(one_found_in_maintenance_is_brought_back)
{
    struct scene scene;

    scene_init(&scene);
    (void)want(&scene, "a", 2);
    see(&scene, "a", 2, "MAINT");
    CHECK_CONTAINS(plan(&scene), "set server b_web/a state ready");
    buf_done(&scene.commands);
}

TEST(many_commands_become_several_lines_that_each_fit)
{
    static struct balancer_member many[500];
    struct scene scene;
    size_t longest = 0;

    scene_init(&scene);
    for (unsigned i = 0; i < 500; i++) {
        (void)snprintf(many[i].id, sizeof many[i].id, "member-with-a-name-of-some-length-%u", i);
        many[i].addr = (struct ip_addr){ 4, { 10, 0, (uint8_t)(i >> 8), (uint8_t)i } };
        many[i].port = 80;
    }
    scene.backend.members = many;
    scene.backend.member_count = 500;
    for (const char *line = plan(&scene); *line;) {
        size_t length = strcspn(line, "\n");
        longest = length > longest ? length : longest;
        line += length + (line[length] == '\n');
    }
    CHECK(longest > 4000);
    CHECK(longest < 12 * 1024);
    CHECK_EQ(scene.missing, 500);
    buf_done(&scene.commands);
}
