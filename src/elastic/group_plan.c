/* elastic/group_plan.c - counting members, and what follows from it. */
#include "elastic/group_plan.h"
#include <assert.h>
#include <string.h>

enum { WARM_REST_MS = 1000 };

struct planning {
    const struct group_wish *wish;
    const struct group_member *members;
    size_t count;
    int64_t now_ms;
    struct group_plan *plan;
    bool taken[GROUP_MEMBERS_MAX]; /* this plan has it leave or resume already */
    int alive;      /* starting, ready or unready: what counts towards replicas */
    int alive_new;  /* of these, of the wished revision */
    int starting;
    int available;  /* ready for long enough */
    int warm;       /* of the wished revision */
};

static bool is_alive(const struct group_member *member)
{
    return member->state == MEMBER_STARTING || member->state == MEMBER_READY ||
           member->state == MEMBER_UNREADY;
}

static bool is_available(const struct planning *planning, const struct group_member *member)
{
    return member->state == MEMBER_READY && member->ready_since_ms >= 0 &&
           planning->now_ms - member->ready_since_ms >= planning->wish->min_ready_ms;
}

static bool is_outdated(const struct planning *planning, const struct group_member *member)
{
    return member->revision != planning->wish->revision;
}

static void count_members(struct planning *planning)
{
    for (size_t i = 0; i < planning->count; i++) {
        const struct group_member *member = &planning->members[i];

        planning->alive += is_alive(member);
        planning->alive_new += is_alive(member) && !is_outdated(planning, member);
        planning->starting += member->state == MEMBER_STARTING;
        planning->available += is_available(planning, member);
        planning->warm += member->state == MEMBER_WARM && !is_outdated(planning, member);
    }
}

/* Keeps the books as the member goes. False when this plan is full: the rest comes with the next. */
static bool leave(struct planning *planning, size_t index, enum leave_reason reason)
{
    const struct group_member *member = &planning->members[index];
    struct group_plan *plan = planning->plan;

    if (plan->leave_count == GROUP_STEPS_MAX) {
        plan->again_ms = 0;
        return false;
    }
    plan->leave[plan->leave_count++] = (struct group_leave){ index, reason };
    planning->taken[index] = true;
    planning->alive -= is_alive(member);
    planning->alive_new -= is_alive(member) && !is_outdated(planning, member);
    planning->starting -= member->state == MEMBER_STARTING;
    planning->available -= is_available(planning, member);
    planning->warm -= member->state == MEMBER_WARM && !is_outdated(planning, member);
    return true;
}

static void all_leave(struct planning *planning)
{
    for (size_t i = 0; i < planning->count; i++)
        if (planning->members[i].state != MEMBER_LEAVING && !leave(planning, i, LEAVE_GROUP_GOES))
            return;
}

static void failed_leave(struct planning *planning)
{
    for (size_t i = 0; planning->wish->heals && i < planning->count; i++) {
        const struct group_member *member = &planning->members[i];

        if (member->state == MEMBER_FAILED && !member->is_protected && !leave(planning, i, LEAVE_FAILED))
            return;
    }
}

/* Is 'a' the better one to lose? What does not serve goes first, then what is outdated. */
static bool goes_before(const struct planning *planning, const struct group_member *a,
                        const struct group_member *b)
{
    bool a_serves = a->state == MEMBER_READY, b_serves = b->state == MEMBER_READY;
    bool a_old = is_outdated(planning, a), b_old = is_outdated(planning, b);

    if (a_serves != b_serves)
        return !a_serves;
    if (a_old != b_old)
        return a_old;
    if (planning->wish->stable_names && a->ordinal != b->ordinal)
        return a->ordinal > b->ordinal;
    if (planning->wish->victim == VICTIM_LEAST_BUSY && (a->load < b->load || a->load > b->load))
        return a->load < b->load;
    if (a->created_ms != b->created_ms)
        return (a->created_ms > b->created_ms) == (planning->wish->victim != VICTIM_OLDEST);
    return strcmp(a->name, b->name) > 0;
}

/* The next to lose among those that are alive (and outdated, if asked for); 'count' when none may. */
static size_t choose_victim(const struct planning *planning, bool outdated_only, bool idle_only)
{
    size_t best = planning->count;

    for (size_t i = 0; i < planning->count; i++) {
        const struct group_member *member = &planning->members[i];

        if (!is_alive(member) || member->is_protected || planning->taken[i])
            continue;
        if (outdated_only && !is_outdated(planning, member))
            continue;
        if (idle_only && member->state == MEMBER_READY)
            continue;
        if (best == planning->count || goes_before(planning, member, &planning->members[best]))
            best = i;
    }
    return best;
}

/* May one more that serves be taken away by choice? */
static int count_serving(const struct planning *planning)
{
    int serving = 0;

    for (size_t i = 0; i < planning->count; i++)
        serving += planning->members[i].state == MEMBER_READY && !planning->taken[i];
    return serving;
}

static void too_many_leave(struct planning *planning, int allowed)
{
    while (planning->alive > allowed) {
        size_t victim = choose_victim(planning, /*outdated_only=*/false, /*idle_only=*/false);

        if (victim == planning->count)
            return;
        if (planning->members[victim].state == MEMBER_READY && count_serving(planning) <= planning->wish->min)
            return;
        if (!leave(planning, victim, LEAVE_TOO_MANY))
            return;
    }
}

/* --- update --- */

static bool has_outdated(const struct planning *planning)
{
    for (size_t i = 0; i < planning->count; i++)
        if (is_alive(&planning->members[i]) && is_outdated(planning, &planning->members[i]) &&
            !planning->members[i].is_protected)
            return true;
    return false;
}

static int larger(int a, int b) { return a > b ? a : b; }
static int smaller(int a, int b) { return a < b ? a : b; }

static int room(const struct planning *planning)
{
    return planning->wish->max - (int)planning->count;
}

/* Members beyond 'replicas' while an update goes on. Where none may be missing, one has to come first
 * even though none was asked for. */
static int allowed_surge(const struct planning *planning)
{
    const struct group_wish *wish = planning->wish;

    if (wish->stable_names)
        return 0;
    return wish->surge == 0 && wish->replicas == wish->min ? 1 : wish->surge;
}

/* Members that may be missing while an update goes on. Where nothing may be added beside the old
 * ones, one of them has to go first. */
static int allowed_missing(struct planning *planning)
{
    const struct group_wish *wish = planning->wish;
    bool no_surge = allowed_surge(planning) == 0 ||
                    (room(planning) <= 0 && planning->alive <= wish->replicas && planning->warm == 0);
    int missing = smaller(no_surge ? larger(wish->unavailable, 1) : wish->unavailable,
                          wish->replicas - wish->min);

    if (no_surge && missing <= 0 && planning->starting == 0 && wish->replicas > 0)
        planning->plan->blocked =
            wish->stable_names ? "members with stable names are replaced in place, and none can be missing "
                                 "(minReplicas): lower minReplicas for the update"
                               : "no member can be added (maxReplicas) and none can be missing (minReplicas): "
                                 "raise maxReplicas or lower minReplicas for the update";
    return larger(missing, 0);
}

static void outdated_leave(struct planning *planning)
{
    const struct group_wish *wish = planning->wish;
    int floor_available = wish->replicas - allowed_missing(planning);

    for (;;) {
        size_t victim = choose_victim(planning, /*outdated_only=*/true, /*idle_only=*/true);

        if (victim == planning->count)
            victim = choose_victim(planning, /*outdated_only=*/true, /*idle_only=*/false);
        if (victim == planning->count)
            return;
        if (planning->members[victim].state == MEMBER_READY &&
            (planning->available <= larger(floor_available, 0) || count_serving(planning) <= wish->min))
            return;
        if (!leave(planning, victim, LEAVE_OUTDATED))
            return;
    }
}

static void look_again(struct planning *planning, int64_t left_ms)
{
    if (planning->plan->again_ms < 0 || left_ms < planning->plan->again_ms)
        planning->plan->again_ms = left_ms;
}

/* A member becomes available by time alone: look again then. */
static void wait_for_available(struct planning *planning)
{
    for (size_t i = 0; i < planning->count; i++) {
        const struct group_member *member = &planning->members[i];
        int64_t left_ms = planning->wish->min_ready_ms - (planning->now_ms - member->ready_since_ms);

        if (member->state != MEMBER_READY || is_available(planning, member) || left_ms <= 0)
            continue;
        look_again(planning, left_ms);
    }
}

/* --- coming --- */

static bool ordinal_is_free(const struct planning *planning, int ordinal)
{
    for (size_t i = 0; i < planning->count; i++)
        if (planning->members[i].ordinal == ordinal)
            return false;
    for (unsigned i = 0; i < planning->plan->create; i++)
        if (planning->plan->ordinals[i] == ordinal)
            return false;
    return true;
}

/* With stable names the next free one below 'replicas'; false when all are taken, by leaving ones too. */
static bool take_ordinal(struct planning *planning)
{
    for (int ordinal = 0; ordinal < planning->wish->replicas; ordinal++) {
        if (!ordinal_is_free(planning, ordinal))
            continue;
        planning->plan->ordinals[planning->plan->create] = ordinal;
        return true;
    }
    return false;
}

static int resume_some(struct planning *planning, int wanted, bool is_loaded)
{
    int resumed = 0;

    for (size_t i = 0; i < planning->count && resumed < wanted; i++) {
        const struct group_member *member = &planning->members[i];

        if (member->state != MEMBER_WARM || is_outdated(planning, member) || planning->taken[i] ||
            member->is_loaded != is_loaded || planning->plan->resume_count == GROUP_STEPS_MAX)
            continue;
        planning->plan->resume[planning->plan->resume_count++] = i;
        planning->taken[i] = true;
        planning->warm--;
        resumed++;
    }
    return resumed;
}

/* Those that can go on at once, and then those that are still being loaded. */
static int resume_warm(struct planning *planning, int wanted)
{
    int resumed = resume_some(planning, wanted, /*is_loaded=*/true);

    return resumed + resume_some(planning, wanted - resumed, /*is_loaded=*/false);
}

static void come(struct planning *planning, int wanted)
{
    const struct group_wish *wish = planning->wish;

    if (wish->one_only)
        wanted = planning->starting > 0 ? 0 : smaller(wanted, 1);
    if (wanted <= 0)
        return;
    wanted -= resume_warm(planning, wanted); /* also while none may be made: they have been ready */
    if (!wish->may_create)
        return;
    while (wanted > 0 && room(planning) > (int)planning->plan->create) {
        if (planning->plan->create == GROUP_STEPS_MAX) {
            planning->plan->again_ms = 0;
            return;
        }
        planning->plan->ordinals[planning->plan->create] = -1;
        if (wish->stable_names && !take_ordinal(planning))
            return;
        planning->plan->create++;
        wanted--;
    }
}

/* Those that start, and have just begun to serve what they were wanted for, do it the better the less is
 * done beside. */
static bool is_growing(struct planning *planning)
{
    int64_t youngest_ms = WARM_REST_MS;

    if (planning->starting > 0 || planning->plan->create > 0 || planning->plan->resume_count > 0)
        return true;
    for (size_t i = 0; i < planning->count; i++) {
        int64_t age_ms = planning->now_ms - planning->members[i].created_ms;

        if (is_alive(&planning->members[i]) && age_ms >= 0 && age_ms < youngest_ms)
            youngest_ms = age_ms;
    }
    if (youngest_ms < WARM_REST_MS)
        look_again(planning, WARM_REST_MS - youngest_ms);
    return youngest_ms < WARM_REST_MS;
}

static void keep_warm(struct planning *planning)
{
    const struct group_wish *wish = planning->wish;
    int free_room = room(planning) - (int)planning->plan->create;
    int missing = smaller(wish->warm - planning->warm, free_room);

    for (size_t i = 0; i < planning->count; i++) {
        const struct group_member *member = &planning->members[i];
        bool too_many = planning->warm > wish->warm || is_outdated(planning, member);

        if (member->state == MEMBER_WARM && !planning->taken[i] && too_many &&
            !leave(planning, i, is_outdated(planning, member) ? LEAVE_OUTDATED : LEAVE_TOO_MANY))
            return;
    }
    if (missing > 0 && wish->may_create && !wish->one_only && !is_growing(planning))
        planning->plan->create_warm = (unsigned)smaller(missing, GROUP_STEPS_MAX);
}

static int members_wanted(const struct planning *planning)
{
    const struct group_wish *wish = planning->wish;

    if (!planning->plan->is_updating)
        return wish->replicas - planning->alive;
    return smaller(wish->replicas - planning->alive_new, wish->replicas + allowed_surge(planning) - planning->alive);
}

void group_plan(const struct group_wish *wish, const struct group_member *members, size_t count,
                int64_t now_ms, struct group_plan *ret_plan)
{
    struct planning planning = { .wish = wish, .members = members, .count = count, .now_ms = now_ms,
                                 .plan = ret_plan };

    assert(count <= GROUP_MEMBERS_MAX);
    memset(ret_plan, 0, sizeof *ret_plan);
    ret_plan->again_ms = -1;
    count_members(&planning);
    if (wish->is_going) {
        all_leave(&planning);
        return;
    }
    failed_leave(&planning);
    ret_plan->is_updating = wish->is_rolling && has_outdated(&planning);
    come(&planning, members_wanted(&planning));
    if (ret_plan->is_updating) {
        too_many_leave(&planning, wish->replicas + allowed_surge(&planning));
        outdated_leave(&planning);
        wait_for_available(&planning);
    } else {
        too_many_leave(&planning, wish->replicas);
    }
    keep_warm(&planning);
}
