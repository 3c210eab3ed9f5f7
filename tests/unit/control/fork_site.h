/* tests/unit/control/fork_site.h - an InstanceGroup "web" whose members fork: its seed, members and warm ones. */
#pragma once
#include "group_site.h"

/* Until the next call of the same. */
static inline const char *group_text(const char *path)
{
    static char text[512];
    auto_json json_t *object = group();

    snprintf(text, sizeof text, "%s", json_text_at(object, path, ""));
    return text;
}

static inline const char *fork_reason(void)
{
    static char text[64];
    auto_json json_t *object = group();

    snprintf(text, sizeof text, "%s", json_text_at(condition_get(object, "ForkReady"), "reason", ""));
    return text;
}

/* --- what there is --- */

static struct census {
    unsigned seeds, members, warm, forked, booted;
    char seed[64], member[64], warm_one[64];
} census;

static inline bool has_label(const json_t *object, const char *name)
{
    return json_object_get(json_at(object, "metadata.labels"), name) != NULL;
}

static inline void take_census_of(void *arg, const json_t *object)
{
    if (has_label(object, "virga.dev/seed")) {
        CHECK(!has_label(object, LABEL_GROUP));
        CHECK(!has_label(object, "tier"));
        census.seeds++;
        snprintf(census.seed, sizeof census.seed, "%s", object_name(object));
    } else if (has_label(object, LABEL_WARM)) {
        census.warm++;
        snprintf(census.warm_one, sizeof census.warm_one, "%s", object_name(object));
    } else {
        census.members++;
        snprintf(census.member, sizeof census.member, "%s", object_name(object));
        census.forked += condition_is_true(object, "Forked");
        census.booted += !json_at(object, "spec.snapshot");
    }
}

static inline const struct census *look(void)
{
    census = (struct census){ 0 };
    control_each(site.control, &kind_instance, "default", take_census_of, NULL);
    return &census;
}

static unsigned snapshots;

static inline void count_snapshot(void *arg, const json_t *object) { snapshots++; }

static inline unsigned snapshot_count(void)
{
    snapshots = 0;
    control_each(site.control, &kind_snapshot, "default", count_snapshot, NULL);
    return snapshots;
}

static inline void wait_text(const char *path, const char *text)
{
    for (int64_t waited_ms = 0; !str_equal(group_text(path), text); waited_ms += STEP_MS) {
        auto_json json_t *object = group();
        auto_free char *status = json_text(json_object_get(object, "status"));

        if (waited_ms > LIMIT_MS)
            check_fail(CHECK_HERE, "%s is never %s: %s", path, text, status);
        pass_time();
    }
}

/* Members, warm ones and seeds; all there are, and ready. */
static inline void wait_settled(unsigned ready, unsigned warm)
{
    for (int64_t waited_ms = 0;; waited_ms += STEP_MS) {
        auto_json json_t *object = group();
        auto_free char *status = json_text(json_object_get(object, "status"));

        look();
        if (group_int("status.readyReplicas") == ready && group_int("status.warmReplicas") == warm &&
            census.members == ready && census.warm == warm && !census.seeds)
            return;
        if (waited_ms > LIMIT_MS)
            check_fail(CHECK_HERE, "%u members, %u warm, %u seeds, never %u and %u: %s", census.members, census.warm,
                       census.seeds, ready, warm, status);
        pass_time();
    }
}

/* The guest does as it is told: what makes a fork somebody else. */
static inline json_t *obey(void *arg, const char *uid, const char *command, const json_t *arguments, struct err *err)
{
    if (str_equal(command, "guest-exec"))
        return json_pack("{s:i}", "pid", 7);
    if (str_equal(command, "guest-exec-status"))
        return json_pack("{s:b,s:i}", "exited", 1, "exitcode", 0);
    return json_object();
}

static inline void begin_forking(uint64_t seed, json_t *take_spec)
{
    begin(seed);
    compute_fake_set_agent(site.world, obey, NULL);
    most_members = 0;
    create_image();
    json_set_at(take_spec, "start", json_string("Fork"));
    json_set_at(take_spec, "template.metadata.labels", json_pack("{s:s}", "tier", "front"));
    create_group(take_spec);
}

static inline void end_forking(void)
{
    site.crashes = false;
    delete_group();
    for (int i = 0; i < 600 && (snapshot_count() || look()->seeds); i++) { /* the API collects what a group leaves */
        loop_sim_advance(site.loop, STEP_MS);
    }
    CHECK_EQ(snapshot_count(), 0);
    CHECK_EQ(compute_fake_frozen_count(site.world), 0);
    check_nothing_left();
    end();
}
