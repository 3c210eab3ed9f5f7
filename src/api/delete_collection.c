/* api/delete_collection.c - DELETE of all objects a selector names, a few at a time. */
#include "api/delete.h"
#include "api/index.h"
#include "api/internal.h"
#include "api/selection.h"
#include "api/verbs.h"
#include "base/mem.h"
#include <stdlib.h>

enum { IN_FLIGHT_MAX = 64 };

struct sweep {
    struct request *request; /* NULL: the server has stopped */
    struct delete_options options;
    struct record **records;
    size_t count, next, in_flight;
    bool is_starting;       /* within start_more(): ends come while it runs */
    struct failure failure; /* the first */
};

static void sweep_free(struct sweep *sweep)
{
    delete_options_done(&sweep->options);
    record_list_free(sweep->records, sweep->count);
    failure_done(&sweep->failure);
    free(sweep);
}

static void finish(struct sweep *sweep)
{
    struct request *request = sweep->request;

    request->cut = NULL;
    if (sweep->failure.err.code != ERR_NONE)
        reply_failure(request, &sweep->failure);
    else
        reply_json(request, 200, status_success(request->route.kind, NULL, NULL));
    sweep_free(sweep);
}

static void start_more(struct sweep *sweep);

static void one_deleted(void *arg, const struct write *write, const struct failure *failure,
                        const struct record *record, const json_t *object)
{
    struct sweep *sweep = arg;

    sweep->in_flight--;
    /* One that went meanwhile is what was wanted. */
    if (failure && failure->err.code != ERR_NOT_FOUND && sweep->failure.err.code == ERR_NONE)
        failure_set(&sweep->failure, failure->err.code, "%s",
                    failure->message ? failure->message : failure->err.text);
    if (!sweep->is_starting)
        start_more(sweep);
}

static void start_one(struct sweep *sweep, const struct record *record)
{
    struct request *request = sweep->request;
    bool namespaced = resource_is_namespaced(request->resource);
    struct write *write =
        write_new(request->api, resource_stored(&request->api->resources, request->resource), namespaced ? index_namespace(record) : NULL,
                  index_name(record));

    write->manager = str_dup(request->user->view.name);
    write->done = one_deleted;
    write->arg = sweep;
    delete_prepare(write, &sweep->options);
    sweep->in_flight++;
    write_start(write);
}

static void start_more(struct sweep *sweep)
{
    sweep->is_starting = true;
    while (sweep->next < sweep->count && sweep->in_flight < IN_FLIGHT_MAX)
        start_one(sweep, sweep->records[sweep->next++]);
    sweep->is_starting = false;
    if (!sweep->in_flight)
        finish(sweep);
}

/* The server stops; writes under way end without a word. */
static void cut(struct request *request) { sweep_free(request->held); }

/* Most likely a name was to follow, and is empty. */
static int check_path(const struct request *request, struct failure *failure)
{
    return request->url.has_trailing_slash
               ? failure_set(failure, ERR_BAD_REQUEST, "a DELETE of all objects must not end with a slash: is a "
                                                       "name missing?")
               : 0;
}

void verb_delete_collection(struct request *request)
{
    auto_failure struct failure failure = { 0 };
    auto_selection struct selection selection = { 0 };
    struct sweep *sweep = mem_new(struct sweep);
    json_t *parsed = NULL;
    int64_t remaining;
    bool more;

    sweep->request = request;
    if (check_path(request, &failure) < 0 || request_json(request, &parsed, &failure) < 0 ||
        delete_options_parse(parsed, &request->url, &sweep->options, &failure) < 0 ||
        selection_parse(request, &selection, &failure) < 0) {
        json_decref(parsed);
        sweep_free(sweep);
        reply_failure(request, &failure);
        return;
    }
    json_decref(parsed);
    request->is_dry_run = sweep->options.dry_run;
    request->held = sweep;
    request->cut = cut;
    sweep->records = selection_collect(&selection, request->api->store, NULL, 0, &sweep->count,
                                       &more, &remaining);
    start_more(sweep);
}
