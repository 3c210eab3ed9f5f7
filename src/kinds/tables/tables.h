/* kinds/tables/tables.h - the kinds there are, and field groups that several share. */
#pragma once
#include "kinds/kind.h"

#define VIRGA_GROUP "virga.dev"
#define VIRGA_API_V1 "v1"
#define VIRGA_API_VERSION VIRGA_GROUP "/" VIRGA_API_V1

extern const struct kind kind_instance, kind_image, kind_storage_pool, kind_volume, kind_snapshot, kind_network,
    kind_instance_group, kind_autoscaler, kind_load_balancer, kind_host, kind_namespace, kind_event,
    kind_secret, kind_config_map;
extern const struct kind kind_hpa, kind_hpa_v1; /* HorizontalPodAutoscaler */

/* Computed or empty kinds that stock clients ask for. */
extern const struct kind kind_service, kind_node, kind_node_metrics, kind_pod_metrics, kind_crd;

/* spec of an Instance; InstanceGroups make instances from it. */
extern const struct field instance_spec_fields[];
/* What a spec of an Instance can grow to is no less than what it begins with; 'path' is where it is. */
void check_instance_size(const json_t *spec, const char *path, struct causes *causes);

/* The fields of one item of status.conditions, in metav1.Condition's words. */
extern const struct field condition_item;

/* The fields of metadata, the same for every kind. */
extern const struct field metadata_fields[];

/* Declares status.conditions and status.observedGeneration in a status table. */
#define STATUS_COMMON                                                                              \
    { .name = "observedGeneration",                                                                \
      .type = FIELD_INT,                                                                           \
      .doc = "The metadata.generation that this status answers." },                                \
    { .name = "conditions",                                                                        \
      .type = FIELD_LIST,                                                                          \
      .key = "type",                                                                               \
      .item = &condition_item,                                                                     \
      .doc = "What holds and what does not yet, each with its reason." }

#define ITEM_OF(type_) (&(const struct field){ .type = (type_) })
#define ENUM_ITEM(values_) (&(const struct field){ .type = FIELD_ENUM, .values = (values_) })
#define OBJECT_ITEM(fields_) (&(const struct field){ .type = FIELD_OBJECT, .fields = (fields_) })
#define TEXTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Reports a value in list 'path' whose 'key' text occurs twice ("spec.networks", "macAddress"). */
void check_distinct(const json_t *object, const char *path, const char *key, struct causes *causes);
