/* api/table.c - objects as meta.k8s.io tables, or as their metadata alone. */
#include "api/table.h"
#include "api/router.h"
#include "api/scan.h"
#include "base/json.h"
#include "store/object.h"
#include <inttypes.h>
#include <string.h>

enum table_include table_include(const struct url *url)
{
    const char *text = url_option(url, "includeObject");

    if (str_equal(text, "Object"))
        return INCLUDE_OBJECT;
    return str_equal(text, "None") ? INCLUDE_NONE : INCLUDE_METADATA;
}

static bool is_table(const struct table *table)
{
    return table->form == ACCEPT_TABLE || table->form == ACCEPT_TABLE_BETA;
}

static void add_json(struct buf *to, json_t *take_value)
{
    json_write(take_value, to);
    json_decref(take_value);
}

/* --- parts --- */

/* {"kind":"PartialObjectMetadata",...,"metadata":...} around stored metadata, which is not parsed.
 */
static void add_partial(struct scan metadata, struct buf *to)
{
    buf_add_text(to, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\","
                     "\"metadata\":");
    if (metadata.at)
        buf_add(to, metadata.at, metadata.size);
    else
        buf_add_text(to, "{}");
    buf_add_char(to, '}');
}

static void add_column(const struct column *column, struct buf *to)
{
    bool is_date = str_equal(column->type, "date");
    bool is_name = str_equal(column->path, "metadata.name");

    /* kubectl prints a "date" as it stands, so an age is a text. */
    add_json(to, json_pack("{s:s,s:s,s:s,s:s,s:i}", "name", column->name, "type",
                           is_date ? "string" : column->type, "format", is_name ? "name" : "",
                           "description", column->doc ? column->doc : "", "priority",
                           column->priority));
}

static void add_columns(const struct table *table, struct buf *to)
{
    const struct column *first = table->resource->kind->columns;

    buf_add_text(to, "\"columnDefinitions\":[");
    for (const struct column *column = first; column->name; column++) {
        if (column > first)
            buf_add_char(to, ',');
        add_column(column, to);
    }
    buf_add_text(to, "],");
}

static void add_row(struct table *table, const json_t *object, struct scan text, struct buf *to)
{
    buf_add_text(to, "{\"cells\":");
    add_json(to, kind_row(table->resource->kind, object, table->now_wall_ms));
    if (table->include == INCLUDE_METADATA) {
        buf_add_text(to, ",\"object\":");
        add_partial(scan_member(text, "metadata"), to);
    } else if (table->include == INCLUDE_OBJECT) {
        buf_add_text(to, ",\"object\":");
        buf_add(to, text.at, text.size);
    }
    buf_add_char(to, '}');
}

/* --- the document --- */

void table_begin(struct table *table, struct buf *to)
{
    if (table->form == ACCEPT_PARTIAL)
        return;
    if (table->form == ACCEPT_PARTIAL_LIST) {
        buf_add_text(to,
                     "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\","
                     "\"items\":[");
        return;
    }
    buf_printf(to, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/%s\",",
               table->form == ACCEPT_TABLE ? "v1" : "v1beta1");
    if (!table->omit_columns)
        add_columns(table, to);
    buf_add_text(to, "\"rows\":[");
}

static void add(struct table *table, const json_t *object, struct scan text, struct buf *to)
{
    if (table->row_count++)
        buf_add_char(to, ',');
    if (is_table(table))
        add_row(table, object, text, to);
    else
        add_partial(scan_member(text, "metadata"), to);
}

void table_add_record(struct table *table, const struct record *record, struct buf *to)
{
    auto_json json_t *object = is_table(table) ? object_decode(record) : NULL;

    add(table, object, scan_text(record->bytes, record->size), to);
}

void table_add_object(struct table *table, const json_t *object, struct buf *to)
{
    auto_free char *text = json_text(object);

    add(table, object, scan_text(text, strlen(text)), to);
}

void table_end(struct table *table, int64_t revision, const char *next, int64_t remaining,
               struct buf *to)
{
    if (table->form == ACCEPT_PARTIAL)
        return;
    buf_printf(to, "],\"metadata\":{\"resourceVersion\":\"%" PRId64 "\"", revision);
    if (next)
        buf_printf(to, ",\"continue\":\"%s\"", next);
    if (next && remaining >= 0)
        buf_printf(to, ",\"remainingItemCount\":%" PRId64, remaining);
    buf_add_text(to, "}}");
}
