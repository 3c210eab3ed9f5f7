/* api/verbs_write.c - POST, PUT and PATCH of one object. */
#include "api/internal.h"
#include "api/managed.h"
#include "api/patch.h"
#include "api/prepare.h"
#include "api/verbs.h"
#include "base/mem.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

enum { MANAGER_LENGTH_MAX = 128 };

/* --- options --- */

static int parse_validation(struct request *request, enum validation *ret_validation,
                            struct failure *failure)
{
    const char *text = request_option(request, "fieldValidation");

    if (str_is_empty(text) || str_equal(text, "Warn"))
        *ret_validation = VALIDATE_WARN;
    else if (str_equal(text, "Strict"))
        *ret_validation = VALIDATE_STRICT;
    else if (str_equal(text, "Ignore"))
        *ret_validation = VALIDATE_IGNORE;
    else
        return failure_set(failure, ERR_INVALID,
                           "fieldValidation: Unsupported value: \"%.64s\": supported values: "
                           "\"Ignore\", \"Strict\", \"Warn\"",
                           text);
    return 0;
}

/* fieldManager, else the program part of the User-Agent. Owned. */
static char *manager_of(const struct request *request)
{
    const char *manager = request_option(request, "fieldManager");
    const char *agent = request->headers.user_agent;
    size_t length;

    if (str_is_empty(manager))
        manager = str_is_empty(agent) ? "unknown" : agent;
    length = manager == agent ? strcspn(manager, "/ ") : strlen(manager);
    return str_dup_part(manager, length > MANAGER_LENGTH_MAX ? MANAGER_LENGTH_MAX : length);
}

struct write *verb_write_new(struct request *request, const char *name, struct failure *failure)
{
    const struct route *route = &request->route;
    enum validation validation = VALIDATE_WARN;
    struct write *write;

    if (dry_run_parse(request_option(request, "dryRun"), &request->is_dry_run, failure) < 0 ||
        parse_validation(request, &validation, failure) < 0)
        return NULL;
    write = write_new(request->api, resource_stored(&request->api->resources, request->resource),
                      route->namespace_name, name ? name : route->name);
    if (request->resource->kind->stored_as)
        write->view = request->resource->kind;
    write->part = route->part == PART_STATUS ? WRITE_STATUS : WRITE_OBJECT;
    write->validation = validation;
    write->dry_run = request->is_dry_run;
    write->manager = manager_of(request);
    write->request = request;
    write->done = verb_answer;
    write->arg = request;
    return write;
}

/* --- answers --- */

void verb_answer(void *arg, const struct write *write, const struct failure *failure,
                 const struct record *record, const json_t *object)
{
    struct request *request = arg;
    unsigned http_status = write->created ? 201 : 200;

    if (!request->object_name)
        request->object_name = str_dup(write->name);
    if (failure)
        reply_failure(request, failure);
    else if (record)
        reply_record(request, http_status, record);
    else
        reply_json(request, http_status,
                   write->view ? write->view->show(object) : json_incref((json_t *)object));
}

static void refuse(struct request *request, struct write *write, const struct failure *failure)
{
    if (write)
        write_cancel(write);
    reply_failure(request, failure);
}

/* --- the body, while the write may be attempted several times --- */

static void keep_body(struct write *write, json_t *take_body)
{
    json_decref(write->body);
    write->body = take_body;
}

/* The body of a create or update; a missing one is refused. */
static int read_object(struct request *request, json_t **ret_object, struct failure *failure)
{
    if (request_json(request, ret_object, failure) < 0)
        return -1;
    if (json_is_object(*ret_object))
        return 0;
    json_decref(take_pointer(*ret_object));
    return failure_set(failure, ERR_BAD_REQUEST, "the body of the request must be an object");
}

static int make_from_body(struct write *write, const json_t *old, json_t **ret_object,
                          struct failure *failure)
{
    *ret_object = json_deep_copy(write->body);
    return 0;
}

/* --- create and update --- */

/* The name a body brings, or NULL. */
static const char *body_name(const json_t *body)
{
    const char *name = json_text_at(body, "metadata.name", NULL);

    return str_is_empty(name) ? NULL : name;
}

void verb_create(struct request *request)
{
    auto_failure struct failure failure = { 0 };
    json_t *body = NULL;
    struct write *write = NULL;

    if (read_object(request, &body, &failure) < 0 ||
        !(write = verb_write_new(request, body_name(body), &failure))) {
        json_decref(body);
        refuse(request, write, &failure);
        return;
    }
    keep_body(write, body);
    write->creates = true;
    write->make = make_from_body;
    write_start(write);
}

void verb_update(struct request *request)
{
    auto_failure struct failure failure = { 0 };
    json_t *body = NULL;
    struct write *write = NULL;

    if (read_object(request, &body, &failure) < 0 ||
        !(write = verb_write_new(request, NULL, &failure))) {
        json_decref(body);
        refuse(request, write, &failure);
        return;
    }
    keep_body(write, body);
    write->make = make_from_body;
    write_start(write);
}

/* --- patches --- */

static int make_merged(struct write *write, const json_t *old, json_t **ret_object,
                       struct failure *failure)
{
    auto_json json_t *merged = patch_merge(old, write->body);

    *ret_object = json_deep_copy(merged);
    return 0;
}

static int make_json_patched(struct write *write, const json_t *old, json_t **ret_object,
                             struct failure *failure)
{
    struct err err;

    *ret_object = patch_json(old, write->body, &err);
    return *ret_object ? 0 : failure_from(failure, &err);
}

static int make_strategic(struct write *write, const json_t *old, json_t **ret_object,
                          struct failure *failure)
{
    struct err err;
    auto_json json_t *merged = patch_strategic(write->resource->schema, old, write->body, &err);

    if (!merged)
        return failure_from(failure, &err);
    *ret_object = json_deep_copy(merged);
    return 0;
}

static int make_applied(struct write *write, const json_t *old, json_t **ret_object,
                        struct failure *failure)
{
    const struct kind *kind = write->resource->kind;
    struct field_writer writer = { .manager = write->manager,
                                   .api_version = kind_api_version(kind),
                                   .subresource = write->part == WRITE_STATUS ? "status" : NULL,
                                   .wall_ms = loop_wall_ms(write->api->loop) };
    auto_free char *message = NULL;

    if (managed_apply(write->resource->schema, old, write->body, write->force, &writer, ret_object,
                      &failure->causes, &message) == 0)
        return 0;
    return failure_set(failure, ERR_CONFLICT, "%s", message);
}

static const struct patch_type {
    const char *media;
    write_make_fn *make;
} patch_types[] = {
    { "application/merge-patch+json", make_merged },
    { "application/json-patch+json", make_json_patched },
    { "application/strategic-merge-patch+json", make_strategic },
    { "application/apply-patch+yaml", make_applied },
    { "application/apply-patch+json", make_applied },
};

static const struct patch_type *find_patch_type(const struct request *request)
{
    for (size_t i = 0; i < sizeof patch_types / sizeof patch_types[0]; i++)
        if (request_has_type(request, patch_types[i].media))
            return &patch_types[i];
    return NULL;
}

static int read_patch(struct request *request, const struct patch_type *type, json_t **ret_patch,
                      struct failure *failure)
{
    struct err err;

    if (!type)
        return failure_set(failure, ERR_UNSUPPORTED_MEDIA,
                           "the body of the request was in an unknown format - accepted media "
                           "types include: application/json-patch+json, "
                           "application/merge-patch+json, application/apply-patch+yaml, "
                           "application/strategic-merge-patch+json");
    *ret_patch =
        json_parse(request->body.bytes ? request->body.bytes : "", request->body.size, &err);
    if (!*ret_patch) {
        (void)err_wrap(&err, "the patch can't be read%s",
                       type->make == make_applied ? " (an apply patch must be JSON, which is YAML)"
                                                  : "");
        return failure_from(failure, &err);
    }
    if (type->make != make_json_patched && !json_is_object(*ret_patch)) {
        json_decref(take_pointer(*ret_patch));
        return failure_set(failure, ERR_BAD_REQUEST, "the patch must be an object");
    }
    return 0;
}

/* What holds for server-side apply alone, and for the others alone. */
static int prepare_apply(struct request *request, struct write *write, json_t *body,
                         struct failure *failure)
{
    write->force = url_flag(&request->url, "force");
    write->is_apply = true;
    write->may_create = write->part == WRITE_OBJECT;
    if (str_is_empty(request_option(request, "fieldManager")))
        return failure_set(
            failure, ERR_INVALID,
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: "
            "is required for apply patch");
    if (json_at(body, "metadata.managedFields"))
        return failure_set(failure, ERR_BAD_REQUEST, "metadata.managedFields must be nil");
    prepare_drop_nulls(body);
    if (!json_is_object(json_object_get(body, "metadata")) && json_object_get(body, "metadata"))
        return failure_set(failure, ERR_BAD_REQUEST, "metadata must be an object");
    /* Each endpoint applies its own part. */
    if (write->part == WRITE_OBJECT && (write->resource->kind->flags & KIND_HAS_STATUS))
        json_object_del(body, "status");
    if (write->part == WRITE_STATUS) {
        for (const struct field *field = write->resource->kind->fields; field->name; field++)
            if (!str_equal(field->name, "status"))
                json_object_del(body, field->name);
    }
    return write_check_fields(write, body, failure);
}

static int prepare_patch(struct request *request, struct write *write, json_t *body,
                         struct failure *failure)
{
    if (write->make == make_applied && write->view)
        return failure_set(failure, ERR_UNSUPPORTED_MEDIA, "apply patches must be of %s",
                           kind_api_version(write->view->stored_as));
    if (write->make == make_applied)
        return prepare_apply(request, write, body, failure);
    if (url_flag(&request->url, "force"))
        return failure_set(failure, ERR_INVALID,
                           "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be "
                           "specified for non-apply patch");
    return 0;
}

void verb_patch(struct request *request)
{
    const struct patch_type *type = find_patch_type(request);
    auto_failure struct failure failure = { 0 };
    json_t *body = NULL;
    struct write *write = NULL;

    if (read_patch(request, type, &body, &failure) < 0 ||
        !(write = verb_write_new(request, NULL, &failure))) {
        json_decref(body);
        refuse(request, write, &failure);
        return;
    }
    keep_body(write, body);
    write->make = type->make;
    if (prepare_patch(request, write, body, &failure) < 0)
        refuse(request, write, &failure);
    else
        write_start(write);
}
