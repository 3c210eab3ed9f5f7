/* api/discovery.h - which groups, versions and resources there are, in both forms. Pure. */
#pragma once
#include "api/resource.h"

struct group_version {
    const char *group, *version; /* static; core is "" */
};
/* Each once, in the tables' order, core among them; ended by a NULL version. */
const struct group_version *discovery_group_versions(void);

/* Owned documents. */
json_t *discovery_versions(void);           /* /api */
json_t *discovery_groups(void);             /* /apis */
json_t *discovery_group(const char *group); /* /apis/GROUP */
json_t *discovery_resources(const struct resources *resources, const char *group,
                            const char *version); /* /apis/GROUP/VERSION */
/* apidiscovery.k8s.io/v2 of core alone, or of all other groups. */
json_t *discovery_aggregated(const struct resources *resources, bool core);
