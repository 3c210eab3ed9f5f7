/* control/group_members.c - the members of a group as they are found. */
#include "control/group.h"
#include "control/balancers.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *label(const json_t *instance, const char *name)
{
    return json_string_value(json_object_get(json_at(instance, "metadata.labels"), name));
}

static const char *annotation(const json_t *instance, const char *name)
{
    return json_string_value(json_object_get(json_at(instance, "metadata.annotations"), name));
}

bool member_has_served(const json_t *instance) { return condition_get(instance, CONDITION_SERVING) != NULL; }

/* What an earlier version of virgad let serve carries no mark. */
bool member_has_joined(const json_t *instance)
{
    const char *boot = annotation(instance, ANNOTATION_JOINED);

    return member_has_served(instance) && (!boot || str_equal(boot, json_text_at(instance, "status.startedAt", NULL)));
}

bool member_is_leaving(const json_t *instance)
{
    return object_is_deleting(instance) || annotation(instance, ANNOTATION_LEAVING);
}

bool member_is_drained(const json_t *instance) { return annotation(instance, ANNOTATION_DRAIN); }

static int64_t time_of(const json_t *object, const char *path)
{
    const char *text = json_text_at(object, path, NULL);
    int64_t wall_ms = -1;
    struct err err;

    if (text)
        (void)time_parse(text, &wall_ms, &err); /* stored by us */
    return wall_ms;
}

/* When it began to be what it is: one that was warm is a member since it was resumed. */
static int64_t begun_ms(const json_t *instance)
{
    const char *resumed = annotation(instance, ANNOTATION_RESUMED);
    int64_t wall_ms;
    struct err err;

    if (resumed && time_parse(resumed, &wall_ms, &err) == 0)
        return wall_ms;
    return time_of(instance, "metadata.creationTimestamp");
}

static int64_t start_timeout_ms(const struct group_scene *scene)
{
    return view_duration_ms(&kind_instance_group, scene->object, "spec.healing.startTimeout");
}

static bool is_late(const struct group_scene *scene, const json_t *instance)
{
    return !member_has_served(instance) && group_now_ms(scene) - begun_ms(instance) > start_timeout_ms(scene);
}

bool member_is_unsettled(const json_t *instance)
{
    return str_equal(json_text_at(condition_get(instance, CONDITION_FORKED), "reason", NULL), REASON_FORK_STARTING);
}

bool member_has_ended(const json_t *instance)
{
    const char *phase = view_text(&kind_instance, instance, "status.phase");

    return str_equal(phase, "Failed") || (str_equal(phase, "Stopped") &&
                                          view_bool(&kind_instance, instance, "status.endedByItself"));
}

const char *member_waits_for(const json_t *instance, const struct member_book *book)
{
    const char *message = json_text_at(instance, "status.message", NULL);

    return message ? message : book->not_ready;
}

char *member_failure(const struct group_scene *scene, size_t member)
{
    const json_t *instance = scene->instances[member];
    const char *waits_for = member_waits_for(instance, scene->books[member]);
    const char *why = scene->books[member]->why_failed, *message = json_text_at(instance, "status.message", NULL);

    if (why)
        return str_dup(why);
    if (member_has_ended(instance))
        return str_printf("its machine ended%s%s", message ? ": " : "", message ? message : "");
    return str_printf("it was not ready within %s (spec.healing.startTimeout): %s",
                      view_text(&kind_instance_group, scene->object, "spec.healing.startTimeout"),
                      waits_for ? waits_for : "its readiness probe does not hold");
}

static bool is_warm(const json_t *instance) { return str_equal(label(instance, LABEL_WARM), "true"); }

static bool is_power_state(const json_t *instance, const char *wanted)
{
    return str_equal(view_text(&kind_instance, instance, "spec.powerState"), wanted);
}

bool member_has_started(const json_t *instance)
{
    return member_has_served(instance) || (is_warm(instance) && !is_power_state(instance, "Running"));
}

static bool goes_on_as_fork(const json_t *instance)
{
    return !condition_get(instance, CONDITION_FORKED) || condition_is_true(instance, CONDITION_FORKED) ||
           member_is_unsettled(instance);
}

static bool is_loaded(const json_t *instance)
{
    return str_equal(view_text(&kind_instance, instance, "status.phase"), "Paused") &&
           !view_text(&kind_instance, instance, "status.reason"); /* of a write error */
}

/* One that is ready may settle for as long as it shall. One that people resumed has, as others, all the time to
 * become ready that it does. One that is to stand still may do so a moment before its phase says it. */
static bool is_warm_late(const struct group_scene *scene, const json_t *instance, const struct member_book *book)
{
    return !member_has_started(instance) && !book->is_ready && is_late(scene, instance) &&
           (!book->begun_ms || group_now_ms(scene) - book->begun_ms > start_timeout_ms(scene));
}

/* Once it stands still it stays as it is; until then it has as long as others have to be ready. One that had
 * to boot is as good as none. */
static enum member_state state_of_warm(const struct group_scene *scene, const json_t *instance,
                                       struct member_book *book)
{
    if (object_is_deleting(instance))
        return MEMBER_LEAVING;
    if (member_has_ended(instance))
        return MEMBER_FAILED;
    if (is_power_state(instance, "Stopped")) {
        member_book_fails(book, "it was to be kept warm, and was stopped");
        return MEMBER_FAILED;
    }
    if (!goes_on_as_fork(instance)) {
        member_book_fails(book, "it was to be kept warm, and its machine was started anew");
        return MEMBER_FAILED;
    }
    return is_warm_late(scene, instance, book) && !is_loaded(instance) ? MEMBER_FAILED : MEMBER_WARM;
}

/* What its scripts leave behind may still be at it when they have ended. */
static void see_it_settle(const struct group_scene *scene, struct member_book *book, const json_t *instance)
{
    int64_t now_ms = loop_now_ms(control_setup(scene->work->control)->loop);

    if (!book->is_ready || !instance_is_itself(instance))
        book->settles_ms = 0;
    else if (!book->settles_ms)
        book->settles_ms = now_ms > 0 ? now_ms : 1;
}

/* One that people drain gets no traffic, and is theirs to have back. */
static enum member_state state_of(const struct group_scene *scene, const json_t *instance,
                                  const struct member_book *book)
{
    if (member_is_leaving(instance))
        return MEMBER_LEAVING;
    if (member_has_ended(instance) || book->has_failed || is_late(scene, instance))
        return MEMBER_FAILED;
    if (condition_is_true(instance, CONDITION_SERVING) && book->is_ready && !member_is_drained(instance))
        return MEMBER_READY;
    return member_has_served(instance) ? MEMBER_UNREADY : MEMBER_STARTING;
}

static int ordinal_of(const struct group_scene *scene, const char *name)
{
    size_t length = strlen(scene->name);

    if (!scene->wish.stable_names || strncmp(name, scene->name, length) != 0 || name[length] != '-')
        return -1;
    return atoi(name + length + 1);
}

static double load_of(const json_t *instance)
{
    const char *cpu = view_text(&kind_instance, instance, "status.usage.cpu");
    int64_t milli = 0;
    struct err err;

    if (cpu)
        (void)quantity_parse_milli(cpu, &milli, &err); /* stored by us */
    return (double)milli;
}

static void read_member(struct group_scene *scene, struct member_book *book, json_t *take_instance)
{
    struct group_member *member = &scene->members[scene->count];
    const json_t *serving = take_instance ? condition_get(take_instance, CONDITION_SERVING) : NULL;
    const char *revision = take_instance ? label(take_instance, LABEL_REVISION) : NULL;

    *member = (struct group_member){ .name = book->name, .state = MEMBER_STARTING,
                                     .revision = revision ? group_revision_alike(scene, atoi(revision))
                                                          : scene->wish.revision,
                                     .ordinal = ordinal_of(scene, book->name),
                                     .created_ms = group_now_ms(scene), .ready_since_ms = -1 };
    scene->instances[scene->count] = take_instance;
    scene->books[scene->count] = book;
    scene->count++;
    if (!take_instance) {
        member->state = book->is_warm ? MEMBER_WARM : MEMBER_STARTING;
        return;
    }
    book->is_warm = is_warm(take_instance);
    member->created_ms = begun_ms(take_instance);
    member->is_protected = str_equal(annotation(take_instance, ANNOTATION_PROTECTED), "true");
    member->load = load_of(take_instance);
    group_probe_member(scene, scene->count - 1);
    if (book->is_warm) {
        see_it_settle(scene, book, take_instance);
        member->state = state_of_warm(scene, take_instance, book);
        member->is_loaded = member->state == MEMBER_WARM && is_loaded(take_instance);
        if (scene->snapshot && !str_equal(view_text(&kind_instance, take_instance, "spec.snapshot"), scene->snapshot))
            member->revision = 0; /* of a seed that was renewed: of no template that there is */
        return;
    }
    member->state = state_of(scene, take_instance, book);
    if (member->state == MEMBER_READY)
        member->ready_since_ms = time_of(serving, "lastTransitionTime");
}

bool group_owns(const struct group_scene *scene, const json_t *object)
{
    return object_has_owner(object, (struct owner){ .uid = scene->uid });
}

static void keep_not_made(struct group_scene *scene, const char *name, const char *why)
{
    free(scene->book->not_made);
    scene->book->not_made = str_printf("member %s was not made: %s", name, why);
    scene->book->not_made_ms = group_now_ms(scene);
}

/* Asked for and not there: it comes, or it could not be made. */
static bool is_coming(struct group_scene *scene, const char *name)
{
    auto_free char *op = str_printf("create %s", name);
    struct err err = { 0 };

    switch (work_op(scene->work, op, &err)) {
    case OP_RUNNING: return true;
    case OP_FAILED:
        keep_not_made(scene, name, err.text);
        work_event(scene->work, "Warning", "CreateFailed", "%s", scene->book->not_made);
        work_op_reset(scene->work, op);
        return false;
    default: return false;
    }
}

/* One of its name that is made later is another member: its hooks run anew, and those of this one that
 * have not ended say nothing of it. */
static void forget_member(struct group_scene *scene, const char *name)
{
    static const char *const ops[] = { "create", "pause", "resume", "serving", "join", "drain", "leave", "delete" };

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        auto_free char *op = str_printf("%s %s", ops[i], name);
        work_op_drop(scene->work, op);
    }
    group_book_drop(scene->book, name);
}

void group_members_find(struct group_scene *scene)
{
    size_t limit = map_count(scene->book->members);
    auto_free char **names = mem_array(limit + 1, sizeof *names);
    const char *name;
    size_t known = 0;

    if (limit > GROUP_MEMBERS_MAX)
        limit = GROUP_MEMBERS_MAX;
    scene->instances = mem_array(limit + 1, sizeof *scene->instances);
    scene->members = mem_array(limit + 1, sizeof *scene->members);
    scene->books = mem_array(limit + 1, sizeof *scene->books);
    for (size_t at = 0; known < limit && map_next(scene->book->members, &at, &name, NULL);)
        names[known++] = str_dup(name);
    for (size_t i = 0; i < known; i++) {
        json_t *instance = work_look(scene->work, &kind_instance, scene->namespace_name, names[i]);

        if (instance && !group_owns(scene, instance)) {
            json_decref(instance);
            instance = NULL;
        }
        if (instance || is_coming(scene, names[i]))
            read_member(scene, map_get(scene->book->members, names[i]), instance);
        else
            forget_member(scene, names[i]);
        free(names[i]);
    }
}
