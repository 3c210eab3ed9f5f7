/* control/group_revisions.c - templates of a group: the one that is, and those to roll back to. */
#include "control/group.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"

static const json_t *newest(const json_t *revisions)
{
    size_t count = json_array_size(revisions);

    return count ? json_array_get(revisions, count - 1) : NULL;
}

/* The oldest go, but for the one of the frozen seed: members are made by it until there is another. */
static void forget_oldest(struct group_scene *scene, json_t *revisions)
{
    int64_t limit = view_int(&kind_instance_group, scene->object, "spec.revisionHistoryLimit");
    int64_t forked = json_int_at(scene->object, "status.forkFrom.revision", 0);
    size_t at = 0;

    while ((int64_t)json_array_size(revisions) > limit && at + 1 < json_array_size(revisions))
        if (json_int_at(json_array_get(revisions, at), "revision", 0) == forked)
            at++;
        else
            json_array_remove(revisions, at);
}

/* A template that was there before keeps its number only as history: it comes back as a new one. */
static void add_revision(struct group_scene *scene, json_t *revisions)
{
    int64_t number = json_int_at(newest(revisions), "revision", 0) + 1;
    char now[TIME_TEXT_SIZE];

    time_format(group_now_ms(scene), now, sizeof now);
    json_array_append_new(revisions, json_pack("{s:I,s:s,s:O}", "revision", (json_int_t)number, "time", now,
                                               "template", json_at(scene->object, "spec.template")));
    forget_oldest(scene, revisions);
    json_set_at(scene->object, "status.currentRevision", json_integer(number));
    json_set_at(scene->object, "status.updatedReplicas", json_integer(0));
    if (number > 1)
        work_event(scene->work, "Normal", "TemplateChanged", "the template is revision %lld now", (long long)number);
    json_remove_at(scene->object, "status.circuit");
}

bool group_revision_current(struct group_scene *scene)
{
    json_t *revisions = json_at(scene->object, "status.revisions");

    if (json_equal(json_object_get(newest(revisions), "template"), json_at(scene->object, "spec.template"))) {
        scene->revision = scene->wish.revision = (int)json_int_at(newest(revisions), "revision", 1);
        scene->template = json_at(scene->object, "spec.template");
        return true;
    }
    if (!revisions) {
        json_set_at(scene->object, "status.revisions", json_array());
        revisions = json_at(scene->object, "status.revisions");
    }
    add_revision(scene, revisions);
    return false;
}

int group_revision_alike(const struct group_scene *scene, int revision)
{
    if (revision == scene->wish.revision)
        return revision;
    return json_equal(group_revision_template(scene, revision), scene->template) ? scene->wish.revision : revision;
}

const json_t *group_revision_template(const struct group_scene *scene, int revision)
{
    const json_t *revisions = json_at(scene->object, "status.revisions");

    for (size_t i = 0; i < json_array_size(revisions); i++)
        if (json_int_at(json_array_get(revisions, i), "revision", 0) == revision)
            return json_object_get(json_array_get(revisions, i), "template");
    return NULL;
}
