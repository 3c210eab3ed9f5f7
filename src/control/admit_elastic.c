/* control/admit_elastic.c - rules of InstanceGroup and Autoscaler that need other objects, or the clock. */
#include "control/admit.h"
#include "base/str.h"
#include "elastic/policy.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <string.h>

/* Members add "-" and five characters, seeds "-seed-" and as many, and both are labels too. */
enum { GROUP_NAME_MAX = 57, FORKING_NAME_MAX = 52 };

void admit_instance_group(struct control *control, const json_t *object, const json_t *old,
                          struct causes *causes)
{
    const json_t *spec = json_at(object, "spec.template.spec"), *cards = json_object_get(spec, "networks");
    const char *namespace_name = object_namespace(object);
    static const char *const sizes[] = { "spec.template.spec.cpus", "spec.template.spec.memory",
                                         "spec.template.spec.maxCPUs", "spec.template.spec.maxMemory" };

    bool forks = str_equal(json_text_at(object, "spec.start", ""), "Fork");
    unsigned name_max = forks ? FORKING_NAME_MAX : GROUP_NAME_MAX;

    if (strlen(object_name(object)) > name_max)
        causes_add(causes, "FieldValueTooLong", "metadata.name",
                   "Too long: may not be longer than %u characters: %s are called by it", name_max,
                   forks ? "its seeds" : "members");
    if (old && json_equal(json_at(object, "spec.template"), json_at(old, "spec.template")))
        return; /* a group whose image is gone is still to be made smaller */
    admit_exists(control, &kind_image, NULL, json_text_at(spec, "image", NULL), "spec.template.spec.image", causes);
    admit_exists(control, &kind_snapshot, namespace_name, json_text_at(spec, "snapshot", NULL),
                 "spec.template.spec.snapshot", causes);
    admit_exists(control, &kind_storage_pool, NULL, json_text_at(spec, "rootDisk.pool", NULL),
                 "spec.template.spec.rootDisk.pool", causes);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (!old || !json_equal(json_at(object, sizes[i]), json_at(old, sizes[i])))
            admit_fits(control, object, sizes[i], causes);
    for (size_t i = 0; i < json_array_size(cards); i++) {
        auto_free char *field = str_printf("spec.template.spec.networks[%zu].network", i);

        admit_exists(control, &kind_network, namespace_name,
                     json_text_at(json_array_get(cards, i), "network", NULL), field, causes);
    }
}

/* --- a size that nobody names follows its bounds --- */

/* Does a manifest that is applied say it? */
static bool is_replicas_applied(const json_t *object)
{
    const json_t *entries = json_at(object, "metadata.managedFields");

    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        const json_t *fields = json_object_get(json_object_get(entry, "fieldsV1"), "f:spec");

        if (str_equal(json_text_at(entry, "operation", NULL), "Apply") && json_object_get(fields, "f:replicas"))
            return true;
    }
    return false;
}

void fill_instance_group(struct control *control, json_t *object)
{
    json_t *spec = json_object_get(object, "spec"), *replicas = json_object_get(spec, "replicas");
    auto_json json_t *stored = control_find(control, &kind_instance_group, object_namespace(object), object_name(object));
    auto_json json_t *whole = json_deep_copy(object);
    int64_t min, max, size;

    kind_default(&kind_instance_group, whole);
    min = view_int(&kind_instance_group, whole, "spec.minReplicas");
    max = view_int(&kind_instance_group, whole, "spec.maxReplicas");
    size = view_int(&kind_instance_group, whole, "spec.replicas");
    if (!json_is_object(spec) || min > max || (size >= min && size <= max))
        return;
    if (replicas && (!stored || !json_equal(replicas, json_at(stored, "spec.replicas")) || is_replicas_applied(object)))
        return;
    json_object_set_new(spec, "replicas", json_integer(size < min ? min : max));
}

/* --- who scales --- */

struct rival {
    const json_t *object;
    const struct kind *kind; /* of those looked at */
    char name[256];          /* of another with the same target: "Autoscaler \"web\"" */
};

static void look_for_rival(void *arg, const json_t *other)
{
    struct rival *rival = arg;

    bool is_itself = str_equal(object_name(other), object_name(rival->object)) &&
                     str_equal(json_text_at(other, "kind", ""), json_text_at(rival->object, "kind", ""));

    if (!is_itself && !object_is_deleting(other) &&
        str_equal(json_text_at(other, "spec.scaleTargetRef.name", ""),
                  json_text_at(rival->object, "spec.scaleTargetRef.name", NULL)))
        (void)snprintf(rival->name, sizeof rival->name, "%s \"%s\"", rival->kind->name, object_name(other));
}

/* "spec.schedules[0].timeZone: unknown ..." to a cause at that field. */
static void add_policy_cause(const struct err *err, struct causes *causes)
{
    const char *colon = strstr(err->text, ": ");
    auto_free char *field = str_dup_part(err->text, colon ? (size_t)(colon - err->text) : strlen(err->text));

    causes_add(causes, "FieldValueInvalid", field, "Invalid value: %s", colon ? colon + 2 : err->text);
}

static void check_rivals(struct control *control, const json_t *object, struct causes *causes)
{
    static const struct kind *const kinds[] = { &kind_autoscaler, &kind_hpa };
    struct rival rival = { .object = object };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        rival.kind = kinds[i];
        control_each(control, kinds[i], object_namespace(object), look_for_rival, &rival);
    }
    if (rival.name[0])
        causes_add(causes, "FieldValueInvalid", "spec.scaleTargetRef.name",
                   "Invalid value: \"%s\": %s scales it already",
                   json_text_at(object, "spec.scaleTargetRef.name", ""), rival.name);
}

void admit_autoscaler(struct control *control, const json_t *object, struct causes *causes)
{
    struct metric_names names = { 0 };
    struct err err;
    auto_clean(policy_free_auto) struct policy *policy =
        policy_new(json_object_get(object, "spec"), 0, GROUP_SIZE_MAX, &names, &err);

    if (!policy)
        add_policy_cause(&err, causes);
    check_rivals(control, object, causes);
}

void admit_hpa(struct control *control, const json_t *object, struct causes *causes)
{
    check_rivals(control, object, causes);
}
