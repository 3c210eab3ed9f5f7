/* api/list.c - GET of a collection.
 *
 * The JSON form is the stored bytes of each record, streamed in blocks: a list of ten thousand
 * objects is neither parsed nor assembled. Pages go by key, so a token never expires; it carries
 * the revision of the first page, from which a watch then misses nothing. */
#include "api/list.h"
#include "api/base64url.h"
#include "api/computed.h"
#include "api/internal.h"
#include "api/selection.h"
#include "api/table.h"
#include "base/mem.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 128 * 1024, LIMIT_MAX = 1000 * 1000 };

struct page {
    struct selection selection;
    char *after; /* key to go on behind, owned or NULL */
    int64_t revision;
    long long limit; /* 0: all */
    struct record **records;
    size_t count;
    char *next; /* continue token, owned or NULL */
    int64_t remaining;
};

static void page_done(struct page *page)
{
    selection_done(&page->selection);
    record_list_free(page->records, page->count);
    free(page->after);
    free(page->next);
    *page = (struct page){ 0 };
}

/* --- continue tokens: base64url of REVISION:KEY-BEHIND-THE-KIND'S-PREFIX --- */

static char *token_make(const struct resource *resource, int64_t revision, const char *key)
{
    auto_free char *text = str_printf("%" PRId64 ":%s", revision, key + strlen(resource->prefix));

    return base64url_encode(text, strlen(text));
}

static int token_parse(const struct request *request, const char *token, struct page *page,
                       struct failure *failure)
{
    size_t size;
    auto_free char *text = base64url_decode(token, strlen(token), &size);
    char *colon = text && strlen(text) == size ? strchr(text, ':') : NULL;

    if (colon) {
        page->revision = strtoll(text, NULL, 10);
        page->after = str_printf("%s%s", request->resource->prefix, colon + 1);
    }
    if (!colon || page->revision <= 0 || !str_starts(page->after, page->selection.prefix))
        return failure_set(failure, ERR_BAD_REQUEST, "continue key is not valid: \"%.64s\"", token);
    return 0;
}

/* --- options --- */

int list_revision_too_large(struct failure *failure, int64_t wanted, int64_t current)
{
    causes_add(&failure->causes, "ResourceVersionTooLarge", "", "Too large resource version");
    failure->retry_after_s = 1;
    return failure_set(failure, ERR_TIMEOUT,
                       "Too large resource version: %" PRId64 ", current: %" PRId64, wanted,
                       current);
}

int list_check_revision(const struct request *request, struct failure *failure)
{
    const char *match = request_option(request, "resourceVersionMatch");
    struct store *store = request->api->store;
    int64_t current = store->ops->revision(store);
    long long wanted = -1;
    struct err err;

    if (url_number(&request->url, "resourceVersion", &wanted, &err) < 0)
        return failure_from(failure, &err);
    if (!str_is_empty(match) && wanted < 0)
        return failure_set(failure, ERR_INVALID,
                           "resourceVersionMatch: Forbidden: "
                           "resourceVersionMatch is forbidden unless "
                           "resourceVersion is provided");
    if (!str_is_empty(match) && !str_equal(match, "Exact") && !str_equal(match, "NotOlderThan"))
        return failure_set(failure, ERR_INVALID,
                           "resourceVersionMatch: Unsupported value: \"%.32s\": supported values: "
                           "\"Exact\", \"NotOlderThan\"",
                           match);
    if (wanted > current)
        return list_revision_too_large(failure, wanted, current);
    /* Only the latest state is kept. */
    if (str_equal(match, "Exact") && wanted != current)
        return failure_set(failure, ERR_COMPACTED,
                           "The provided resource version is too old: %lld, current: %" PRId64,
                           wanted, current);
    return 0;
}

static int parse_page(struct request *request, struct page *page, struct failure *failure)
{
    const char *token = request_option(request, "continue");
    struct store *store = request->api->store;
    struct err err;

    if (selection_parse(request, &page->selection, failure) < 0 ||
        list_check_revision(request, failure) < 0)
        return -1;
    if (url_number(&request->url, "limit", &page->limit, &err) < 0)
        return failure_from(failure, &err);
    if (page->limit > LIMIT_MAX)
        page->limit = 0;
    page->revision = store->ops->revision(store);
    return str_is_empty(token) ? 0 : token_parse(request, token, page, failure);
}

static void collect_page(struct request *request, struct page *page)
{
    bool more;

    page->records = selection_collect(&page->selection, request->api->store, page->after,
                                      (size_t)page->limit, &page->count, &more, &page->remaining);
    if (more && page->count)
        page->next =
            token_make(request->resource, page->revision, page->records[page->count - 1]->key);
}

/* --- the JSON form, streamed --- */

struct list_body {
    char *head, *tail;
    struct record **records;
    size_t count;
    size_t at;     /* 0: head; 1..count: that record; count+1: tail */
    size_t offset; /* within it; a record is preceded by its comma */
    size_t total;
};

static void list_body_free(void *arg)
{
    struct list_body *body = arg;

    record_list_free(body->records, body->count);
    free(body->head);
    free(body->tail);
    free(body);
}

struct part {
    const char *bytes;
    size_t size;
    bool comma; /* before it */
};

static struct part part_at(const struct list_body *body)
{
    const struct record *record;

    if (body->at == 0)
        return (struct part){ body->head, strlen(body->head), false };
    if (body->at > body->count)
        return (struct part){ body->tail, strlen(body->tail), false };
    record = body->records[body->at - 1];
    return (struct part){ record->bytes, record->size, body->at > 1 };
}

static ssize_t list_body_read(void *arg, uint64_t position, char *to, size_t room)
{
    struct list_body *body = arg;
    size_t used = 0;

    while (used < room && body->at < body->count + 2) {
        struct part part = part_at(body);
        size_t size = part.size + part.comma, piece;

        if (part.comma && body->offset == 0) {
            to[used++] = ',';
            body->offset = 1;
            continue;
        }
        piece = size - body->offset;
        if (piece > room - used)
            piece = room - used;
        memcpy(to + used, part.bytes + body->offset - part.comma, piece);
        used += piece;
        body->offset += piece;
        if (body->offset == size) {
            body->at++;
            body->offset = 0;
        }
    }
    return used ? (ssize_t)used : MHD_CONTENT_READER_END_OF_STREAM;
}

static char *list_head(const struct request *request, const struct page *page)
{
    const struct kind *kind = request->route.kind;
    struct buf text = { 0 };

    buf_printf(&text,
               "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%" PRId64
               "\"",
               request->resource->list_kind, kind_api_version(kind), page->revision);
    if (page->next)
        buf_printf(&text, ",\"continue\":\"%s\"", page->next);
    if (page->next && page->remaining >= 0)
        buf_printf(&text, ",\"remainingItemCount\":%" PRId64, page->remaining);
    buf_add_text(&text, "},\"items\":[");
    return buf_take(&text);
}

/* In the words of the version that is asked for. */
static void show_page(const struct resource *resource, struct page *page)
{
    for (size_t i = 0; resource->kind->stored_as && i < page->count; i++) {
        struct record *stored = page->records[i];

        page->records[i] = resource_show(resource, stored);
        record_unref(stored);
    }
}

static struct list_body *list_body_new(const struct request *request, struct page *page)
{
    struct list_body *body = mem_new(struct list_body);

    *body = (struct list_body){ .head = list_head(request, page),
                                .tail = str_dup("]}\n"),
                                .records = take_pointer(page->records),
                                .count = page->count };
    page->count = 0;
    body->total = strlen(body->head) + strlen(body->tail);
    for (size_t i = 0; i < body->count; i++)
        body->total += body->records[i]->size + (i > 0);
    return body;
}

static void answer_json(struct request *request, struct page *page)
{
    struct list_body *body;
    struct MHD_Response *response;
    size_t block;

    show_page(request->resource, page);
    body = list_body_new(request, page);
    block = body->total < BLOCK_SIZE ? body->total : BLOCK_SIZE;
    response = MHD_create_response_from_callback(body->total, block, list_body_read, body, list_body_free);
    MHD_add_response_header(response, "Content-Type", "application/json");
    reply_response(request, 200, response);
}

/* --- the other forms --- */

static void answer_table(struct request *request, enum accept_form form, const struct page *page)
{
    struct table table = { .resource = request->resource,
                           .form = form,
                           .include = table_include(&request->url),
                           .now_wall_ms = loop_wall_ms(request->api->loop) };
    struct buf text = { 0 };

    table_begin(&table, &text);
    for (size_t i = 0; i < page->count; i++)
        table_add_record(&table, page->records[i], &text);
    table_end(&table, page->revision, page->next, page->remaining, &text);
    size_t size = text.size;
    reply_text(request, 200, "application/json", buf_take(&text), size);
}

void list_run(struct request *request)
{
    enum accept_form form = accept_choose(request->headers.accept,
                                          ACCEPT_TABLE | ACCEPT_TABLE_BETA | ACCEPT_PARTIAL_LIST);
    auto_failure struct failure failure = { 0 };
    struct page page = { 0 };

    if (form == ACCEPT_NONE)
        failure_set(&failure, ERR_NOT_ACCEPTABLE,
                    "only the following media types are accepted: application/json");
    else
        (void)parse_page(request, &page, &failure);
    if (failure.err.code != ERR_NONE) {
        reply_failure(request, &failure);
    } else if (resource_is_computed(request->resource)) {
        computed_list(request, form, &page.selection);
    } else {
        collect_page(request, &page);
        if (form == ACCEPT_JSON)
            answer_json(request, &page);
        else
            answer_table(request, form, &page);
    }
    page_done(&page);
}
