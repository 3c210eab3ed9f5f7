/* api/delete.c - how an object is deleted. */
#include "api/delete.h"
#include "api/internal.h"
#include "api/namespaces.h"
#include "api/request.h"
#include "api/verbs.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

enum { GRACE_SECONDS_MAX = 7 * 24 * 3600 };

void delete_options_done(struct delete_options *options)
{
    free(options->uid);
    free(options->revision);
    *options = (struct delete_options){ .grace_seconds = -1 };
}

/* --- options --- */

static int parse_propagation(const char *text, struct delete_options *options,
                             struct failure *failure)
{
    if (str_is_empty(text) || str_equal(text, "Background"))
        options->propagation = PROPAGATE_BACKGROUND;
    else if (str_equal(text, "Foreground"))
        options->propagation = PROPAGATE_FOREGROUND;
    else if (str_equal(text, "Orphan"))
        options->propagation = PROPAGATE_ORPHAN;
    else
        return failure_set(failure, ERR_INVALID,
                           "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: "
                           "Unsupported value: \"%.64s\": supported values: \"Foreground\", "
                           "\"Background\", \"Orphan\"",
                           text);
    return 0;
}

static int parse_dry_run(const json_t *body, const struct url *url, struct delete_options *options,
                         struct failure *failure)
{
    const json_t *list = json_object_get(body, "dryRun");
    size_t index;
    json_t *item;

    json_array_foreach (list, index, item)
        if (dry_run_parse(json_is_string(item) ? json_string_value(item) : "?", &options->dry_run,
                          failure) < 0)
            return -1;
    return dry_run_parse(url_option(url, "dryRun"), &options->dry_run, failure);
}

static int parse_grace(const json_t *body, const struct url *url, struct delete_options *options,
                       struct failure *failure)
{
    const json_t *value = json_object_get(body, "gracePeriodSeconds");
    long long seconds = -1;
    struct err err;

    if (url_number(url, "gracePeriodSeconds", &seconds, &err) < 0)
        return failure_from(failure, &err);
    if (value && !json_is_null(value))
        seconds = json_is_integer(value) ? json_integer_value(value) : -2;
    if (seconds < -1 || seconds > GRACE_SECONDS_MAX)
        return failure_set(failure, ERR_INVALID,
                           "DeleteOptions.meta.k8s.io \"\" is invalid: gracePeriodSeconds: must be "
                           "a number from 0 to %d",
                           GRACE_SECONDS_MAX);
    options->grace_seconds = seconds;
    return 0;
}

int delete_options_parse(const json_t *body, const struct url *url,
                         struct delete_options *ret_options, struct failure *failure)
{
    const char *policy = url_option(url, "propagationPolicy");
    bool orphans = json_bool_at(body, "orphanDependents", url_flag(url, "orphanDependents"));

    *ret_options = (struct delete_options){ .grace_seconds = -1 };
    if (body && !json_is_object(body))
        return failure_set(failure, ERR_BAD_REQUEST,
                           "the body of a deletion must be DeleteOptions");
    policy = json_text_at(body, "propagationPolicy", policy ? policy : orphans ? "Orphan" : NULL);
    ret_options->uid = str_dup(json_text_at(body, "preconditions.uid", NULL));
    ret_options->revision = str_dup(json_text_at(body, "preconditions.resourceVersion", NULL));
    if (parse_propagation(policy, ret_options, failure) < 0 ||
        parse_dry_run(body, url, ret_options, failure) < 0)
        return -1;
    return parse_grace(body, url, ret_options, failure);
}

/* --- the deletion --- */

static int check_precondition(const struct write *write, const char *what, const char *wanted,
                              const char *actual, struct failure *failure)
{
    if (str_is_empty(wanted) || str_equal(wanted, actual))
        return 0;
    auto_free char *why = str_printf("Precondition failed: %s in precondition: %.64s, %s in object "
                                     "meta: %s",
                                     what, wanted, what, actual);
    return failure_conflict(failure, write->resource->kind, write->name, why);
}

static int admit(struct write *write, const json_t *old, struct failure *failure)
{
    const struct api_options *options = &write->api->options;
    const struct kind *kind = write->resource->kind;

    /* Asking again for what is under way is no new decision. */
    if (!options->admit || object_is_deleting(old) || !write->manager)
        return 0;
    options->admit(options->hook_arg, kind, NULL, old, &failure->causes);
    return failure->causes.count ? failure_invalid(failure, kind, write->name) : 0;
}

void delete_set_finalizer(json_t *object, const char *finalizer, bool wanted)
{
    json_t *finalizers = json_at(object, "metadata.finalizers");

    for (size_t i = json_array_size(finalizers); i-- > 0;)
        if (str_equal(json_string_value(json_array_get(finalizers, i)), finalizer))
            json_array_remove(finalizers, i);
    if (!wanted)
        return;
    if (!finalizers) {
        finalizers = json_array();
        json_set_at(object, "metadata.finalizers", finalizers);
    }
    json_array_append_new(finalizers, json_string(finalizer));
}

static void mark(const struct write *write, json_t *object)
{
    char time[32];

    time_format(loop_wall_ms(write->api->loop), time, sizeof time);
    json_set_at(object, "metadata.deletionTimestamp", json_string(time));
    if (is_namespace(write->resource->kind))
        json_set_at(object, "status.phase", json_string("Terminating"));
}

/* A shorter grace period counts also later; a longer one does not. */
static void set_grace(const struct write *write, json_t *object, bool was_deleting)
{
    int64_t wanted = write->options->grace_seconds < 0 ? 0 : write->options->grace_seconds;
    int64_t now = json_int_at(object, "metadata.deletionGracePeriodSeconds", -1);

    if (!was_deleting || (write->options->grace_seconds >= 0 && now >= 0 && wanted < now))
        json_set_at(object, "metadata.deletionGracePeriodSeconds", json_integer(wanted));
}

static int make_deleted(struct write *write, const json_t *old, json_t **ret_object,
                        struct failure *failure)
{
    bool was_deleting = object_is_deleting(old);
    const struct delete_options *options = write->options;
    json_t *object;

    if (check_precondition(write, "UID", options->uid, object_uid(old), failure) < 0 ||
        check_precondition(write, "ResourceVersion", options->revision,
                           json_text_at(old, "metadata.resourceVersion", ""), failure) < 0 ||
        admit(write, old, failure) < 0)
        return -1;
    object = json_deep_copy(old);
    if (!was_deleting) {
        delete_set_finalizer(object, FINALIZER_FOREGROUND,
                             options->propagation == PROPAGATE_FOREGROUND);
        delete_set_finalizer(object, FINALIZER_ORPHAN, options->propagation == PROPAGATE_ORPHAN);
        mark(write, object);
    }
    set_grace(write, object, was_deleting);
    *ret_object = object;
    return 0;
}

void delete_prepare(struct write *write, const struct delete_options *options)
{
    write->options = mem_copy(options, sizeof *options);
    write->options->uid = str_dup(options->uid);
    write->options->revision = str_dup(options->revision);
    write->dry_run = options->dry_run;
    write->is_system = true;
    write->make = make_deleted;
}

/* --- DELETE of one object --- */

static void answer(void *arg, const struct write *write, const struct failure *failure,
                   const struct record *record, const json_t *object)
{
    struct request *request = arg;
    auto_json json_t *stored = record ? object_decode(record) : NULL;

    if (failure)
        reply_failure(request, failure);
    else if (write->removes)
        reply_json(
            request, 200,
            status_success(request->route.kind, write->name, object_uid(object ? object : stored)));
    else if (record)
        reply_record(request, 200, record);
    else
        reply_json(request, 200, json_incref((json_t *)object));
}

static int read_options(struct request *request, struct delete_options *ret_options,
                        struct failure *failure)
{
    json_t *parsed = NULL;

    *ret_options = (struct delete_options){ .grace_seconds = -1 };
    if (request_json(request, &parsed, failure) < 0)
        return -1;
    auto_json json_t *body = parsed;
    if (delete_options_parse(body, &request->url, ret_options, failure) < 0)
        return -1;
    request->is_dry_run = ret_options->dry_run;
    return 0;
}

void verb_delete(struct request *request)
{
    auto_failure struct failure failure = { 0 };
    const struct route *route = &request->route;
    struct delete_options options;
    struct write *write;

    if (read_options(request, &options, &failure) < 0) {
        reply_failure(request, &failure);
    } else {
        write = write_new(request->api, resource_stored(&request->api->resources, request->resource), route->namespace_name, route->name);
        write->manager = str_dup(request->user->view.name);
        write->done = answer;
        write->arg = request;
        delete_prepare(write, &options);
        write_start(write);
    }
    delete_options_done(&options);
}
