/* control/group_make.c - a new member from the template. */
#include "control/group.h"
#include "control/balancers.h"
#include "base/quantity.h"
#include "base/random.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>

enum { SUFFIX_LENGTH = 5 };

static char *new_name(const struct group_scene *scene, int ordinal)
{
    char suffix[SUFFIX_LENGTH + 1];

    if (ordinal >= 0)
        return str_printf("%s-%d", scene->name, ordinal);
    random_suffix(suffix, SUFFIX_LENGTH);
    return str_printf("%s-%s", scene->name, suffix);
}

static json_t *metadata_of(const struct group_scene *scene, const char *name)
{
    const json_t *template = json_object_get(scene->template, "metadata");
    json_t *metadata = json_pack("{s:s,s:s,s:[{s:s,s:s,s:s,s:s,s:b}]}", "name", name, "namespace",
                                 scene->namespace_name, "ownerReferences", "apiVersion",
                                 kind_api_version(&kind_instance_group), "kind", kind_instance_group.name, "name",
                                 scene->name, "uid", scene->uid, "controller", 1);
    const json_t *labels = json_object_get(template, "labels");
    json_t *all = labels ? json_deep_copy(labels) : json_object();

    json_object_set_new(all, LABEL_GROUP, json_string(scene->name));
    json_object_set_new(all, LABEL_REVISION, json_printf("%d", scene->wish.revision));
    json_object_set_new(metadata, "labels", all);
    if (json_object_get(template, "annotations"))
        json_object_set_new(metadata, "annotations", json_deep_copy(json_object_get(template, "annotations")));
    return metadata;
}

/* --- stable names keep their addresses --- */

static json_t *identity_of(const struct group_scene *scene, const char *name)
{
    const json_t *identities = json_at(scene->object, "status.identities");

    for (size_t i = 0; i < json_array_size(identities); i++)
        if (str_equal(json_text_at(json_array_get(identities, i), "name", NULL), name))
            return json_array_get(identities, i);
    return NULL;
}

static void fix_addresses(const struct group_scene *scene, const char *name, json_t *spec)
{
    static const char *const fields[] = { "macAddress", "ipv4Address", "ipv6Address" };
    const json_t *known = json_object_get(identity_of(scene, name), "networks");
    const json_t *cards = json_object_get(spec, "networks");

    for (size_t i = 0; i < json_array_size(cards); i++) {
        json_t *card = json_array_get(cards, i);

        for (size_t k = 0; k < json_array_size(known); k++) {
            const json_t *item = json_array_get(known, k);

            if (!str_equal(json_text_at(item, "name", ""), json_text_at(card, "name", NULL)) ||
                !str_equal(json_text_at(item, "network", ""), json_text_at(card, "network", NULL)))
                continue;
            for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++)
                if (json_object_get(item, fields[f]))
                    json_object_set(card, fields[f], json_object_get(item, fields[f]));
        }
    }
}

/* What the name has on this network already stays. */
static void remember_card(json_t *networks, const json_t *card)
{
    auto_json json_t *own = json_deep_copy(card);

    json_object_del(own, "networkUID");
    for (size_t i = 0; i < json_array_size(networks); i++) {
        json_t *known = json_array_get(networks, i);

        if (!str_equal(json_text_at(known, "name", ""), json_text_at(own, "name", NULL)))
            continue;
        if (str_equal(json_text_at(known, "network", ""), json_text_at(own, "network", NULL)))
            json_object_update_missing(known, own);
        else
            json_array_set(networks, i, own);
        return;
    }
    json_array_append(networks, own);
}

static json_t *identity_to_be(struct group_scene *scene, const char *name)
{
    json_t *identities = json_at(scene->object, "status.identities"), *identity = identity_of(scene, name);

    if (identity)
        return identity;
    if (!identities) {
        json_set_at(scene->object, "status.identities", json_array());
        identities = json_at(scene->object, "status.identities");
    }
    identity = json_pack("{s:s,s:[]}", "name", name, "networks");
    json_array_append_new(identities, identity);
    return identity;
}

static void remember(struct group_scene *scene, const json_t *instance)
{
    const json_t *cards = json_at(instance, "status.networks");
    json_t *networks;

    if (!json_array_size(cards))
        return;
    networks = json_object_get(identity_to_be(scene, object_name(instance)), "networks");
    for (size_t i = 0; i < json_array_size(cards); i++)
        remember_card(networks, json_array_get(cards, i));
}

void group_remember_identities(struct group_scene *scene)
{
    for (size_t i = 0; scene->wish.stable_names && i < scene->count; i++)
        if (scene->instances[i] && scene->members[i].ordinal >= 0)
            remember(scene, scene->instances[i]);
}

/* --- the whole --- */

json_t *group_instance_of(struct group_scene *scene, const char *name)
{
    json_t *spec = json_deep_copy(json_object_get(scene->template, "spec"));

    return json_pack("{s:o,s:o}", "metadata", metadata_of(scene, name), "spec", spec);
}

/* As a new member: asked for, and known from now on. False: that is under way already. */
static bool begin_member(struct group_scene *scene, const char *name, bool is_warm, struct done *ret_done)
{
    auto_free char *op = str_printf("create %s", name);

    if (!work_op_begin(scene->work, op))
        return false;
    group_book_add(scene->book, name)->is_warm = is_warm;
    *ret_done = work_op_done(scene->work, op);
    return true;
}

void group_make_member(struct group_scene *scene, int ordinal)
{
    auto_free char *name = new_name(scene, ordinal);
    struct done done;
    json_t *instance;

    if (!begin_member(scene, name, /*is_warm=*/false, &done))
        return;
    instance = group_instance_of(scene, name);
    if (ordinal >= 0)
        fix_addresses(scene, name, json_object_get(instance, "spec"));
    if (scene->snapshot)
        json_set_at(instance, "spec.snapshot", json_string(scene->snapshot));
    work_event(scene->work, "Normal", "MemberCreated", "member %s %s", name, scene->snapshot ? "is forked" : "is made");
    control_create(scene->work->control, &kind_instance, instance, done);
}

void group_make_warm(struct group_scene *scene)
{
    auto_free char *name = new_name(scene, /*ordinal=*/-1);
    struct done done;
    json_t *instance;

    if (!begin_member(scene, name, /*is_warm=*/true, &done))
        return;
    instance = group_instance_of(scene, name);
    json_object_set_new(json_at(instance, "metadata.labels"), LABEL_WARM, json_string("true"));
    json_set_at(instance, "spec.snapshot", json_string(scene->snapshot));
    control_create(scene->work->control, &kind_instance, instance, done);
}

/* A copy of the member that has another power state, to be edited and stored as operation 'op' ends; owned.
 * NULL: that is under way. */
static json_t *begin_power(struct group_scene *scene, size_t member, const char *op, const char *power_state)
{
    struct err err = { 0 };
    json_t *copy;

    /* Somebody else wrote it meanwhile: try again at once. */
    if (work_op(scene->work, op, &err) == OP_FAILED && err.code == ERR_CONFLICT)
        work_op_reset(scene->work, op);
    if (!work_op_begin(scene->work, op))
        return NULL;
    copy = json_deep_copy(scene->instances[member]);
    json_set_at(copy, "spec.powerState", json_string(power_state));
    return copy;
}

void group_resume_member(struct group_scene *scene, size_t member)
{
    const char *name = scene->members[member].name;
    auto_free char *op = str_printf("resume %s", name);
    char now[TIME_MICRO_TEXT_SIZE];
    json_t *copy = scene->instances[member] ? begin_power(scene, member, op, "Running") : NULL;

    if (!copy) /* under way, or not in the store yet: the next look finds it */
        return;
    json_object_del(json_at(copy, "metadata.labels"), LABEL_WARM);
    if (!json_at(copy, "metadata.annotations"))
        json_set_at(copy, "metadata.annotations", json_object());
    time_format_micro(group_now_ms(scene), now, sizeof now);
    json_object_set_new(json_at(copy, "metadata.annotations"), ANNOTATION_RESUMED, json_string(now));
    work_event(scene->work, "Normal", "MemberResumed", "warm member %s is resumed", name);
    control_update(scene->work->control, &kind_instance, copy, work_op_done(scene->work, op));
}

/* As a seed before it is frozen. */
static bool has_settled(struct group_scene *scene, const struct member_book *book)
{
    int64_t settle_ms = view_duration_ms(&kind_instance_group, scene->object, "spec.settle");
    int64_t left_ms = book->settles_ms + settle_ms - loop_now_ms(control_setup(scene->work->control)->loop);

    if (book->settles_ms && left_ms > 0)
        group_again(scene, left_ms);
    return book->settles_ms && left_ms <= 0;
}

static bool is_to_stand_still(struct group_scene *scene, size_t member)
{
    auto_free char *resume = str_printf("resume %s", scene->members[member].name);

    return scene->members[member].state == MEMBER_WARM && has_settled(scene, scene->books[member]) &&
           work_op(scene->work, resume, NULL) != OP_RUNNING &&
           !str_equal(view_text(&kind_instance, scene->instances[member], "spec.powerState"), "Paused");
}

void group_pause_warm(struct group_scene *scene)
{
    for (size_t i = 0; i < scene->count; i++) {
        auto_free char *op = str_printf("pause %s", scene->members[i].name);
        json_t *copy = is_to_stand_still(scene, i) ? begin_power(scene, i, op, "Paused") : NULL;

        if (copy)
            control_update(scene->work->control, &kind_instance, copy, work_op_done(scene->work, op));
    }
}
