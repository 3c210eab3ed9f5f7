/* api/request.c - one HTTP request and its one answer. */
#include "api/request.h"
#include "api/audit.h"
#include "api/connection.h"
#include "api/internal.h"
#include "api/k8s_protobuf.h"
#include "base/chain.h"
#include "base/mem.h"
#include "store/object.h"
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WARNINGS_SIZE_MAX = 32 * 1024, WARNING_LENGTH_MAX = 1024 };

#define PROTOBUF_TYPE "application/vnd.kubernetes.protobuf"

/* --- life --- */

struct request *request_new(struct api *api, struct MHD_Connection *mhd, const char *target)
{
    struct request *request = mem_new(struct request);

    request->api = api;
    request->mhd = mhd;
    request->target = str_dup(target);
    request->connection = connection_of(mhd);
    request->body.size_max = JSON_BODY_SIZE_MAX;
    request->warnings.size_max = WARNINGS_SIZE_MAX;
    chain_add(&api->requests, request);
    return request;
}

void request_free(struct request *request)
{
    chain_remove(request);
    if (request->response)
        MHD_destroy_response(request->response);
    json_decref(request->headers.impersonate_groups);
    user_unref(request->user);
    free(request->impersonator);
    url_done(&request->url);
    buf_done(&request->body);
    buf_done(&request->warnings);
    free(request->object_name);
    free(request->target);
    free(request);
}

/* --- headers --- */

struct header_slot {
    const char *name;
    size_t offset;
};
#define SLOT(header, member)                                                                       \
    {                                                                                              \
        header, offsetof(struct request_headers, member)                                           \
    }

static const struct header_slot header_slots[] = {
    SLOT("Accept", accept),
    SLOT("Authorization", authorization),
    SLOT("Content-Type", content_type),
    SLOT("Content-Length", content_length),
    SLOT("Expect", expect),
    SLOT("Host", host),
    SLOT("If-None-Match", if_none_match),
    SLOT("Impersonate-User", impersonate_user),
    SLOT("Origin", origin),
    SLOT("Sec-WebSocket-Key", websocket_key),
    SLOT("Sec-WebSocket-Protocol", websocket_protocol),
    SLOT("Sec-WebSocket-Version", websocket_version),
    SLOT("Transfer-Encoding", transfer_encoding),
    SLOT("Upgrade", upgrade),
    SLOT("User-Agent", user_agent),
};

static void note_impersonation(struct request_headers *headers, const char *key, const char *value)
{
    if (strcasecmp(key, "Impersonate-Group") == 0) {
        if (!headers->impersonate_groups)
            headers->impersonate_groups = json_array();
        json_array_append_new(headers->impersonate_groups, json_printf("%s", value));
    } else if (strcasecmp(key, "Impersonate-User") != 0) {
        headers->impersonates_more = true;
    }
}

/* RFC 9110, section 5.6.2: what a header's name may hold. Above all no space before the colon. */
static bool is_token(const char *text, size_t size)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && (!text[i] || !strchr(others, text[i])))
            return false;
    return size > 0;
}

static bool has_control(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 && text[i] != '\t')
            return true;
    return false;
}

static enum MHD_Result note_header(void *arg, enum MHD_ValueKind kind, const char *key,
                                   size_t key_size, const char *value, size_t value_size)
{
    struct request_headers *headers = arg;

    value = value ? value : "";
    headers->is_malformed |= !is_token(key, key_size) || has_control(value, value_size);
    headers->host_count += strcasecmp(key, "Host") == 0;
    headers->content_length_count += strcasecmp(key, "Content-Length") == 0;
    if (strncasecmp(key, "Impersonate-", 12) == 0)
        note_impersonation(headers, key, value);
    for (size_t i = 0; i < sizeof header_slots / sizeof header_slots[0]; i++) {
        const char **slot = (const char **)((char *)headers + header_slots[i].offset);

        if (strcasecmp(key, header_slots[i].name) != 0)
            continue;
        if (!*slot)
            *slot = value;
        break;
    }
    return MHD_YES;
}

void request_read_headers(struct request *request)
{
    MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND, note_header, &request->headers);
}

const char *request_option(const struct request *request, const char *name)
{
    return url_option(&request->url, name);
}

bool request_has_type(const struct request *request, const char *type)
{
    const char *own = request->headers.content_type;
    size_t length = strlen(type);

    return own && strncasecmp(own, type, length) == 0 && strchr(" ;", own[length]);
}

/* --- body --- */

static int unsupported_type(const struct request *request, struct failure *failure)
{
    return failure_set(failure, ERR_UNSUPPORTED_MEDIA,
                       "the body of the request was in an unknown format - accepted media types "
                       "include: application/json, " PROTOBUF_TYPE " (not \"%.100s\")",
                       request->headers.content_type);
}

int request_json(struct request *request, json_t **ret_body, struct failure *failure)
{
    const struct buf *body = &request->body;
    struct err err;

    *ret_body = NULL;
    if (body->size == 0)
        return 0;
    if (request_has_type(request, PROTOBUF_TYPE))
        *ret_body = k8s_protobuf_decode(body->bytes, body->size, &err);
    /* Scale by kubectl and creation by old ones send no type at all, and that means JSON. */
    else if (!request->headers.content_type || request_has_type(request, "application/json") ||
             request_has_type(request, "*/*"))
        *ret_body = json_parse(body->bytes, body->size, &err);
    else
        return unsupported_type(request, failure);
    if (!*ret_body) {
        (void)err_wrap(&err, "the body of the request can't be read");
        return failure_from(failure, &err);
    }
    return 0;
}

/* --- warnings --- */

/* Quoted-string text may hold neither control characters nor a bare quote. */
static void add_quoted(struct buf *to, const char *text)
{
    for (size_t i = 0; text[i] && i < WARNING_LENGTH_MAX; i++) {
        if (text[i] == '"' || text[i] == '\\')
            buf_add_char(to, '\\');
        buf_add_char(to, (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i]);
    }
}

void request_warn(struct request *request, const char *text)
{
    struct buf *warnings = &request->warnings;
    size_t before = warnings->size;

    buf_add_text(warnings, "299 - \"");
    add_quoted(warnings, text);
    buf_add(warnings, "\"", 2); /* the closing quote and the end of this text */
    if (warnings->overflowed)
        warnings->size = before;
}

static void add_warnings(const struct request *request, struct MHD_Response *response)
{
    const struct buf *warnings = &request->warnings;

    for (size_t at = 0; at < warnings->size; at += strlen(warnings->bytes + at) + 1)
        MHD_add_response_header(response, "Warning", warnings->bytes + at);
}

/* --- answers --- */

static struct MHD_Response *text_response(const char *content_type, char *take_text, size_t size)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, take_text, MHD_RESPMEM_MUST_FREE);

    MHD_add_response_header(response, "Content-Type", content_type);
    return response;
}

void reply_response(struct request *request, unsigned http_status,
                    struct MHD_Response *take_response)
{
    assert(!request->response && request->stage != STAGE_ANSWERED);
    if (request->warnings.size)
        add_warnings(request, take_response);
    request->response = take_response;
    request->http_status = http_status;
    if (request->stage == STAGE_RUNNING)
        request->stage = STAGE_ANSWERED;
    audit_request(request);
    if (request->suspended) {
        request->suspended = false;
        connection_resume(request->connection);
    }
}

void reply_text(struct request *request, unsigned http_status, const char *content_type,
                char *take_text, size_t size)
{
    reply_response(request, http_status, text_response(content_type, take_text, size));
}

void reply_json(struct request *request, unsigned http_status, json_t *take_value)
{
    struct buf text = { 0 };

    json_write(take_value, &text);
    buf_add_char(&text, '\n');
    json_decref(take_value);
    size_t size = text.size;
    reply_text(request, http_status, "application/json", buf_take(&text), size);
}

static void unref_record(void *record) { record_unref(record); }

void reply_record(struct request *request, unsigned http_status, const struct record *record)
{
    struct record *own = resource_show(request->resource, (struct record *)record);
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        own->size, (void *)own->bytes, unref_record, own);

    MHD_add_response_header(response, "Content-Type", "application/json");
    reply_response(request, http_status, response);
}

void reply_failure(struct request *request, const struct failure *failure)
{
    struct buf text = { 0 };
    auto_json json_t *status = failure_status(failure);
    struct MHD_Response *response;
    char seconds[16];

    json_write(status, &text);
    buf_add_char(&text, '\n');
    size_t size = text.size;
    response = text_response("application/json", buf_take(&text), size);
    if (failure->retry_after_s) {
        snprintf(seconds, sizeof seconds, "%u", failure->retry_after_s);
        MHD_add_response_header(response, "Retry-After", seconds);
    }
    reply_response(request, (unsigned)failure_http_status(failure), response);
}

void reply_error(struct request *request, const struct err *err)
{
    auto_failure struct failure failure = { 0 };

    failure_from(&failure, err);
    reply_failure(request, &failure);
}

static bool client_has(const struct request *request, const struct document *document)
{
    const char *known = request->headers.if_none_match;

    return known && (strstr(known, document->etag) || strcmp(known, "*") == 0);
}

void reply_document(struct request *request, const struct document *document)
{
    bool is_known = client_has(request, document);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        is_known ? 0 : document->size, (void *)document->bytes, MHD_RESPMEM_PERSISTENT);

    MHD_add_response_header(response, "Content-Type",
                            document->content_type ? document->content_type : "application/json");
    MHD_add_response_header(response, "Etag", document->etag);
    MHD_add_response_header(response, "Vary", "Accept");
    reply_response(request, is_known ? 304 : 200, response);
}

enum MHD_Result request_send(struct request *request)
{
    enum MHD_Result result =
        MHD_queue_response(request->mhd, request->http_status, request->response);

    request->stage = STAGE_SENT;
    MHD_destroy_response(request->response);
    request->response = NULL;
    return result;
}
