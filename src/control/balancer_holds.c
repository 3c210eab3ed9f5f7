/* control/balancer_holds.c - which instances a balancer still has, so that they are drained before
 * they are stopped. In memory; rebuilt at start from what the stored balancers show. */
#include "control/balancer.h"
#include "control/balancers.h"
#include "control/internal.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>

#define HOLDS "balancer holds"

/* Whatever goes wrong with a balancer, an instance waits no longer than its drainTimeout and this.
 */
enum { GRACE_MS = 5000 };

struct hold { /* of one balancer */
    struct map *uids;
    int64_t drain_max_ms; /* the longest drainTimeout of its backends */
};

static void hold_free(void *pointer)
{
    struct hold *hold = pointer;

    map_free(hold->uids);
    free(hold);
}

static void holds_free(void *holds) { map_free(holds); }

static struct map *holds_of(struct control *control)
{
    struct map *holds = control_extension(control, HOLDS);

    if (!holds) {
        holds = map_new(hold_free);
        control_set_extension(control, HOLDS, holds, holds_free);
    }
    return holds;
}

static int64_t drain_max_ms(const json_t *balancer)
{
    const json_t *backends = json_at(balancer, "spec.backends");
    int64_t longest_ms = 0;

    for (size_t i = 0; i < json_array_size(backends); i++) {
        const char *text = json_text_at(json_array_get(backends, i), "drainTimeout", "30s");
        int64_t ms;
        struct err err;
        if (duration_parse(text, &ms, &err) == 0 && ms > longest_ms)
            longest_ms = ms;
    }
    return longest_ms;
}

static struct hold *hold_new(const json_t *balancer)
{
    struct hold *hold = mem_new(struct hold);

    *hold = (struct hold){ map_new(NULL), drain_max_ms(balancer) };
    return hold;
}

/* --- who is told --- */

static void wake_instance(struct control *control, const char *uid)
{
    auto_json json_t *instance = control_find_uid(control, &kind_instance, uid);
    const json_t *owners = json_at(instance, "metadata.ownerReferences");

    if (!instance)
        return;
    control_wake(control, &kind_instance, object_namespace(instance), object_name(instance));
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const json_t *owner = json_array_get(owners, i);
        const struct kind *kind = kind_find_object(json_text_at(owner, "apiVersion", ""),
                                                   json_text_at(owner, "kind", ""));
        if (kind)
            control_wake(control, kind, object_namespace(instance),
                         json_text_at(owner, "name", ""));
    }
}

static void let_go(struct control *control, const struct hold *before, const struct map *now)
{
    const char *uid;

    for (size_t at = 0; before && map_next(before->uids, &at, &uid, NULL);)
        if (!now || !map_has(now, uid))
            wake_instance(control, uid);
}

void balancer_hold(struct work *work, const struct map *instance_uids)
{
    struct map *holds = holds_of(work->control);
    const char *balancer = object_uid(work->object), *uid;
    struct hold *before = map_take(holds, balancer);

    if (instance_uids) {
        struct hold *hold = hold_new(work->object);
        for (size_t at = 0; map_next(instance_uids, &at, &uid, NULL);)
            map_set(hold->uids, uid, hold);
        map_set(holds, balancer, hold);
    }
    let_go(work->control, before, instance_uids);
    if (before)
        hold_free(before);
}

/* --- asking --- */

/* People write the annotation: what lies in the future says nothing. */
static int64_t begin_ms(const json_t *instance, int64_t now_ms)
{
    const json_t *draining = condition_get(instance, CONDITION_DRAINING);
    const char *texts[] = {
        json_string_value(
            json_object_get(json_at(instance, "metadata.annotations"), ANNOTATION_DRAIN)),
        condition_is_true(instance, CONDITION_DRAINING)
            ? json_text_at(draining, "lastTransitionTime", NULL)
            : NULL,
    };
    int64_t ms;
    struct err err;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i] && time_parse(texts[i], &ms, &err) == 0 && ms <= now_ms)
            return ms;
    return 0;
}

bool balancers_let_go(struct control *control, const json_t *instance)
{
    struct map *holds = holds_of(control);
    int64_t now_ms = control_wall_ms(control), since_ms = begin_ms(instance, now_ms);
    void *value;

    for (size_t at = 0; map_next(holds, &at, NULL, &value);) {
        const struct hold *hold = value;
        bool is_over =
            since_ms && now_ms > since_ms + hold->drain_max_ms + GRACE_MS;
        if (!is_over && map_has(hold->uids, object_uid(instance)))
            return false;
    }
    return true;
}

/* --- after a start --- */

struct rebuild {
    struct control *control;
    struct hold *hold;
    const json_t *balancer;
};

static void look_at_instance(void *arg, const json_t *instance)
{
    struct rebuild *rebuild = arg;
    const json_t *backends = json_at(rebuild->balancer, "status.backends");

    for (size_t i = 0; i < json_array_size(backends); i++) {
        const json_t *members = json_object_get(json_array_get(backends, i), "memberStatus");
        for (size_t j = 0; j < json_array_size(members); j++)
            if (str_equal(json_text_at(json_array_get(members, j), "name", NULL),
                          object_name(instance)))
                map_set(rebuild->hold->uids, object_uid(instance), rebuild);
    }
}

static void look_at_balancer(void *arg, const json_t *balancer)
{
    struct control *control = arg;
    struct rebuild rebuild = { control, hold_new(balancer), balancer };

    control_each(control, &kind_instance, object_namespace(balancer), look_at_instance, &rebuild);
    map_set(holds_of(control), object_uid(balancer), rebuild.hold);
}

int balancer_holds_start(struct control *control, struct err *err)
{
    control_each(control, &kind_load_balancer, NULL, look_at_balancer, control);
    return 0;
}
