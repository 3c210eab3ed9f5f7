/* api/reviews.c - "may I?" and "who am I?". */
#include "api/reviews.h"
#include "api/auth.h"
#include "api/internal.h"
#include <string.h>

static const char *text_at(const json_t *value, const char *path)
{
    return json_text_at(value, path, "");
}

static struct access access_of(const json_t *attributes)
{
    return (struct access){ .verb = text_at(attributes, "verb"),
                            .group = text_at(attributes, "group"),
                            .resource = text_at(attributes, "resource"),
                            .subresource = text_at(attributes, "subresource"),
                            .namespace_name = text_at(attributes, "namespace"),
                            .name = text_at(attributes, "name") };
}

/* Discovery, health and version are for everyone who is known. */
static bool may_read_path(const char *path, const char *verb)
{
    static const char *const open[] = { "/api",     "/apis",   "/healthz", "/livez",
                                        "/openapi", "/readyz", "/version" };

    if (!str_equal(verb, "get"))
        return false;
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        size_t length = strlen(open[i]);

        if (str_starts(path, open[i]) && (!path[length] || path[length] == '/'))
            return true;
    }
    return false;
}

static bool may(struct api *api, const struct api_user *user, const json_t *spec,
                const char **ret_why)
{
    const json_t *attributes = json_object_get(spec, "resourceAttributes");
    const json_t *path = json_object_get(spec, "nonResourceAttributes");
    struct access access = access_of(attributes);

    *ret_why = NULL;
    if (attributes)
        return auth_allows(api, user, &access, ret_why);
    return user_is_in(user, USER_MASTERS) ||
           may_read_path(text_at(path, "path"), text_at(path, "verb"));
}

static json_t *access_status(struct api *api, const struct api_user *user, const json_t *spec)
{
    const char *why;
    bool allowed = may(api, user, spec, &why);
    json_t *status = json_pack("{s:b}", "allowed", allowed);

    if (why)
        json_object_set_new(status, "reason", json_string(why));
    return status;
}

/* --- rules: what the user may do, as a list --- */

static json_t *allowed_verbs(const struct request *request, const struct resource *resource,
                             const char *namespace_name)
{
    const struct kind *kind = resource->kind;
    json_t *verbs = json_array();
    const char *why;

    for (const char *const *verb = resource_verbs(resource); *verb; verb++) {
        struct access access = { *verb, kind->group, kind->plural, "", namespace_name, "" };

        if (auth_allows(request->api, &request->user->view, &access, &why))
            json_array_append_new(verbs, json_string(*verb));
    }
    return verbs;
}

static json_t *resource_rules(const struct request *request, const char *namespace_name)
{
    json_t *rules = json_array();
    const struct resources *resources = &request->api->resources;

    for (size_t i = 0; i < resources->count; i++) {
        const struct resource *resource = &resources->items[i];
        bool namespaced = resource_is_namespaced(resource);
        json_t *verbs = allowed_verbs(request, resource, namespaced ? namespace_name : "");

        if (json_array_size(verbs) == 0) {
            json_decref(verbs);
            continue;
        }
        json_array_append_new(rules, json_pack("{s:o,s:[s],s:[s]}", "verbs", verbs, "apiGroups",
                                               resource->kind->group, "resources",
                                               resource->kind->plural));
    }
    json_array_append_new(rules, json_pack("{s:[s],s:[s],s:[s,s]}", "verbs", "create", "apiGroups",
                                           "authorization.k8s.io", "resources",
                                           "selfsubjectaccessreviews", "selfsubjectrulesreviews"));
    json_array_append_new(rules,
                          json_pack("{s:[s],s:[s],s:[s]}", "verbs", "create", "apiGroups",
                                    "authentication.k8s.io", "resources", "selfsubjectreviews"));
    return rules;
}

static json_t *rules_status(const struct request *request, const json_t *spec)
{
    bool is_master = user_is_in(&request->user->view, USER_MASTERS);
    json_t *paths = is_master ? json_pack("[s]", "*")
                              : json_pack("[s,s,s,s,s,s,s,s,s,s,s]", "/api", "/api/*", "/apis",
                                          "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*",
                                          "/readyz", "/version", "/version/");

    return json_pack("{s:b,s:o,s:[{s:[s],s:o}]}", "incomplete", 0, "resourceRules",
                     resource_rules(request, text_at(spec, "namespace")), "nonResourceRules",
                     "verbs", is_master ? "*" : "get", "nonResourceURLs", paths);
}

/* --- about somebody else: for those who may ask --- */

static int check_asker(struct request *request, const char *resource, struct failure *failure)
{
    struct access access = { "create", "authorization.k8s.io",        resource,
                             "",       request->route.namespace_name, "" };
    const char *why;

    if (auth_allows(request->api, &request->user->view, &access, &why))
        return 0;
    return failure_set(failure, ERR_FORBIDDEN,
                       "%s.authorization.k8s.io is forbidden: User \"%s\" cannot create resource "
                       "\"%s\" in API group \"authorization.k8s.io\" at the cluster scope",
                       resource, request->user->view.name, resource);
}

static json_t *subject_status(struct request *request, json_t *spec, struct failure *failure)
{
    bool is_local = request->route.review == REVIEW_LOCAL_SUBJECT;
    const char *resource = is_local ? "localsubjectaccessreviews" : "subjectaccessreviews";
    auto_json json_t *subject = NULL;

    if (check_asker(request, resource, failure) < 0)
        return NULL;
    subject = json_pack("{s:O?,s:O?}", "name", json_object_get(spec, "user"), "groups",
                        json_object_get(spec, "groups"));
    auto_clean(user_unref_auto) struct user *user = user_from_json(subject, "review");
    if (!user) {
        failure_set(failure, ERR_INVALID, "spec.user: Required value: whom the review is about");
        return NULL;
    }
    if (is_local)
        json_set_at(spec, "resourceAttributes.namespace",
                    json_string(request->route.namespace_name));
    return access_status(request->api, &user->view, spec);
}

/* --- answers --- */

/* The status of the review, owned; NULL with the failure set. */
static json_t *status_of(struct request *request, json_t *spec, struct failure *failure)
{
    switch (request->route.review) {
    case REVIEW_ACCESS:
        return access_status(request->api, &request->user->view, spec);
    case REVIEW_RULES:
        return rules_status(request, spec);
    case REVIEW_SELF:
        return json_pack("{s:o}", "userInfo", user_info(&request->user->view));
    case REVIEW_SUBJECT:
    case REVIEW_LOCAL_SUBJECT:
        return subject_status(request, spec, failure);
    }
    return NULL;
}

static const struct review_kind *kind_of(const struct request *request)
{
    const struct review_kind *review = review_kinds;

    while (review->type != request->route.review)
        review++;
    return review;
}

void review_run(struct request *request)
{
    const struct review_kind *kind = kind_of(request);
    auto_failure struct failure failure = { 0 };
    json_t *parsed = NULL, *answer;

    if (request_json(request, &parsed, &failure) < 0) {
        reply_failure(request, &failure);
        return;
    }
    auto_json json_t *body = json_is_object(parsed) ? parsed : (json_decref(parsed), json_object());
    if (!json_is_object(json_object_get(body, "spec")))
        json_object_set_new(body, "spec", json_object());
    json_t *spec = json_object_get(body, "spec");
    json_t *status = status_of(request, spec, &failure);
    if (!status) {
        reply_failure(request, &failure);
        return;
    }
    answer =
        json_pack("{s:s,s:o,s:{},s:O,s:o}", "kind", kind->kind, "apiVersion",
                  json_printf("%s/v1", kind->group), "metadata", "spec", spec, "status", status);
    reply_json(request, 201, answer);
}
