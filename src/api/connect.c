/* api/connect.c - streams and actions on one object. */
#include "api/connect.h"
#include "api/internal.h"
#include "api/stream.h"
#include "api/tunnel.h"
#include "api/upload.h"
#include "api/verbs.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- methods --- */

static const struct {
    const char *method, *verb;
} method_verbs[] = {
    { "GET", "get" },
    { "POST", "create" },
    { "PUT", "update" },
    { "DELETE", "delete" },
};

static const char *verb_of_method(const char *method)
{
    for (size_t i = 0; i < sizeof method_verbs / sizeof method_verbs[0]; i++)
        if (str_equal(method_verbs[i].method, method))
            return method_verbs[i].verb;
    return NULL;
}

json_t *connect_methods(const struct connect *connect)
{
    auto_free char *text = str_dup(connect->verbs);
    json_t *list = json_array();
    char *rest = text, *method;

    while ((method = strsep(&rest, " ")))
        if (verb_of_method(method))
            json_array_append_new(list, json_string(method));
    return list;
}

json_t *connect_verbs(const struct connect *connect)
{
    auto_json json_t *methods = connect_methods(connect);
    json_t *verbs = json_array(), *method;
    size_t index;

    json_array_foreach (methods, index, method)
        json_array_append_new(verbs, json_string(verb_of_method(json_string_value(method))));
    return verbs;
}

const char *connect_verb(const struct request *request)
{
    auto_json json_t *methods = connect_methods(request->route.connect);
    json_t *method;
    size_t index;

    json_array_foreach (methods, index, method)
        if (str_equal(json_string_value(method), request->method_text))
            return verb_of_method(request->method_text);
    return NULL;
}

/* --- calls --- */

/* The request ends before the call is answered. */
static void let_go(struct request *request)
{
    struct api_call *call = request->held;

    call->request = NULL;
    request->held = NULL;
    request->cut = NULL;
}

void call_free(struct api_call *call)
{
    if (call->request)
        let_go(call->request);
    json_decref(call->object);
    json_decref(call->body);
    free(call);
}

static int check_options(const struct request *request, struct failure *failure)
{
    const struct field *field = request->route.connect->options;

    for (; field && field->name; field++)
        if ((field->flags & FIELD_REQUIRED) && str_is_empty(request_option(request, field->name)))
            return failure_set(failure, ERR_BAD_REQUEST, "%s: Required value: %s", field->name,
                               field->doc);
    return 0;
}

static struct api_call *call_new(struct request *request, struct failure *failure)
{
    struct api_call *call = mem_new(struct api_call);
    bool has_json = request->method == METHOD_POST;

    call->object = verb_stored_object(request, failure);
    if (!call->object || check_options(request, failure) < 0 ||
        (has_json && request_json(request, &call->body, failure) < 0)) {
        call_free(call);
        return NULL;
    }
    call->request = request;
    request->held = call;
    request->cut = let_go;
    return call;
}

void connect_run(struct request *request)
{
    const struct binding *binding = resource_binding(request->resource, request->route.connect);
    auto_failure struct failure failure = { 0 };
    struct api_call *call = NULL;

    if (!binding->fn)
        failure_set(&failure, ERR_UNSUPPORTED, "%s is not served by this daemon",
                    request->route.subresource);
    else
        call = call_new(request, &failure);
    if (call)
        binding->fn(binding->arg, call);
    else
        reply_failure(request, &failure);
}

const struct api_user *api_call_user(const struct api_call *call)
{
    static const char *const no_groups[] = { NULL };
    static const struct api_user nobody = { "", no_groups, "" };

    return call->request ? &call->request->user->view : &nobody;
}

const char *api_call_method(const struct api_call *call)
{
    return call->request ? call->request->method_text : "";
}

const json_t *api_call_object(const struct api_call *call) { return call->object; }

const char *api_call_option(const struct api_call *call, const char *name)
{
    return call->request ? request_option(call->request, name) : NULL;
}

const json_t *api_call_body(const struct api_call *call) { return call->body; }

/* --- answers --- */

/* Takes the request out of the call, which ends; NULL when nobody waits any more. */
static struct request *finish_call(struct api_call *call)
{
    struct request *request = call->request;

    call_free(call);
    return request;
}

void api_call_stream(struct api_call *call, int take_fd)
{
    struct request *request = finish_call(call);

    if (!request)
        close(take_fd);
    else if (tunnel_is_asked_for(request))
        tunnel_stream(request, take_fd);
    else
        stream_reply(request, take_fd, "application/octet-stream", /*follow=*/false);
}

void api_call_file(struct api_call *call, int take_fd, const char *content_type, bool follow)
{
    struct request *request = finish_call(call);

    if (request)
        stream_reply(request, take_fd, content_type, follow);
    else
        close(take_fd);
}

void api_call_bytes(struct api_call *call, const char *content_type, const void *bytes, size_t size)
{
    struct request *request = finish_call(call);

    if (request)
        reply_text(request, 200, content_type, mem_copy(bytes, size), size);
}

void api_call_json(struct api_call *call, int http_status, json_t *take_value)
{
    struct request *request = finish_call(call);

    if (request)
        reply_json(request, (unsigned)http_status, take_value);
    else
        json_decref(take_value);
}

void api_call_error(struct api_call *call, const struct err *err)
{
    struct request *request = finish_call(call);

    if (request && !upload_refuse(request, err))
        reply_error(request, err);
}

void api_call_upload(struct api_call *call, int take_fd, api_upload_fn *end, void *arg)
{
    upload_start(call, take_fd, end, arg);
}
