/* cli/table.h - the server's Table (meta.k8s.io/v1) as aligned text. Pure. */
#pragma once
#include "base/json.h"

struct table_style {
    bool wide;            /* columns of lower priority too */
    bool with_namespace;  /* the rows' namespaces come first */
    bool without_header;
    bool has_colour;      /* phases stand out by terminal colours */
};

/* Adds the table to 'to'. Control characters in cells become '?'. */
void table_write(const json_t *table, const struct table_style *style, struct buf *to);
