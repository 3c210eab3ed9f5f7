/* api/computed.c - resources whose items are made anew at every GET. */
#include "api/computed.h"
#include "api/internal.h"
#include "api/table.h"
#include "store/object.h"

/* The items, each with its apiVersion and kind. Owned; empty when nothing is bound. */
static json_t *make_items(const struct request *request)
{
    const struct resource *resource = request->resource;
    json_t *items = resource->computed
                        ? resource->computed(resource->computed_arg, request->route.namespace_name)
                        : json_array(),
           *item;
    size_t index;

    json_array_foreach (items, index, item) {
        json_object_set_new(item, "kind", json_string(resource->kind->name));
        json_object_set_new(item, "apiVersion", json_string(kind_api_version(resource->kind)));
    }
    return items;
}

static int64_t revision_of(const struct request *request)
{
    return request->api->store->ops->revision(request->api->store);
}

static void answer_table(struct request *request, enum accept_form form, const json_t *items)
{
    struct table table = { .resource = request->resource,
                           .form = form,
                           .include = table_include(&request->url),
                           .now_wall_ms = loop_wall_ms(request->api->loop) };
    struct buf text = { 0 };
    json_t *item;
    size_t index;

    table_begin(&table, &text);
    json_array_foreach (items, index, item)
        table_add_object(&table, item, &text);
    table_end(&table, revision_of(request), NULL, -1, &text);
    size_t size = text.size;
    reply_text(request, 200, "application/json", buf_take(&text), size);
}

void computed_get(struct request *request, enum accept_form form)
{
    auto_json json_t *items = make_items(request);
    auto_failure struct failure failure = { 0 };
    json_t *item;
    size_t index;

    json_array_foreach (items, index, item) {
        if (!str_equal(object_name(item), request->route.name))
            continue;
        if (form == ACCEPT_JSON) {
            reply_json(request, 200, json_incref(item));
        } else {
            auto_json json_t *one = json_pack("[O]", item);
            answer_table(request, form, one);
        }
        return;
    }
    failure_not_found(&failure, request->route.kind, request->route.name);
    reply_failure(request, &failure);
}

void computed_list(struct request *request, enum accept_form form,
                   const struct selection *selection)
{
    auto_json json_t *items = make_items(request);

    for (size_t i = json_array_size(items); i-- > 0;)
        if (!selection_matches_object(selection, json_array_get(items, i)))
            json_array_remove(items, i);
    if (form != ACCEPT_JSON) {
        answer_table(request, form, items);
        return;
    }
    reply_json(request, 200,
               json_pack("{s:s,s:s,s:{s:o},s:O}", "kind", request->resource->list_kind,
                         "apiVersion", kind_api_version(request->resource->kind), "metadata",
                         "resourceVersion", json_printf("%lld", (long long)revision_of(request)),
                         "items", items));
}
