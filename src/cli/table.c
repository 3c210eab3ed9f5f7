/* cli/table.c - columns as wide as their widest cell, two spaces apart. */
#include "cli/table.h"
#include "base/mem.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2 };

/* All lines in turn, 'columns' cells each. */
struct grid {
    char **cells;
    size_t columns, lines;
};

static char *cell_text(const json_t *value)
{
    const char *text = json_string_value(value);
    struct buf out = { 0 };

    if (!value || json_is_null(value) || (text && !*text))
        return str_dup("-");
    if (!text)
        return json_text(value);
    for (; *text; text++)
        buf_add_char(&out, (unsigned char)*text < ' ' || *text == 127 ? '?' : *text);
    return buf_take(&out);
}

static char *head_text(const char *name)
{
    char *text = str_dup(name);

    for (char *at = text; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return text;
}

static void grid_add(struct grid *grid, char *take_cell)
{
    size_t count = grid->lines++;

    if ((count & (count + 1)) == 0 || count == 0)
        grid->cells = mem_resize(grid->cells, (2 * count + 2) * sizeof *grid->cells);
    grid->cells[count] = take_cell;
}

static size_t width_of(const char *text)
{
    size_t width = 0, size;

    for (size_t left = strlen(text); left; left -= size, text += size, width++) {
        size = str_utf8_size(text, left);
        if (!size)
            size = 1;
    }
    return width;
}

static bool shows(const json_t *definitions, size_t column, const struct table_style *style)
{
    return style->wide || json_int_at(json_array_get(definitions, column), "priority", 0) == 0;
}

static void add_head(struct grid *grid, const json_t *definitions, const struct table_style *style)
{
    if (style->with_namespace)
        grid_add(grid, str_dup("NAMESPACE"));
    for (size_t i = 0; i < json_array_size(definitions); i++)
        if (shows(definitions, i, style))
            grid_add(grid, head_text(json_text_at(json_array_get(definitions, i), "name", "")));
}

static void add_row(struct grid *grid, const json_t *definitions, const json_t *row,
                    const struct table_style *style)
{
    const json_t *cells = json_object_get(row, "cells");

    if (style->with_namespace)
        grid_add(grid, cell_text(json_at(row, "object.metadata.namespace")));
    for (size_t i = 0; i < json_array_size(definitions); i++)
        if (shows(definitions, i, style))
            grid_add(grid, cell_text(json_array_get(cells, i)));
}

/* The terminal's code for what a phase says, or "". */
static const char *colour_of(const char *phase)
{
    static const struct {
        const char *phase, *colour;
    } colours[] = {
        { "Running", "\033[32m" },  { "Ready", "\033[32m" },    { "Failed", "\033[31m" },
        { "Warning", "\033[33m" },  { "Pending", "\033[33m" },  { "Starting", "\033[33m" },
        { "Stopping", "\033[33m" }, { "Paused", "\033[36m" },   { "Importing", "\033[33m" },
        { "Uploading", "\033[33m" }, { "Terminating", "\033[33m" }, { "Deleting", "\033[33m" },
        { "Paused (WriteFailed)", "\033[31m" },
    };

    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++)
        if (str_equal(colours[i].phase, phase))
            return colours[i].colour;
    return "";
}

static void write_cell(const struct grid *grid, size_t line, size_t column, bool has_colour,
                       struct buf *to)
{
    const char *cell = grid->cells[line * grid->columns + column], *head = grid->cells[column];
    bool is_phase = str_equal(head, "PHASE") || str_equal(head, "TYPE");
    const char *colour = !has_colour ? "" : line == 0 ? "\033[1m" : is_phase ? colour_of(cell) : "";

    buf_printf(to, "%s%s%s", colour, cell, *colour ? "\033[0m" : "");
}

static void write_line(const struct grid *grid, size_t line, const size_t *widths, bool has_colour,
                       struct buf *to)
{
    for (size_t i = 0; i < grid->columns; i++) {
        write_cell(grid, line, i, has_colour, to);
        if (i + 1 < grid->columns)
            buf_printf(to, "%*s",
                       (int)(widths[i] - width_of(grid->cells[line * grid->columns + i]) + GAP), "");
    }
    buf_add_char(to, '\n');
}

static void write_grid(const struct grid *grid, const struct table_style *style, struct buf *to)
{
    auto_free size_t *widths = mem_zero((grid->columns + 1) * sizeof *widths);

    for (size_t i = 0; i < grid->lines * grid->columns; i++) {
        size_t width = width_of(grid->cells[i]);

        if (width > widths[i % grid->columns])
            widths[i % grid->columns] = width;
    }
    for (size_t line = style->without_header ? 1 : 0; line < grid->lines; line++)
        write_line(grid, line, widths, style->has_colour, to);
}

void table_write(const json_t *table, const struct table_style *style, struct buf *to)
{
    const json_t *definitions = json_object_get(table, "columnDefinitions");
    const json_t *rows = json_object_get(table, "rows");
    struct grid grid = { 0 };
    size_t count;

    add_head(&grid, definitions, style);
    grid.columns = grid.lines; /* until here one count of cells */
    for (size_t i = 0; i < json_array_size(rows); i++)
        add_row(&grid, definitions, json_array_get(rows, i), style);
    count = grid.lines;
    if (grid.columns) {
        grid.lines = count / grid.columns;
        write_grid(&grid, style, to);
    }
    for (size_t i = 0; i < count; i++)
        free(grid.cells[i]);
    free(grid.cells);
}
