/* kinds/tables/common.c - field groups and rules that several kinds share, and the list of kinds. */
#include "kinds/tables/shapes.h"
#include "base/netaddr.h"
#include "base/str.h"

static const struct field condition_fields[] = {
    { .name = "type", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "What this is about." },
    { .name = "status",
      ENUM("True", "False", "Unknown"),
      .flags = FIELD_REQUIRED,
      .doc = "Whether it holds." },
    { .name = "reason", .type = FIELD_TEXT, .doc = "One CamelCase word for programs." },
    { .name = "message", .type = FIELD_TEXT, .doc = "A sentence for people." },
    { .name = "lastTransitionTime",
      .type = FIELD_TIME,
      .doc = "When the status last changed." },
    { .name = "observedGeneration",
      .type = FIELD_INT,
      .doc = "The generation this was found for." },
    { 0 },
};
const struct field condition_item = { .type = FIELD_OBJECT, .fields = condition_fields };

const struct kind *const all_kinds[] = {
    &kind_instance,  &kind_image,  &kind_storage_pool, &kind_volume,       &kind_snapshot, &kind_network,
    &kind_instance_group, &kind_autoscaler, &kind_hpa, &kind_hpa_v1, &kind_load_balancer,
    &kind_host,      &kind_event,  &kind_namespace,    &kind_secret,       &kind_config_map,
    &kind_service,   &kind_node,   &kind_node_metrics, &kind_pod_metrics,  &kind_crd,
    NULL,
};

/* Addresses can be written in several ways. */
static bool is_same(const char *text, const char *other)
{
    return other && (str_equal(text, other) || address_text_equal(text, other));
}

void check_distinct(const json_t *object, const char *path, const char *key, struct causes *causes)
{
    const json_t *list = json_at(object, path);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_text_at(json_array_get(list, i), key, NULL);

        for (size_t j = 0; text && j < i; j++) {
            if (!is_same(text, json_text_at(json_array_get(list, j), key, NULL)))
                continue;
            auto_free char *field = str_printf("%s[%zu].%s", path, i, key);
            causes_add(causes, "FieldValueDuplicate", field, "Duplicate value: \"%s\"", text);
            break;
        }
    }
}
