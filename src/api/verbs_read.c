/* api/verbs_read.c - GET of one object, in the form the client asks for. */
#include "api/computed.h"
#include "api/internal.h"
#include "api/table.h"
#include "api/verbs.h"
#include "store/object.h"

static struct record *find_record(struct request *request)
{
    struct store *store = request->api->store;
    const struct route *route = &request->route;
    auto_free char *key = resource_key(request->resource, route->namespace_name, route->name);

    return store->ops->get(store, key);
}

json_t *verb_stored_object(struct request *request, struct failure *failure)
{
    auto_clean(record_unref_auto) struct record *record = find_record(request);

    if (record)
        return object_decode(record);
    failure_not_found(failure, request->route.kind, request->route.name);
    return NULL;
}

static void answer_record(struct request *request, enum accept_form form,
                          const struct record *record)
{
    struct table table = { .resource = request->resource,
                           .form = form,
                           .include = table_include(&request->url),
                           .now_wall_ms = loop_wall_ms(request->api->loop) };

    if (form == ACCEPT_JSON) {
        reply_record(request, 200, record);
        return;
    }
    struct buf text = { 0 };
    table_begin(&table, &text);
    table_add_record(&table, record, &text);
    table_end(&table, record->revision, NULL, -1, &text);
    size_t size = text.size;
    reply_text(request, 200, "application/json", buf_take(&text), size);
}

void verb_get(struct request *request)
{
    enum accept_form form =
        accept_choose(request->headers.accept, ACCEPT_TABLE | ACCEPT_TABLE_BETA | ACCEPT_PARTIAL);
    auto_clean(record_unref_auto) struct record *record = NULL;
    auto_failure struct failure failure = { 0 };

    if (form == ACCEPT_NONE) {
        failure_set(&failure, ERR_NOT_ACCEPTABLE,
                    "only the following media types are accepted: application/json");
        reply_failure(request, &failure);
        return;
    }
    if (resource_is_computed(request->resource)) {
        computed_get(request, form);
        return;
    }
    record = find_record(request);
    if (record) {
        answer_record(request, form, record);
    } else {
        failure_not_found(&failure, request->route.kind, request->route.name);
        reply_failure(request, &failure);
    }
}
