/* api/scale.c - the scale subresource. */
#include "api/scale.h"
#include "api/internal.h"
#include "api/patch.h"
#include "api/verbs.h"
#include "store/object.h"
#include <stdlib.h>

/* The Scale of an object. Owned. */
static json_t *scale_of(const struct kind *kind, const json_t *object)
{
    static const char *const shared[] = { "name", "namespace", "uid", "resourceVersion",
                                          "creationTimestamp" };
    const struct scale_paths *paths = &kind->scale;
    json_t *metadata = json_object();
    json_t *scale = json_pack(
        "{s:s,s:s,s:o,s:{s:I},s:{s:I}}", "kind", "Scale", "apiVersion", "autoscaling/v1",
        "metadata", metadata, "spec", "replicas",
        (json_int_t)json_int_at(object, paths->spec_replicas, 0), "status", "replicas",
        (json_int_t)(paths->status_replicas ? json_int_at(object, paths->status_replicas, 0) : 0));
    const char *selector =
        paths->status_selector ? json_text_at(object, paths->status_selector, NULL) : NULL;

    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++) {
        json_t *value = json_object_get(json_object_get(object, "metadata"), shared[i]);
        if (value)
            json_object_set(metadata, shared[i], value);
    }
    if (selector)
        json_set_at(scale, "status.selector", json_string(selector));
    return scale;
}

void scale_get(struct request *request)
{
    auto_failure struct failure failure = { 0 };
    auto_json json_t *object = verb_stored_object(request, &failure);

    if (object)
        reply_json(request, 200, scale_of(request->route.kind, object));
    else
        reply_failure(request, &failure);
}

/* --- changes: the Scale is made, changed as asked, and its replicas put into the object --- */

static int read_replicas(const json_t *scale, int64_t *ret_replicas, struct failure *failure)
{
    const json_t *value = json_at(scale, "spec.replicas");

    *ret_replicas = 0; /* as Kubernetes: absent is zero */
    if (value && !json_is_null(value) && !json_is_integer(value))
        causes_invalid(&failure->causes, "spec.replicas", value, "must be an integer");
    else if (json_is_integer(value))
        *ret_replicas = json_integer_value(value);
    if (*ret_replicas < 0)
        causes_invalid(&failure->causes, "spec.replicas", value,
                       "must be greater than or equal to 0");
    return failure->causes.count ? -1 : 0;
}

static int changed_scale(const struct write *write, const json_t *old, json_t **ret_scale,
                         struct failure *failure)
{
    auto_json json_t *scale = scale_of(write->resource->kind, old);
    const struct request *request = write->request;
    struct err err;

    if (request->method == METHOD_PUT)
        *ret_scale = json_deep_copy(write->body);
    else if (request_has_type(request, "application/json-patch+json"))
        *ret_scale = patch_json(scale, write->body, &err);
    else
        *ret_scale = patch_merge(scale, write->body);
    return *ret_scale ? 0 : failure_from(failure, &err);
}

static int make_scaled(struct write *write, const json_t *old, json_t **ret_object,
                       struct failure *failure)
{
    const struct kind *kind = write->resource->kind;
    json_t *changed = NULL, *object;
    int64_t replicas;
    const char *revision;

    if (changed_scale(write, old, &changed, failure) < 0)
        return -1;
    auto_json json_t *scale = changed;
    const char *name = json_text_at(scale, "metadata.name", write->name);
    if (!str_equal(name, write->name))
        return failure_set(failure, ERR_BAD_REQUEST, "the name of the provided object \"%.200s\" does not match \"%s\"", name,
                           write->name);
    if (read_replicas(scale, &replicas, failure) < 0)
        return failure_invalid(failure, kind, write->name);
    object = json_deep_copy(old);
    revision = json_text_at(scale, "metadata.resourceVersion", "");
    if (*revision) /* checked against the object's like any other */
        json_set_at(object, "metadata.resourceVersion", json_string(revision));
    json_set_at(object, kind->scale.spec_replicas, json_integer(replicas));
    *ret_object = object;
    return 0;
}

static void answer(void *arg, const struct write *write, const struct failure *failure,
                   const struct record *record, const json_t *object)
{
    struct request *request = arg;
    auto_json json_t *stored = record ? object_decode(record) : NULL;

    if (failure)
        reply_failure(request, failure);
    else
        reply_json(request, 200, scale_of(request->route.kind, stored ? stored : object));
}

/* A patch carries its kind in the Content-Type; a PUT is JSON, also without one. */
static int read_change(struct request *request, json_t **ret_body, struct failure *failure)
{
    bool is_patch = request->method == METHOD_PATCH;
    struct err err;

    if (is_patch && !request_has_type(request, "application/merge-patch+json") &&
        !request_has_type(request, "application/strategic-merge-patch+json") &&
        !request_has_type(request, "application/json-patch+json"))
        return failure_set(failure, ERR_UNSUPPORTED_MEDIA,
                           "the body of the request was in an unknown format - accepted media "
                           "types include: application/json-patch+json, "
                           "application/merge-patch+json, application/strategic-merge-patch+json");
    if (!is_patch && request_json(request, ret_body, failure) < 0)
        return -1;
    if (is_patch)
        *ret_body =
            json_parse(request->body.bytes ? request->body.bytes : "", request->body.size, &err);
    if (is_patch && !*ret_body)
        return failure_from(failure, &err);
    if (!*ret_body)
        return failure_set(failure, ERR_BAD_REQUEST, "the body of the request must be a Scale");
    return 0;
}

void scale_update(struct request *request)
{
    auto_failure struct failure failure = { 0 };
    json_t *body = NULL;
    struct write *write;

    if (read_change(request, &body, &failure) < 0 ||
        !(write = verb_write_new(request, NULL, &failure))) {
        json_decref(body);
        reply_failure(request, &failure);
        return;
    }
    write->body = body;
    write->make = make_scaled;
    write->done = answer;
    write_start(write);
}
