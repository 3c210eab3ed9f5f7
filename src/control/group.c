/* control/group.c - InstanceGroup: members judged, a plan made, its steps begun. */
#include "control/group.h"
#include "control/balancers.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>

enum { LATELY_MS = 10 * 60 * 1000, MAKE_AGAIN_MS = 1000, NOT_MADE_MS = 3 * MAKE_AGAIN_MS };

static const struct kind *const kind = &kind_instance_group;

int64_t group_now_ms(const struct group_scene *scene) { return control_wall_ms(scene->work->control); }

void group_again(struct group_scene *scene, int64_t ms)
{
    if (ms < 0)
        ms = 0;
    if (scene->again_ms < 0 || ms < scene->again_ms)
        scene->again_ms = ms;
}

static int int_at(const struct group_scene *scene, const char *path)
{
    return (int)view_int(kind, scene->object, path);
}

static void read_wish(struct group_scene *scene)
{
    const char *victim = view_text(kind, scene->object, "spec.victim");
    struct group_wish *wish = &scene->wish;

    wish->replicas = int_at(scene, "spec.replicas");
    wish->min = int_at(scene, "spec.minReplicas");
    wish->max = int_at(scene, "spec.maxReplicas");
    wish->surge = (int)view_share(kind, scene->object, "spec.update.maxSurge", wish->replicas, /*rounds_up=*/true);
    wish->unavailable =
        (int)view_share(kind, scene->object, "spec.update.maxUnavailable", wish->replicas, /*rounds_up=*/false);
    wish->min_ready_ms = view_duration_ms(kind, scene->object, "spec.update.minReady");
    wish->is_rolling = str_equal(view_text(kind, scene->object, "spec.update.type"), "RollingUpdate") &&
                       !view_bool(kind, scene->object, "spec.update.paused");
    wish->stable_names = view_bool(kind, scene->object, "spec.stableNames");
    wish->heals = view_bool(kind, scene->object, "spec.healing.enabled");
    wish->victim = str_equal(victim, "Oldest")      ? VICTIM_OLDEST
                   : str_equal(victim, "LeastBusy") ? VICTIM_LEAST_BUSY
                                                    : VICTIM_NEWEST;
    wish->is_going = object_is_deleting(scene->object);
}

void group_scene_begin(struct group_scene *scene, struct work *work)
{
    *scene = (struct group_scene){
        .work = work,
        .object = work->object,
        .uid = object_uid(work->object),
        .name = object_name(work->object),
        .namespace_name = object_namespace(work->object),
        .book = group_book_of(work->control, work->object),
        .again_ms = -1,
    };
    read_wish(scene);
}

void group_scene_done(struct group_scene *scene)
{
    for (size_t i = 0; i < scene->count; i++)
        json_decref(scene->instances[i]);
    free(scene->instances);
    free(scene->members);
    free(scene->books);
    free(scene->seed_says);
}

/* --- status --- */

/* Of warm ones only those that stand by: what comes and goes of them is nothing of the group's size. */
static unsigned count_state(const struct group_scene *scene, enum member_state state)
{
    unsigned count = 0;

    for (size_t i = 0; i < scene->count; i++)
        count += scene->members[i].state == state && (state == MEMBER_WARM || !scene->books[i]->is_warm);
    return count;
}

static unsigned count_members(const struct group_scene *scene)
{
    unsigned count = 0;

    for (size_t i = 0; i < scene->count; i++)
        count += !scene->books[i]->is_warm;
    return count;
}

static void set_count(struct group_scene *scene, const char *path, unsigned count)
{
    json_set_at(scene->object, path, json_integer(count));
}

static void show_counts(struct group_scene *scene)
{
    unsigned updated = 0, available = 0, loaded = 0;

    for (size_t i = 0; i < scene->count; i++) {
        const struct group_member *member = &scene->members[i];

        updated += member->revision == scene->revision && member->state != MEMBER_LEAVING &&
                   member->state != MEMBER_FAILED && member->state != MEMBER_WARM;
        loaded += member->is_loaded;
        available += member->state == MEMBER_READY &&
                     group_now_ms(scene) - member->ready_since_ms >= scene->wish.min_ready_ms;
    }
    set_count(scene, "status.replicas", count_members(scene));
    set_count(scene, "status.warmReplicas", loaded);
    set_count(scene, "status.readyReplicas", count_state(scene, MEMBER_READY));
    set_count(scene, "status.startingReplicas", count_state(scene, MEMBER_STARTING));
    set_count(scene, "status.failedReplicas", count_state(scene, MEMBER_FAILED));
    set_count(scene, "status.leavingReplicas", count_state(scene, MEMBER_LEAVING));
    set_count(scene, "status.updatedReplicas", updated);
    set_count(scene, "status.availableReplicas", available);
    json_set_at(scene->object, "status.selector", json_printf(LABEL_GROUP "=%s", scene->name));
}

/* Members that an update waits for the seed to replace. */
static bool has_outdated_waiting(const struct group_scene *scene)
{
    for (size_t i = 0; scene->seed_waits && i < scene->count; i++)
        if (scene->members[i].revision != scene->revision)
            return true;
    return false;
}

static const char *blocked_by(const struct group_scene *scene, const struct group_plan *plan)
{
    if (plan->blocked || scene->wish.revision == scene->revision)
        return plan->blocked ? plan->blocked : scene->seed_waits;
    return scene->seed_says ? scene->seed_says
                            : "the seed of the new template is made before members are replaced";
}

/* What the first member says that takes long to start, or serves no more; owned, or NULL. */
static char *slow_member(struct group_scene *scene)
{
    for (size_t i = 0; i < scene->count; i++) {
        int64_t age_ms = group_now_ms(scene) - scene->members[i].created_ms;
        const char *message = member_waits_for(scene->instances[i], scene->books[i]);

        if (scene->members[i].state != MEMBER_STARTING && scene->members[i].state != MEMBER_UNREADY)
            continue;
        if (scene->members[i].state == MEMBER_STARTING && age_ms < SLOW_START_MS)
            group_again(scene, SLOW_START_MS - age_ms);
        else if (message)
            return str_printf("member %s: %s", scene->members[i].name, message);
    }
    return NULL;
}

/* An update that is paused, waits for members to be deleted, or spares some, is not done; owned, or NULL. */
static char *outdated_text(const struct group_scene *scene)
{
    unsigned outdated = 0;

    for (size_t i = 0; i < scene->count; i++)
        outdated += scene->members[i].revision != scene->revision && scene->members[i].state == MEMBER_READY;
    return outdated ? str_printf("%u of an older template stay (by spec.update, or protected)", outdated) : NULL;
}

static bool has_failed_lately(struct group_scene *scene)
{
    return group_now_ms(scene) - view_time_ms(kind, scene->object, "status.circuit.lastFailureAt") < LATELY_MS;
}

/* Why it takes so long; owned, or NULL. */
static char *progress_text(struct group_scene *scene, const struct group_plan *plan, const char *blocked)
{
    const char *failure = json_text_at(scene->object, "status.circuit.message", NULL);

    if (group_circuit_is_open(scene))
        return str_printf("members failed as they started; the next is tried in a while. The last was %s",
                          failure ? failure : "");
    if (blocked)
        return str_dup(blocked);
    if (scene->book->not_made && group_now_ms(scene) - scene->book->not_made_ms < NOT_MADE_MS)
        return str_dup(scene->book->not_made);
    if (failure && has_failed_lately(scene))
        return str_printf("the last start failed: %s", failure);
    char *slow = slow_member(scene);
    return slow || !plan->is_updating ? slow : str_dup("members are being replaced");
}

static void show_phase(struct group_scene *scene, const struct group_plan *plan)
{
    unsigned ready = count_state(scene, MEMBER_READY);
    bool is_open = group_circuit_is_open(scene);
    const char *blocked = blocked_by(scene, plan);
    unsigned members = count_members(scene);
    bool is_available = ready >= (unsigned)scene->wish.min && (ready > 0 || !scene->wish.replicas);
    bool arrived = ready == (unsigned)scene->wish.replicas && members == ready && !plan->is_updating &&
                   scene->wish.revision == scene->revision && !has_outdated_waiting(scene);
    auto_free char *text = arrived && !is_open ? outdated_text(scene) : progress_text(scene, plan, blocked);

    work_phase(scene->work, is_open                ? "Degraded"
                            : !arrived             ? "Progressing"
                            : scene->wish.replicas ? "Ready"
                                                   : "Idle",
               text);
    work_condition(scene->work, "Available", is_available, is_available ? "MinimumAvailable" : "MinimumMissing",
                   "%u of %d serve", ready, scene->wish.replicas);
    work_condition(scene->work, "Progressing", !arrived,
                   !arrived             ? (blocked ? "Blocked" : "Working")
                   : text && !is_open   ? "Held"
                                        : "Arrived",
                   "%s", text ? text : "");
    work_condition(scene->work, "Ready", arrived, arrived ? "Arrived" : "NotArrived", "%u of %d serve", ready,
                   scene->wish.replicas);
}

/* --- the whole --- */

static bool has_joined_or_may(enum member_state state)
{
    return state == MEMBER_STARTING || state == MEMBER_READY || state == MEMBER_UNREADY;
}

static void carry_out(struct group_scene *scene, const struct group_plan *plan)
{
    for (unsigned i = 0; i < plan->leave_count; i++)
        group_leave_member(scene, plan->leave[i].member, plan->leave[i].reason);
    for (unsigned i = 0; i < plan->resume_count; i++)
        group_resume_member(scene, plan->resume[i]);
    for (unsigned i = 0; i < plan->create; i++)
        group_make_member(scene, plan->ordinals[i]);
    for (unsigned i = 0; i < plan->create_warm; i++)
        group_make_warm(scene);
    group_pause_warm(scene);
    for (size_t i = 0; i < scene->count; i++)
        if (scene->instances[i] && has_joined_or_may(scene->members[i].state))
            group_join_member(scene, i);
    group_leaving_go_on(scene);
    if (plan->again_ms >= 0)
        group_again(scene, plan->again_ms);
}

static struct verdict verdict_of(const struct group_scene *scene)
{
    return scene->again_ms >= 0 ? VERDICT_AGAIN(scene->again_ms) : VERDICT_SETTLED;
}

/* What could not be made is not tried again at once, whatever it would be called. */
static void wait_after_refusal(struct group_scene *scene)
{
    int64_t since_ms = group_now_ms(scene) - scene->book->not_made_ms;

    if (!scene->book->not_made || since_ms < 0 || since_ms >= MAKE_AGAIN_MS)
        return;
    scene->wish.may_create = false;
    group_again(scene, MAKE_AGAIN_MS - since_ms);
}

/* Stored before it is acted on, with the generation that it is of: what was told of the one before is no
 * longer so. */
static struct verdict store_first(struct work *work)
{
    work_phase(work, "Progressing", NULL);
    work_condition(work, "Progressing", true, "Working", "%s", "");
    work_condition(work, "Ready", false, "NotArrived", "what the members shall be has changed");
    return VERDICT_AGAIN(0);
}

static struct verdict reconcile(struct work *work)
{
    auto_group_scene struct group_scene scene;
    struct group_plan plan;

    group_scene_begin(&scene, work);
    if (!group_revision_current(&scene))
        return store_first(work);
    if (!group_seed_step(&scene))
        return VERDICT_AGAIN(0); /* stored before it is acted on */
    group_members_find(&scene);
    group_circuit_count(&scene);
    group_circuit_judge(&scene);
    wait_after_refusal(&scene);
    if (!group_seed_judge(&scene))
        return VERDICT_AGAIN(0);
    if (scene.seed_waits)
        scene.wish.may_create = scene.wish.is_rolling = false;
    group_plan(&scene.wish, scene.members, scene.count, group_now_ms(&scene), &plan);
    carry_out(&scene, &plan);
    group_remember_identities(&scene);
    show_counts(&scene);
    show_phase(&scene, &plan);
    group_seed_show(&scene);
    return verdict_of(&scene);
}

static struct verdict finalize(struct work *work, bool *ret_gone)
{
    auto_group_scene struct group_scene scene;
    struct group_plan plan;

    group_scene_begin(&scene, work);
    group_members_find(&scene);
    group_plan(&scene.wish, scene.members, scene.count, group_now_ms(&scene), &plan);
    carry_out(&scene, &plan);
    work_phase(work, "Terminating", scene.count ? "members go" : NULL);
    *ret_gone = group_seed_removed(&scene) && scene.count == 0;
    if (*ret_gone)
        group_books_forget(work->control, scene.uid);
    return verdict_of(&scene);
}

const struct controller controller_instance_group = {
    .kind = &kind_instance_group,
    .finalizer = "virga.dev/instancegroup",
    .reconcile = reconcile,
    .finalize = finalize,
    .start = group_books_start,
};
