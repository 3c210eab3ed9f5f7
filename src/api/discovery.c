/* api/discovery.c - which groups, versions and resources there are. */
#include "api/discovery.h"
#include "api/connect.h"
#include "api/router.h"
#include "base/str.h"
#include <assert.h>
#include <string.h>

enum { GROUP_VERSIONS_MAX = 32 };

/* --- groups --- */

static void add_group_version(struct group_version *list, const char *group, const char *version)
{
    size_t count = 0;

    for (; list[count].version; count++)
        if (str_equal(list[count].group, group) && str_equal(list[count].version, version))
            return;
    assert(count + 1 < GROUP_VERSIONS_MAX);
    list[count] = (struct group_version){ group, version };
}

const struct group_version *discovery_group_versions(void)
{
    static struct group_version list[GROUP_VERSIONS_MAX]; /* the same at every call */

    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        add_group_version(list, (*kind)->group, (*kind)->version);
    for (const struct review_kind *review = review_kinds; review->group; review++)
        add_group_version(list, review->group, "v1");
    return list;
}

json_t *discovery_versions(void)
{
    return json_pack("{s:s,s:[s],s:[]}", "kind", "APIVersions", "versions", "v1",
                     "serverAddressByClientCIDRs");
}

static json_t *group_versions_of(const char *group)
{
    json_t *versions = json_array();

    for (const struct group_version *at = discovery_group_versions(); at->version; at++)
        if (str_equal(at->group, group))
            json_array_append_new(versions, json_pack("{s:o,s:s}", "groupVersion",
                                                      json_printf("%s/%s", group, at->version),
                                                      "version", at->version));
    return versions;
}

static json_t *group_json(const char *group)
{
    json_t *versions = group_versions_of(group);

    return json_pack("{s:s,s:o,s:O}", "name", group, "versions", versions, "preferredVersion",
                     json_array_get(versions, 0));
}

json_t *discovery_group(const char *group)
{
    json_t *document = json_pack("{s:s,s:s}", "kind", "APIGroup", "apiVersion", "v1");
    auto_json json_t *members = group_json(group);

    json_object_update(document, members);
    return document;
}

/* Whether 'at' is the first entry of its group. */
static bool opens_group(const struct group_version *at)
{
    for (const struct group_version *other = discovery_group_versions(); other < at; other++)
        if (str_equal(other->group, at->group))
            return false;
    return true;
}

json_t *discovery_groups(void)
{
    json_t *groups = json_array();

    for (const struct group_version *at = discovery_group_versions(); at->version; at++)
        if (!str_is_empty(at->group) && opens_group(at))
            json_array_append_new(groups, group_json(at->group));
    return json_pack("{s:s,s:s,s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups);
}

/* --- subresources: told once, used by both forms --- */

struct subresource {
    const char *name;
    const char *group, *version, *kind; /* of what it answers with */
    json_t *verbs;                      /* owned */
};
typedef void subresource_fn(void *arg, const struct kind *kind, const struct subresource *sub);

static json_t *texts_json(const char *const *texts)
{
    json_t *list = json_array();

    for (; texts && *texts; texts++)
        json_array_append_new(list, json_string(*texts));
    return list;
}

static void each_subresource(const struct kind *kind, subresource_fn *fn, void *arg)
{
    auto_json json_t *change = json_pack("[s,s,s]", "get", "patch", "update");
    struct subresource status = { "status", kind->group, kind->version, kind->name, change };
    struct subresource scale = { "scale", "autoscaling", "v1", "Scale", change };

    if (kind->flags & KIND_HAS_STATUS)
        fn(arg, kind, &status);
    if (kind->scale.spec_replicas)
        fn(arg, kind, &scale);
    for (const struct connect *connect = kind->connects; connect && connect->name; connect++) {
        auto_json json_t *verbs = connect_verbs(connect);
        struct subresource sub = { connect->name, kind->group, kind->version, kind->name, verbs };

        fn(arg, kind, &sub);
    }
}

/* --- the old form --- */

static void set_texts(json_t *object, const char *key, const char *const *texts)
{
    if (texts && *texts)
        json_object_set_new(object, key, texts_json(texts));
}

static void add_old_subresource(void *arg, const struct kind *kind, const struct subresource *sub)
{
    json_t *entry =
        json_pack("{s:o,s:s,s:b,s:s,s:O}", "name", json_printf("%s/%s", kind->plural, sub->name),
                  "singularName", "", "namespaced", (kind->flags & KIND_NAMESPACED) != 0, "kind",
                  sub->kind, "verbs", sub->verbs);

    if (!str_equal(sub->group, kind->group)) {
        json_object_set_new(entry, "group", json_string(sub->group));
        json_object_set_new(entry, "version", json_string(sub->version));
    }
    json_array_append_new(arg, entry);
}

static void add_old_resource(json_t *list, const struct resource *resource)
{
    const struct kind *kind = resource->kind;
    json_t *entry = json_pack("{s:s,s:s,s:b,s:s,s:o}", "name", kind->plural, "singularName",
                              kind->singular, "namespaced", resource_is_namespaced(resource),
                              "kind", kind->name, "verbs", texts_json(resource_verbs(resource)));

    set_texts(entry, "shortNames", kind->short_names);
    set_texts(entry, "categories", kind->categories);
    json_array_append_new(list, entry);
    each_subresource(kind, add_old_subresource, list);
}

static void add_old_reviews(json_t *list, const char *group)
{
    for (const struct review_kind *review = review_kinds; review->group; review++)
        if (str_equal(review->group, group))
            json_array_append_new(list,
                                  json_pack("{s:s,s:s,s:b,s:s,s:[s]}", "name", review->plural,
                                            "singularName", "", "namespaced", review->namespaced,
                                            "kind", review->kind, "verbs", "create"));
}

json_t *discovery_resources(const struct resources *resources, const char *group,
                            const char *version)
{
    json_t *list = json_array();

    for (size_t i = 0; i < resources->count; i++)
        if (str_equal(resources->items[i].kind->group, group) &&
            str_equal(resources->items[i].kind->version, version))
            add_old_resource(list, &resources->items[i]);
    if (str_equal(version, "v1"))
        add_old_reviews(list, group);
    return json_pack(
        "{s:s,s:s,s:o,s:o}", "kind", "APIResourceList", "apiVersion", "v1", "groupVersion",
        str_is_empty(group) ? json_string(version) : json_printf("%s/%s", group, version),
        "resources", list);
}

/* --- the aggregated form --- */

static void add_subresource(void *arg, const struct kind *kind, const struct subresource *sub)
{
    json_array_append_new(arg, json_pack("{s:s,s:{s:s,s:s,s:s},s:O}", "subresource", sub->name,
                                         "responseKind", "group", sub->group, "version",
                                         sub->version, "kind", sub->kind, "verbs", sub->verbs));
}

static json_t *resource_json(const struct resource *resource)
{
    const struct kind *kind = resource->kind;
    json_t *subresources = json_array();
    json_t *entry =
        json_pack("{s:s,s:{s:s,s:s,s:s},s:s,s:s,s:o}", "resource", kind->plural, "responseKind",
                  "group", kind->group, "version", kind->version, "kind", kind->name, "scope",
                  resource_is_namespaced(resource) ? "Namespaced" : "Cluster", "singularResource",
                  kind->singular, "verbs", texts_json(resource_verbs(resource)));

    set_texts(entry, "shortNames", kind->short_names);
    set_texts(entry, "categories", kind->categories);
    each_subresource(kind, add_subresource, subresources);
    if (json_array_size(subresources))
        json_object_set(entry, "subresources", subresources);
    json_decref(subresources);
    return entry;
}

static void add_reviews(json_t *list, const char *group)
{
    for (const struct review_kind *review = review_kinds; review->group; review++)
        if (str_equal(review->group, group))
            json_array_append_new(list, json_pack("{s:s,s:{s:s,s:s,s:s},s:s,s:s,s:[s]}", "resource",
                                                  review->plural, "responseKind", "group", group,
                                                  "version", "v1", "kind", review->kind, "scope",
                                                  review->namespaced ? "Namespaced" : "Cluster",
                                                  "singularResource", "", "verbs", "create"));
}

static json_t *version_json(const struct resources *resources, const struct group_version *at)
{
    json_t *list = json_array();

    for (size_t i = 0; i < resources->count; i++)
        if (str_equal(resources->items[i].kind->group, at->group) &&
            str_equal(resources->items[i].kind->version, at->version))
            json_array_append_new(list, resource_json(&resources->items[i]));
    add_reviews(list, at->group);
    return json_pack("{s:s,s:s,s:o}", "version", at->version, "freshness", "Current", "resources",
                     list);
}

static json_t *aggregated_group(const struct resources *resources, const char *group)
{
    json_t *versions = json_array();

    for (const struct group_version *at = discovery_group_versions(); at->version; at++)
        if (str_equal(at->group, group))
            json_array_append_new(versions, version_json(resources, at));
    return json_pack("{s:{s:s},s:o}", "metadata", "name", group, "versions", versions);
}

json_t *discovery_aggregated(const struct resources *resources, bool core)
{
    json_t *items = json_array();

    for (const struct group_version *at = discovery_group_versions(); at->version; at++)
        if (str_is_empty(at->group) == core && opens_group(at))
            json_array_append_new(items, aggregated_group(resources, at->group));
    return json_pack("{s:s,s:s,s:{},s:o}", "kind", "APIGroupDiscoveryList", "apiVersion",
                     "apidiscovery.k8s.io/v2", "metadata", "items", items);
}
