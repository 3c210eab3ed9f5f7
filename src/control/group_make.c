/* control/group_make.c - a new member from the template. */
#include "control/group.h"
#include "control/balancers.h"
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
    const json_t *template = json_at(scene->object, "spec.template.metadata");
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

static const json_t *identity_of(const struct group_scene *scene, const char *name)
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

static void remember(struct group_scene *scene, const json_t *instance)
{
    json_t *identities = json_at(scene->object, "status.identities"), *identity, *networks;
    const json_t *cards = json_at(instance, "status.networks");

    if (!json_array_size(cards) || identity_of(scene, object_name(instance)))
        return;
    if (!identities) {
        json_set_at(scene->object, "status.identities", json_array());
        identities = json_at(scene->object, "status.identities");
    }
    networks = json_deep_copy(cards);
    for (size_t i = 0; i < json_array_size(networks); i++)
        json_object_del(json_array_get(networks, i), "networkUID");
    identity = json_pack("{s:s,s:o}", "name", object_name(instance), "networks", networks);
    json_array_append_new(identities, identity);
}

void group_remember_identities(struct group_scene *scene)
{
    for (size_t i = 0; scene->wish.stable_names && i < scene->count; i++)
        if (scene->instances[i] && scene->members[i].ordinal >= 0)
            remember(scene, scene->instances[i]);
}

/* --- the whole --- */

void group_make_member(struct group_scene *scene, int ordinal)
{
    auto_free char *name = new_name(scene, ordinal), *op = str_printf("create %s", name);
    json_t *spec;

    if (!work_op_begin(scene->work, op))
        return;
    spec = json_deep_copy(json_at(scene->object, "spec.template.spec"));
    if (ordinal >= 0)
        fix_addresses(scene, name, spec);
    (void)group_book_add(scene->book, name);
    work_event(scene->work, "Normal", "MemberCreated", "member %s is made", name);
    control_create(scene->work->control, &kind_instance,
                   json_pack("{s:o,s:o}", "metadata", metadata_of(scene, name), "spec", spec),
                   work_op_done(scene->work, op));
}
