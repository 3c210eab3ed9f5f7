/* kinds/tables/tables.h - the kinds there are. */
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

/* Can these two listeners of LoadBalancers not both be open? Of one namespace, when they listen inside a
 * Network. */
bool listeners_collide(const json_t *a, const json_t *b);

/* The fields of metadata, the same for every kind. */
extern const struct field metadata_fields[];

/* A list of texts that ends with NULL. */
#define TEXTS(...) ((const char *const[]){ __VA_ARGS__, NULL })
