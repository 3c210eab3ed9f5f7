/* api/failure.c - why a request is refused, as a Kubernetes Status. */
#include "api/failure.h"
#include <stdlib.h>
#include <string.h>

#define MODIFIED                                                                                   \
    "the object has been modified; please apply your changes to the latest version and try again"

enum { RESOURCE_NAME_SIZE = 300 };

void failure_done(struct failure *failure)
{
    free(failure->message);
    free(failure->name);
    causes_done(&failure->causes);
    *failure = (struct failure){ 0 };
}

void failure_done_auto(struct failure *failure) { failure_done(failure); }

static void set_subject(struct failure *failure, const struct kind *kind, const char *name)
{
    failure->kind = kind;
    free(failure->name);
    failure->name = str_dup(name);
}

static void set_message(struct failure *failure, char *take_message)
{
    free(failure->message);
    failure->message = take_message;
}

int failure_set(struct failure *failure, enum err_code code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set_message(failure, str_vprintf(format, args));
    va_end(args);
    return err_set(&failure->err, code, "%s", failure->message);
}

int failure_from(struct failure *failure, const struct err *err)
{
    failure->err = *err;
    set_message(failure, NULL);
    return -1;
}

int failure_not_found(struct failure *failure, const struct kind *kind, const char *name)
{
    char resource[RESOURCE_NAME_SIZE];

    kind_resource_name(kind, resource, sizeof resource);
    set_subject(failure, kind, name);
    return failure_set(failure, ERR_NOT_FOUND, "%s \"%s\" not found", resource, name);
}

int failure_exists(struct failure *failure, const struct kind *kind, const char *name)
{
    char resource[RESOURCE_NAME_SIZE];

    kind_resource_name(kind, resource, sizeof resource);
    set_subject(failure, kind, name);
    return failure_set(failure, ERR_ALREADY_EXISTS, "%s \"%s\" already exists", resource, name);
}

int failure_conflict(struct failure *failure, const struct kind *kind, const char *name,
                     const char *why)
{
    char resource[RESOURCE_NAME_SIZE];

    kind_resource_name(kind, resource, sizeof resource);
    set_subject(failure, kind, name);
    return failure_set(failure, ERR_CONFLICT, "Operation cannot be fulfilled on %s \"%s\": %s",
                       resource, name, why ? why : MODIFIED);
}

int failure_forbidden(struct failure *failure, const struct kind *kind, const char *name,
                      const char *format, ...)
{
    char resource[RESOURCE_NAME_SIZE];
    va_list args;

    va_start(args, format);
    auto_free char *why = str_vprintf(format, args);
    va_end(args);
    set_subject(failure, kind, name);
    kind_resource_name(kind, resource, sizeof resource);
    if (str_is_empty(name))
        return failure_set(failure, ERR_FORBIDDEN, "%s is forbidden: %s", resource, why);
    return failure_set(failure, ERR_FORBIDDEN, "%s \"%s\" is forbidden: %s", resource, name, why);
}

static bool all_are_in_use(const struct causes *causes)
{
    for (size_t i = 0; i < causes->count; i++)
        if (strcmp(causes->items[i].reason, "InUse") != 0)
            return false;
    return causes->count > 0;
}

/* "spec.a: Required value", or "[spec.a: ..., spec.b: ...]" for several. */
static char *join_causes(const struct causes *causes)
{
    struct buf text = { 0 };

    if (causes->count > 1)
        buf_add_char(&text, '[');
    for (size_t i = 0; i < causes->count; i++) {
        const struct cause *cause = &causes->items[i];

        buf_add_text(&text, i ? ", " : "");
        if (!str_is_empty(cause->field)) {
            buf_add_text(&text, cause->field);
            buf_add_text(&text, ": ");
        }
        buf_add_text(&text, cause->message);
    }
    if (causes->count > 1)
        buf_add_char(&text, ']');
    return buf_take(&text);
}

int failure_invalid(struct failure *failure, const struct kind *kind, const char *name)
{
    auto_free char *causes = join_causes(&failure->causes);

    set_subject(failure, kind, name);
    if (all_are_in_use(&failure->causes))
        return failure_set(failure, ERR_CONFLICT, "%s \"%s\" %s", kind->singular, name, causes);
    return failure_set(failure, ERR_INVALID, "%s%s%s \"%s\" is invalid: %s", kind->name,
                       str_is_empty(kind->group) ? "" : ".", kind->group, name ? name : "", causes);
}

int failure_http_status(const struct failure *failure)
{
    return err_http_status(failure->err.code);
}

/* --- the Status object --- */

static json_t *causes_json(const struct causes *causes)
{
    json_t *list = json_array();

    for (size_t i = 0; i < causes->count; i++) {
        json_t *cause = json_object();

        json_object_set_new(cause, "reason", json_string(causes->items[i].reason));
        json_object_set_new(cause, "message", json_printf("%s", causes->items[i].message));
        if (!str_is_empty(causes->items[i].field))
            json_object_set_new(cause, "field", json_printf("%s", causes->items[i].field));
        json_array_append_new(list, cause);
    }
    return list;
}

static void add_subject(json_t *details, const struct failure *failure)
{
    const struct kind *kind = failure->kind;
    bool is_invalid = failure->err.code == ERR_INVALID;

    if (!str_is_empty(failure->name))
        json_object_set_new(details, "name", json_printf("%s", failure->name));
    if (!kind)
        return;
    if (!str_is_empty(kind->group))
        json_object_set_new(details, "group", json_string(kind->group));
    /* kubectl prints 'The Instance "x" is invalid' from the kind's name here. */
    json_object_set_new(details, "kind", json_string(is_invalid ? kind->name : kind->plural));
}

static json_t *details_of(const struct failure *failure)
{
    json_t *details = json_object();

    add_subject(details, failure);
    if (failure->causes.count)
        json_object_set_new(details, "causes", causes_json(&failure->causes));
    if (failure->retry_after_s)
        json_object_set_new(details, "retryAfterSeconds", json_integer(failure->retry_after_s));
    return details;
}

json_t *failure_status(const struct failure *failure)
{
    json_t *status = json_pack("{s:s,s:s,s:{},s:s}", "kind", "Status", "apiVersion", "v1",
                               "metadata", "status", "Failure");
    auto_json json_t *details = details_of(failure);

    json_object_set_new(status, "message",
                        json_printf("%s", failure->message ? failure->message : failure->err.text));
    json_object_set_new(status, "reason", json_string(err_reason(failure->err.code)));
    if (json_object_size(details))
        json_object_set(status, "details", details);
    json_object_set_new(status, "code", json_integer(failure_http_status(failure)));
    return status;
}

json_t *status_success(const struct kind *kind, const char *name, const char *uid)
{
    json_t *status = json_pack("{s:s,s:s,s:{},s:s}", "kind", "Status", "apiVersion", "v1",
                               "metadata", "status", "Success");
    json_t *details;

    if (!kind)
        return status;
    details = json_object();
    if (name)
        json_object_set_new(details, "name", json_string(name));
    if (!str_is_empty(kind->group))
        json_object_set_new(details, "group", json_string(kind->group));
    json_object_set_new(details, "kind", json_string(kind->plural));
    if (uid)
        json_object_set_new(details, "uid", json_string(uid));
    json_object_set_new(status, "details", details);
    return status;
}
