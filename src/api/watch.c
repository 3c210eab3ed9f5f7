/* api/watch.c - changes of a collection as a stream of events. */
#include "api/watch.h"
#include "api/index.h"
#include "api/connection.h"
#include "api/internal.h"
#include "api/list.h"
#include "api/selection.h"
#include "api/table.h"
#include "api/tunnel.h"
#include "base/chain.h"
#include "base/mem.h"
#include "store/object.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_KEPT_MAX = 4096, READ_SIZE_WANTED = 16 * 1024, TIMEOUT_MAX_S = 24 * 3600 };

struct event {
    const char *type;      /* "ADDED", ...; static */
    struct record *record; /* a reference; NULL: a bookmark */
    int64_t revision;      /* of a bookmark */
    bool ends_initial;
};

struct watch {
    struct api *api;
    struct request *request; /* NULL behind a WebSocket */
    struct watch *next, **link;
    struct selection selection;
    char *prefix; /* of the keys watched, owned */
    struct table table;
    bool wants_bookmarks;
    bool suspended;

    struct store_watch *source;
    struct record **initial; /* sent first, as ADDED */
    size_t initial_count, initial_next;
    struct event *queue; /* a ring, there only while something waits */
    unsigned first, count;
    int64_t seen_revision; /* of the last event that was queued or passed over */
    bool lagging;          /* the queue was full: resume from there */
    bool ended;
    bool broken;      /* the client is gone: end without ceremony */
    char *last_words; /* an ERROR event to end with, owned, or NULL */

    struct buf text; /* events on their way to libmicrohttpd */
    size_t text_offset;
    struct loop_source *hangup, *timer;
    void (*ready)(void *arg);
    void *ready_arg;
};

/* --- waking the sender --- */

static void wake(struct watch *watch)
{
    if (watch->ready) {
        watch->ready(watch->ready_arg);
    } else if (watch->suspended) {
        watch->suspended = false;
        connection_resume(watch->request->connection);
    }
}

void watch_on_ready(struct watch *watch, void (*fn)(void *arg), void *arg)
{
    watch->ready = fn;
    watch->ready_arg = arg;
}

/* --- the queue --- */

static void push(struct watch *watch, struct event event)
{
    if (!watch->queue)
        watch->queue = mem_array(WATCH_QUEUE_MAX, sizeof watch->queue[0]);
    watch->queue[(watch->first + watch->count++) % WATCH_QUEUE_MAX] = event;
}

static bool pop(struct watch *watch, struct event *ret_event)
{
    if (!watch->count)
        return false;
    *ret_event = watch->queue[watch->first];
    watch->first = (watch->first + 1) % WATCH_QUEUE_MAX;
    if (--watch->count == 0) {
        free(watch->queue);
        watch->queue = NULL;
        watch->first = 0;
    }
    return true;
}

static void drop_queue(struct watch *watch)
{
    struct event event;

    while (pop(watch, &event))
        record_unref(event.record);
}

/* What a change is to this watch: an object that begins or ceases to match appears or goes.
 * NULL: nothing. */
static const char *type_of(const struct watch *watch, const struct store_event *change)
{
    const struct record *before =
        change->type == STORE_DELETED && !change->previous ? change->record : change->previous;
    bool did_match =
        before && change->type != STORE_ADDED && selection_matches(&watch->selection, before);
    bool matches =
        change->type != STORE_DELETED && selection_matches(&watch->selection, change->record);

    if (did_match)
        return matches ? "MODIFIED" : "DELETED";
    return matches ? "ADDED" : NULL;
}

static void changed(void *arg, const struct store_event *change)
{
    struct watch *watch = arg;
    const char *type;

    if (watch->lagging || watch->ended)
        return;
    type = type_of(watch, change);
    if (type && watch->count == WATCH_QUEUE_MAX) {
        watch->lagging = true;
        return;
    }
    watch->seen_revision = change->record->revision;
    if (!type)
        return;
    push(watch, (struct event){ .type = type, .record = record_ref(change->record) });
    wake(watch);
}

static void push_bookmark(struct watch *watch, int64_t revision, bool ends_initial)
{
    if (watch->count < WATCH_QUEUE_MAX && !watch->lagging)
        push(watch, (struct event){
                        .type = "BOOKMARK", .revision = revision, .ends_initial = ends_initial });
}

/* --- events as text --- */

static void add_bookmark(const struct watch *watch, const struct event *event, struct buf *to)
{
    const struct kind *kind = watch->table.resource->kind;

    if (watch->table.form == ACCEPT_TABLE || watch->table.form == ACCEPT_TABLE_BETA) {
        buf_printf(to,
                   "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{"
                   "\"resourceVersion\":\"%" PRId64 "\"},\"columnDefinitions\":[],\"rows\":[]}",
                   event->revision);
        return;
    }
    buf_printf(to,
               "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%" PRId64
               "\",\"creationTimestamp\":null%s}}",
               watch->table.form == ACCEPT_PARTIAL ? "PartialObjectMetadata" : kind->name,
               watch->table.form == ACCEPT_PARTIAL ? "meta.k8s.io/v1" : kind_api_version(kind),
               event->revision,
               event->ends_initial ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}"
                                   : "");
}

static void add_record(struct watch *watch, const struct record *record, struct buf *to)
{
    struct table *table = &watch->table;

    if (table->form == ACCEPT_JSON) {
        auto_clean(record_unref_auto) struct record *shown = resource_show(table->resource, (struct record *)record);

        buf_add(to, shown->bytes, shown->size);
        return;
    }
    table->row_count = 0;
    table->now_wall_ms = loop_wall_ms(watch->api->loop);
    table_begin(table, to);
    table_add_record(table, record, to);
    table_end(table, record->revision, NULL, -1, to);
    table->omit_columns = true;
}

static void add_event(struct watch *watch, const struct event *event, struct buf *to)
{
    buf_printf(to, "{\"type\":\"%s\",\"object\":", event->type);
    if (event->record)
        add_record(watch, event->record, to);
    else
        add_bookmark(watch, event, to);
    buf_add_text(to, "}\n");
}

/* --- the store's side --- */

static void end_with(struct watch *watch, const struct failure *failure)
{
    auto_json json_t *status = failure_status(failure);
    auto_free char *text = json_text(status);

    free(watch->last_words);
    watch->last_words = str_printf("{\"type\":\"ERROR\",\"object\":%s}\n", text);
    watch->ended = true;
}

/* An expired revision is told inside the stream: all clients then list anew, while some give up
 * on a plain 410. */
static void open_source(struct watch *watch, int64_t from)
{
    struct store *store = watch->api->store;
    auto_failure struct failure failure = { 0 };
    struct err err;

    watch->seen_revision = from;
    watch->source = store->ops->watch(store, watch->prefix, from, changed, watch, &err);
    if (watch->source)
        return;
    if (err.code == ERR_COMPACTED)
        failure_set(&failure, ERR_COMPACTED, "too old resource version: %" PRId64 " (%" PRId64 ")",
                    from, store->ops->compacted(store));
    else
        failure_from(&failure, &err);
    end_with(watch, &failure);
}

static void close_source(struct watch *watch)
{
    if (watch->source)
        watch->api->store->ops->watch_free(watch->source);
    watch->source = NULL;
}

static void catch_up(struct watch *watch)
{
    close_source(watch);
    watch->lagging = false;
    open_source(watch, watch->seen_revision);
}

static bool next_event(struct watch *watch, struct event *ret_event)
{
    if (watch->initial_next < watch->initial_count) {
        struct record **record = &watch->initial[watch->initial_next++];

        *ret_event = (struct event){ .type = "ADDED", .record = take_pointer(*record) };
        return true;
    }
    if (watch->initial) {
        free(watch->initial);
        watch->initial = NULL;
        watch->initial_count = watch->initial_next = 0;
    }
    if (!watch->count && watch->lagging && !watch->ended)
        catch_up(watch);
    return pop(watch, ret_event);
}

bool watch_read(struct watch *watch, struct buf *to)
{
    struct event event;

    if (watch->broken)
        return false;
    while (to->size < READ_SIZE_WANTED && next_event(watch, &event)) {
        add_event(watch, &event, to);
        record_unref(event.record);
    }
    if (to->size || !watch->ended)
        return true;
    if (!watch->last_words)
        return false;
    buf_add_text(to, watch->last_words);
    free(take_pointer(watch->last_words));
    return true;
}

/* --- libmicrohttpd's side --- */

static void forget_text(struct watch *watch)
{
    watch->text_offset = 0;
    if (watch->text.capacity > TEXT_KEPT_MAX)
        buf_done(&watch->text);
    else
        buf_clear(&watch->text);
}

static ssize_t read_body(void *arg, uint64_t position, char *to, size_t room)
{
    struct watch *watch = arg;
    size_t piece;

    if (watch->text_offset == watch->text.size) {
        forget_text(watch);
        if (!watch_read(watch, &watch->text))
            return watch->broken ? MHD_CONTENT_READER_END_WITH_ERROR
                                 : MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (!watch->text.size) {
        buf_done(&watch->text);
        watch->suspended = true;
        MHD_suspend_connection(watch->request->mhd);
        return 0;
    }
    piece = watch->text.size - watch->text_offset;
    if (piece > room)
        piece = room;
    memcpy(to, watch->text.bytes + watch->text_offset, piece);
    watch->text_offset += piece;
    return (ssize_t)piece;
}

/* A suspended connection is not looked at by libmicrohttpd: its end is seen here. */
static void hung_up(void *arg, int fd, unsigned events)
{
    struct watch *watch = arg;

    loop_io_events(watch->hangup, 0);
    watch->broken = watch->ended = true;
    wake(watch);
}

static void time_is_over(void *arg)
{
    struct watch *watch = arg;

    if (watch->wants_bookmarks)
        push_bookmark(watch, watch->seen_revision, false);
    watch->ended = true;
    wake(watch);
}

/* --- bookmarks, for all watches together --- */

/* Not the current revision but one of a moment ago: whatever led up to it has been told to every
 * watch since, so that nothing before a bookmark can come after it. */
static void bookmarks_due(void *arg)
{
    struct api *api = arg;
    bool is_settled = api->bookmark_revision != 0;
    bool wanted = false;

    for (struct watch *watch = api->watches, *next; watch; watch = next) {
        next = watch->next;
        wanted |= watch->wants_bookmarks;
        if (!is_settled || !watch->wants_bookmarks || watch->ended || watch->lagging)
            continue;
        if (api->bookmark_revision > watch->seen_revision)
            watch->seen_revision = api->bookmark_revision;
        push_bookmark(watch, watch->seen_revision, false);
        wake(watch);
    }
    api->bookmark_revision = is_settled ? 0 : api->store->ops->revision(api->store);
    if (wanted)
        loop_timer_again(api->bookmark_timer,
                         is_settled ? WATCH_BOOKMARK_MS - WATCH_SETTLE_MS : WATCH_SETTLE_MS);
    else
        api->bookmarks_run = false;
}

static void start_bookmarks(struct api *api)
{
    if (api->bookmarks_run)
        return;
    api->bookmarks_run = true;
    api->bookmark_revision = 0;
    if (api->bookmark_timer)
        loop_timer_again(api->bookmark_timer, WATCH_BOOKMARK_MS);
    else
        api->bookmark_timer = loop_timer(api->loop, WATCH_BOOKMARK_MS, bookmarks_due, api);
}

/* --- options --- */

struct watch_options {
    long long revision; /* -1: absent */
    long long timeout_s;
    bool sends_initial; /* asked for explicitly */
    bool starts_now;    /* sendInitialEvents=false */
};

static int forbidden_option(struct failure *failure, const char *text)
{
    return failure_set(failure, ERR_INVALID, "ListOptions.meta.k8s.io \"\" is invalid: %s", text);
}

static int parse_initial(const struct request *request, struct watch_options *options,
                         struct failure *failure)
{
    const char *wanted = request_option(request, "sendInitialEvents");
    const char *match = request_option(request, "resourceVersionMatch");

    if (str_is_empty(wanted) && str_is_empty(match))
        return 0;
    if (str_is_empty(wanted))
        return forbidden_option(failure,
                                "resourceVersionMatch: Forbidden: resourceVersionMatch is "
                                "forbidden for watch unless sendInitialEvents is provided");
    if (!str_equal(match, "NotOlderThan"))
        return forbidden_option(failure, "resourceVersionMatch: Forbidden: sendInitialEvents "
                                         "requires setting resourceVersionMatch to NotOlderThan");
    options->sends_initial = url_flag(&request->url, "sendInitialEvents");
    options->starts_now = !options->sends_initial;
    return 0;
}

static int parse_options(const struct request *request, struct watch_options *options,
                         struct failure *failure)
{
    struct store *store = request->api->store;
    struct err err;

    *options = (struct watch_options){ .revision = -1 };
    if (url_number(&request->url, "resourceVersion", &options->revision, &err) < 0 ||
        url_number(&request->url, "timeoutSeconds", &options->timeout_s, &err) < 0)
        return failure_from(failure, &err);
    if (options->timeout_s > TIMEOUT_MAX_S)
        options->timeout_s = TIMEOUT_MAX_S;
    if (options->revision > store->ops->revision(store))
        return list_revision_too_large(failure, options->revision, store->ops->revision(store));
    return parse_initial(request, options, failure);
}

/* --- life --- */

static int64_t timeout_ms(struct loop *loop, const struct watch_options *options)
{
    if (options->timeout_s > 0)
        return options->timeout_s * 1000;
    return WATCH_TIMEOUT_MIN_MS + (int64_t)(loop_random(loop) % WATCH_TIMEOUT_MIN_MS);
}

static void start(struct watch *watch, const struct watch_options *options)
{
    struct store *store = watch->api->store;
    int64_t now = store->ops->revision(store), remaining;
    bool sends_all = options->sends_initial || (options->revision <= 0 && !options->starts_now);
    bool more;

    if (sends_all)
        watch->initial = selection_collect(&watch->selection, store, NULL, 0, &watch->initial_count,
                                           &more, &remaining);
    open_source(watch, sends_all || options->revision <= 0 ? now : options->revision);
    if (options->sends_initial && watch->wants_bookmarks)
        push_bookmark(watch, now, /*ends_initial=*/true);
}

static struct watch *watch_new(struct request *request, enum accept_form form,
                               struct selection *take_selection)
{
    struct watch *watch = mem_new(struct watch);

    watch->api = request->api;
    watch->selection = *take_selection;
    *take_selection = (struct selection){ 0 };
    watch->table = (struct table){ .resource = request->resource,
                                   .form = form,
                                   .include = table_include(&request->url) };
    watch->wants_bookmarks = url_flag(&request->url, "allowWatchBookmarks");
    watch->prefix = selection_watch_prefix(&watch->selection);
    chain_add(&watch->api->watches, watch);
    return watch;
}

void watch_free(struct watch *watch)
{
    chain_remove(watch);
    close_source(watch);
    drop_queue(watch);
    for (size_t i = watch->initial_next; i < watch->initial_count; i++)
        record_unref(watch->initial[i]);
    free(watch->initial);
    loop_source_free(watch->hangup);
    loop_source_free(watch->timer);
    selection_done(&watch->selection);
    buf_done(&watch->text);
    free(watch->last_words);
    free(watch->prefix);
    free(watch);
}

void watch_gone(struct watch *watch) { watch_free(watch); }

void watch_stop(struct watch *watch)
{
    watch->ended = true;
    drop_queue(watch);
    wake(watch);
}

void watches_done(struct api *api)
{
    loop_source_free(api->bookmark_timer);
    api->bookmark_timer = NULL;
}

static void answer_stream(struct request *request, struct watch *watch)
{
    /* Chunks are built in the connection's own memory; the block is only for HTTP/1.0. */
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 256, read_body, watch, NULL);

    watch->request = request;
    request->watch = watch;
    watch->hangup =
        loop_io(request->api->loop, request->connection->fd, LOOP_HANGUP, hung_up, watch);
    MHD_add_response_header(response, "Content-Type", "application/json");
    MHD_add_response_header(response, "Cache-Control", "no-cache, private");
    reply_response(request, 200, response);
}

void watch_run(struct request *request)
{
    enum accept_form form =
        accept_choose(request->headers.accept, ACCEPT_TABLE | ACCEPT_TABLE_BETA | ACCEPT_PARTIAL);
    auto_failure struct failure failure = { 0 };
    auto_selection struct selection selection = { 0 };
    struct watch_options options;
    struct watch *watch;

    if (form == ACCEPT_NONE)
        failure_set(&failure, ERR_NOT_ACCEPTABLE,
                    "only the following media types are accepted: application/json");
    if (form == ACCEPT_NONE || selection_parse(request, &selection, &failure) < 0 ||
        parse_options(request, &options, &failure) < 0) {
        reply_failure(request, &failure);
        return;
    }
    watch = watch_new(request, form, &selection);
    start(watch, &options);
    watch->timer = loop_timer(request->api->loop, timeout_ms(request->api->loop, &options),
                              time_is_over, watch);
    if (watch->wants_bookmarks)
        start_bookmarks(request->api);
    if (tunnel_is_asked_for(request))
        tunnel_watch(request, watch);
    else
        answer_stream(request, watch);
}
