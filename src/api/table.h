/* api/table.h - objects as meta.k8s.io tables, or as their metadata alone. */
#pragma once
#include "api/accept.h"
#include "api/resource.h"
#include "api/url.h"
#include "base/str.h"

enum table_include { INCLUDE_METADATA, INCLUDE_OBJECT, INCLUDE_NONE };

/* One document under construction: a Table (ACCEPT_TABLE, _BETA) of any number of rows, a
 * PartialObjectMetadataList, or a single PartialObjectMetadata (exactly one row, no list). */
struct table {
    const struct resource *resource;
    enum accept_form form;
    enum table_include include;
    int64_t now_wall_ms;
    bool omit_columns; /* watches after their first event */
    size_t row_count;  /* so far */
};

enum table_include table_include(const struct url *url);

void table_begin(struct table *table, struct buf *to);
void table_add_record(struct table *table, const struct record *record, struct buf *to);
void table_add_object(struct table *table, const json_t *object, struct buf *to);
/* 'next' is the continue token or NULL; 'remaining' -1: not told. */
void table_end(struct table *table, int64_t revision, const char *next, int64_t remaining,
               struct buf *to);
