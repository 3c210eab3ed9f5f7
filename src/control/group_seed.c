/* control/group_seed.c - the seed of a group whose members fork.
 *
 *      +--- not ready ---+
 *      v                 |
 *   Booting --ready--> Settling --settle--> Freezing --Snapshot Ready--> Ready
 *      ^                                                                   |
 *      +-- retryAt -- Failed <--- ended, late, not frozen, its forks fail -+
 *
 * Another begins when the template changes, when spec.seedAt is new, and when the frozen one is lost.
 * status.seed is the newest; status.forkFrom is what members are made from, which the newest replaces
 * when it is Ready. Until then, or until it fails, the group stays with the template of the older one:
 * it grows and heals from that, and replaces nobody. */
#include "control/group.h"
#include "base/quantity.h"
#include "base/random.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdarg.h>

enum { SUFFIX_LENGTH = 5, SWEEP_AGAIN_MS = 1000 };

static json_t *seed_of(const struct group_scene *scene) { return json_at(scene->object, "status.seed"); }

static const char *seed_text(const struct group_scene *scene, const char *name)
{
    return json_text_at(seed_of(scene), name, NULL);
}

static bool is_phase(const struct group_scene *scene, const char *phase)
{
    return str_equal(seed_text(scene, "phase"), phase);
}

static bool is_of_template(const struct group_scene *scene)
{
    return json_int_at(seed_of(scene), "revision", 0) == scene->revision;
}

static int64_t failures_of(const struct group_scene *scene)
{
    return is_of_template(scene) ? json_int_at(seed_of(scene), "failures", 0) : 0;
}

static bool is_decided(const struct group_scene *scene)
{
    return is_of_template(scene) && (is_phase(scene, "Ready") || is_phase(scene, "Failed"));
}

static const char *source_of(const struct group_scene *scene)
{
    return json_text_at(scene->object, "status.forkFrom.snapshot", NULL);
}

static int64_t seed_time_ms(const struct group_scene *scene, const char *name)
{
    int64_t wall_ms = 0;
    struct err err;

    if (seed_text(scene, name))
        (void)time_parse(seed_text(scene, name), &wall_ms, &err); /* stored by us */
    return wall_ms;
}

static void set_time(const struct group_scene *scene, const char *name, int64_t wall_ms)
{
    char text[TIME_MICRO_TEXT_SIZE];

    time_format_micro(wall_ms, text, sizeof text);
    json_object_set_new(seed_of(scene), name, json_string(text));
}

static int64_t since_ms(const struct group_scene *scene) { return group_now_ms(scene) - seed_time_ms(scene, "since"); }

static int64_t start_timeout_ms(const struct group_scene *scene)
{
    return view_duration_ms(&kind_instance_group, scene->object, "spec.healing.startTimeout");
}

static void set_phase(struct group_scene *scene, const char *phase)
{
    json_object_set_new(seed_of(scene), "phase", json_string(phase));
    set_time(scene, "since", group_now_ms(scene));
    json_object_del(seed_of(scene), "message");
    json_object_del(seed_of(scene), "retryAt");
}

/* --- failure --- */

/* Always false: the status has changed. */
__attribute__((format(printf, 2, 3))) static bool fail(struct group_scene *scene, const char *format, ...)
{
    int64_t failures = failures_of(scene) + 1;
    va_list args;

    va_start(args, format);
    auto_free char *text = str_vprintf(format, args);
    va_end(args);
    set_phase(scene, "Failed");
    json_object_set_new(seed_of(scene), "message", json_string_plain(text));
    json_object_set_new(seed_of(scene), "failures", json_integer(failures));
    set_time(scene, "retryAt", group_now_ms(scene) + group_backoff_ms(scene, failures));
    if (json_int_at(scene->object, "status.forkFrom.revision", 0) != json_int_at(seed_of(scene), "revision", 0))
        json_remove_at(scene->object, "status.forkFrom");
    work_event(scene->work, "Warning", "SeedFailed", "seed %s: %s: %s", seed_text(scene, "name"), text,
               source_of(scene) ? "members fork from the one before" : "members boot");
    return false;
}

/* --- a new one --- */

static void begin_seed(struct group_scene *scene)
{
    int64_t failures = failures_of(scene);
    const char *asked_at = json_text_at(scene->object, "spec.seedAt", NULL);
    char suffix[SUFFIX_LENGTH + 1];

    random_suffix(suffix, SUFFIX_LENGTH);
    json_set_at(scene->object, "status.seed", json_pack("{s:o,s:i}", "name", json_printf("%s-seed-%s", scene->name, suffix),
                                                        "revision", scene->revision));
    set_phase(scene, "Booting");
    if (failures)
        json_object_set_new(seed_of(scene), "failures", json_integer(failures));
    if (asked_at)
        json_object_set_new(seed_of(scene), "seedAt", json_string(asked_at));
}

static void take_source(struct group_scene *scene, const char *snapshot)
{
    char now[TIME_TEXT_SIZE];

    time_format(group_now_ms(scene), now, sizeof now);
    json_set_at(scene->object, "status.forkFrom", json_pack("{s:s,s:i,s:s}", "snapshot", snapshot, "revision",
                                                            scene->revision, "time", now));
    set_phase(scene, "Ready");
}

static bool is_asked_anew(const struct group_scene *scene)
{
    const char *asked_at = json_text_at(scene->object, "spec.seedAt", NULL);

    return asked_at && !str_equal(asked_at, seed_text(scene, "seedAt"));
}

/* Back to a template whose frozen seed is still there: that one is as good as new. */
static bool take_older(struct group_scene *scene)
{
    auto_free char *older = is_asked_anew(scene) ? NULL : seed_snapshot_of_template(scene, scene->template);

    if (!older)
        return false;
    begin_seed(scene);
    json_object_set_new(seed_of(scene), "name", json_string(older));
    take_source(scene, older);
    return true;
}

static bool is_wanted(struct group_scene *scene)
{
    int64_t left_ms;

    if (!seed_of(scene) || is_asked_anew(scene) || !is_of_template(scene))
        return true;
    if (!is_phase(scene, "Failed"))
        return is_phase(scene, "Ready") && !source_of(scene);
    left_ms = seed_time_ms(scene, "retryAt") - group_now_ms(scene);
    if (left_ms > 0)
        group_again(scene, left_ms);
    return left_ms <= 0;
}

/* --- phases: false when they have changed the status --- */

static bool is_part_gone(struct group_scene *scene, enum part part, const char *what, const struct err *err)
{
    if (part == PART_LOST)
        (void)fail(scene, "%s was deleted", what);
    if (part == PART_REFUSED)
        (void)fail(scene, "%s was not made: %s", what, err->text);
    return part == PART_LOST || part == PART_REFUSED;
}

static bool has_ended(struct group_scene *scene, const json_t *instance)
{
    if (!member_has_ended(instance))
        return false;
    (void)fail(scene, "it ended: %s", json_text_at(instance, "status.message", "its machine stopped"));
    return true;
}

static bool is_seed_ready(struct group_scene *scene, const json_t *instance)
{
    struct member_book *book = group_book_seed(scene->book, object_name(instance));

    /* A daemon that begins believes what the last one found, until it has looked itself. */
    if (is_phase(scene, "Settling") && book->probed_ms == 0 && !book->good)
        book->is_ready = true;
    group_probe_seed(scene, book, instance);
    return book->is_ready;
}

static bool boot(struct group_scene *scene)
{
    auto_json json_t *instance = NULL;
    struct err err = { 0 };
    enum part part = seed_instance(scene, seed_text(scene, "name"), &instance, &err);
    int64_t left_ms = start_timeout_ms(scene) - since_ms(scene);

    if (is_part_gone(scene, part, "its instance", &err) || (instance && has_ended(scene, instance)))
        return false;
    if (instance && is_seed_ready(scene, instance)) {
        set_phase(scene, "Settling");
        return false;
    }
    const char *says = member_waits_for(instance, group_book_seed(scene->book, seed_text(scene, "name")));
    if (left_ms <= 0)
        return fail(scene, "it was not ready within %s (spec.healing.startTimeout): %s",
                    view_text(&kind_instance_group, scene->object, "spec.healing.startTimeout"),
                    says ? says : "its readiness probe does not hold");
    if (since_ms(scene) < SLOW_START_MS)
        group_again(scene, SLOW_START_MS - since_ms(scene));
    else if (says)
        scene->seed_says = str_printf("the seed boots that members will fork from: %s", says);
    group_again(scene, left_ms);
    return true;
}

static bool settle(struct group_scene *scene)
{
    auto_json json_t *instance = NULL;
    struct err err = { 0 };
    enum part part = seed_instance(scene, seed_text(scene, "name"), &instance, &err);
    int64_t left_ms = view_duration_ms(&kind_instance_group, scene->object, "spec.settle") - since_ms(scene);

    if (is_part_gone(scene, part, "its instance", &err) || (instance && has_ended(scene, instance)))
        return false;
    if (!instance || !is_seed_ready(scene, instance)) {
        set_phase(scene, "Booting");
        return false;
    }
    if (left_ms > 0) {
        group_again(scene, left_ms);
        return true;
    }
    set_phase(scene, "Freezing");
    return false;
}

static bool freeze(struct group_scene *scene)
{
    auto_json json_t *instance = work_find(scene->work, &kind_instance, scene->namespace_name, seed_text(scene, "name"));
    auto_json json_t *snapshot = NULL;
    struct err err = { 0 };
    enum part part = seed_snapshot(scene, seed_text(scene, "name"), &snapshot, &err);
    int64_t left_ms = start_timeout_ms(scene) - since_ms(scene);

    if (is_part_gone(scene, part, "its snapshot", &err))
        return false;
    if (snapshot_is_usable(snapshot)) {
        take_source(scene, object_name(snapshot));
        work_event(scene->work, "Normal", "SeedReady", "members fork from %s", object_name(snapshot));
        return false;
    }
    if (str_equal(json_text_at(snapshot, "status.phase", NULL), "Failed"))
        return fail(scene, "it could not be frozen: %s", json_text_at(snapshot, "status.message", ""));
    if (instance && has_ended(scene, instance))
        return false;
    if (left_ms <= 0)
        return fail(scene, "it was not frozen within %s (spec.healing.startTimeout): %s",
                    view_text(&kind_instance_group, scene->object, "spec.healing.startTimeout"),
                    json_text_at(snapshot, "status.message", ""));
    group_again(scene, left_ms);
    return true;
}

/* --- what members are made from --- */

static const char *waiting_text(const struct group_scene *scene)
{
    return scene->seed_says              ? scene->seed_says
           : is_phase(scene, "Booting")  ? "the seed boots that members will fork from"
           : is_phase(scene, "Settling") ? "the seed that members will fork from settles"
                                         : "the seed is frozen that members will fork from";
}

/* Once one has failed the group boots its members and waits for no other. */
static void choose_source(struct group_scene *scene)
{
    int revision = (int)json_int_at(scene->object, "status.forkFrom.revision", 0);
    const json_t *older = group_revision_template(scene, revision);

    scene->snapshot = NULL;
    scene->wish.warm = 0;
    if (source_of(scene) && (revision == scene->revision || (older && !is_decided(scene)))) {
        scene->snapshot = source_of(scene);
        scene->wish.revision = revision;
        scene->template = revision == scene->revision ? scene->template : older;
        scene->wish.warm = (int)view_int(&kind_instance_group, scene->object, "spec.warm");
    }
    if (!is_decided(scene) && scene->wish.revision == scene->revision && !scene->snapshot &&
        !failures_of(scene))
        scene->seed_waits = waiting_text(scene);
}

static bool is_source_lost(struct group_scene *scene)
{
    auto_json json_t *snapshot = NULL;

    if (!source_of(scene))
        return false;
    snapshot = work_find(scene->work, &kind_snapshot, scene->namespace_name, source_of(scene));
    if (snapshot_is_usable(snapshot))
        return false;
    work_event(scene->work, "Warning", "SeedLost", "snapshot %s %s: another seed is made", source_of(scene),
               snapshot ? "has lost its memory" : "is gone");
    json_remove_at(scene->object, "status.forkFrom");
    return true;
}

/* --- the whole --- */

static bool fork_step(struct group_scene *scene)
{
    if (is_source_lost(scene))
        return false;
    if (is_wanted(scene) && (!seed_of(scene) || seed_instance_dismissed(scene, seed_text(scene, "name")))) {
        if (!take_older(scene))
            begin_seed(scene);
        return false;
    }
    if (is_wanted(scene))
        return true; /* the one before is on its way out */
    if (is_phase(scene, "Booting"))
        return boot(scene);
    if (is_phase(scene, "Settling"))
        return settle(scene);
    if (is_phase(scene, "Freezing"))
        return freeze(scene);
    (void)seed_instance_dismissed(scene, seed_text(scene, "name"));
    return true;
}

static const char *snapshot_to_keep(const struct group_scene *scene)
{
    return scene->forks && !is_phase(scene, "Failed") ? seed_text(scene, "name") : NULL;
}

bool group_seed_step(struct group_scene *scene)
{
    bool is_stored = true;

    scene->forks = str_equal(view_text(&kind_instance_group, scene->object, "spec.start"), "Fork");
    if (scene->forks) {
        is_stored = fork_step(scene);
        if (is_stored)
            choose_source(scene);
    } else if (seed_of(scene)) {
        json_remove_at(scene->object, "status.forkFrom");
        (void)seed_instance_dismissed(scene, seed_text(scene, "name"));
    }
    return is_stored;
}

static bool has_fork_that_serves(const struct group_scene *scene)
{
    for (size_t i = 0; i < scene->count; i++)
        if (scene->members[i].state == MEMBER_READY &&
            str_equal(view_text(&kind_instance, scene->instances[i], "spec.snapshot"), scene->snapshot))
            return true;
    return false;
}

bool group_seed_judge(struct group_scene *scene)
{
    bool is_clean;

    if (!seed_of(scene))
        return true;
    is_clean = seed_snapshots_sweep(scene, snapshot_to_keep(scene));
    if (!scene->forks) {
        if (is_clean && seed_instance_dismissed(scene, seed_text(scene, "name")))
            json_remove_at(scene->object, "status.seed");
        else
            group_again(scene, SWEEP_AGAIN_MS);
        return true;
    }
    if (scene->snapshot && is_phase(scene, "Ready") && group_circuit_is_open(scene)) {
        json_remove_at(scene->object, "status.forkFrom");
        group_circuit_forget(scene);
        return fail(scene, "members that were forked from it failed as they started");
    }
    if (scene->snapshot && failures_of(scene) && is_phase(scene, "Ready") && has_fork_that_serves(scene))
        json_object_del(seed_of(scene), "failures");
    return true;
}

void group_seed_show(struct group_scene *scene)
{
    struct work *work = scene->work;
    const char *message = seed_text(scene, "message");

    if (!scene->forks) {
        if (condition_get(scene->object, "ForkReady"))
            work_condition(work, "ForkReady", false, "NotWanted", "spec.start is Boot");
    } else if (scene->snapshot && scene->wish.revision == scene->revision) {
        work_condition(work, "ForkReady", true,
                       is_phase(scene, "Ready")    ? "Frozen"
                       : is_phase(scene, "Failed") ? "NotRenewed"
                                                   : "Renewing",
                       "%s", message ? message : "");
    } else if (is_phase(scene, "Failed")) {
        work_condition(work, "ForkReady", false, "SeedFailed", "members boot: %s", message ? message : "");
    } else if (scene->snapshot) {
        work_condition(work, "ForkReady", false, "OldTemplate",
                       "members fork from revision %d until the seed of revision %d is frozen", scene->wish.revision,
                       scene->revision);
    } else {
        work_condition(work, "ForkReady", false, scene->seed_waits ? "SeedComing" : "SeedRetried", "%s%s",
                       waiting_text(scene), scene->seed_waits ? "" : "; members boot until then");
    }
}

bool group_seed_removed(struct group_scene *scene)
{
    bool is_gone = true;

    if (seed_of(scene))
        is_gone = seed_instance_dismissed(scene, seed_text(scene, "name"));
    (void)seed_snapshots_sweep(scene, NULL);
    return is_gone;
}
