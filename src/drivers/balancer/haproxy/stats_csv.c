/* drivers/balancer/haproxy/stats_csv.c - what "show stat" answers, row by row. */
#include "drivers/balancer/haproxy/stats_csv.h"
#include "base/str.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS_MAX = 256, FIELD_SIZE_MAX = 256 };

static const struct column {
    const char *name;
    size_t offset;
    size_t text_size; /* 0: a number */
    bool is_needed;
} columns[] = {
#define TEXT(name_, member)                                                                        \
    {                                                                                              \
        name_, offsetof(struct stat_row, member), sizeof((struct stat_row *)0)->member, false      \
    }
#define NUMBER(name_, member)                                                                      \
    {                                                                                              \
        name_, offsetof(struct stat_row, member), 0, false                                         \
    }
    { "pxname", offsetof(struct stat_row, proxy), STAT_NAME_SIZE, true },
    { "svname", offsetof(struct stat_row, server), STAT_NAME_SIZE, true },
    { "status", offsetof(struct stat_row, status), STAT_NAME_SIZE, true },
    TEXT("mode", mode),
    TEXT("check_status", check),
    TEXT("last_chk", check_text),
    TEXT("last_agt", agent_text),
    TEXT("addr", address),
    NUMBER("scur", sessions_now),
    NUMBER("qcur", queue_now),
    NUMBER("stot", sessions),
    NUMBER("req_tot", requests),
    NUMBER("hrsp_5xx", responses_5xx),
    NUMBER("econ", connect_errors),
    NUMBER("eresp", response_errors),
    NUMBER("ttime", total_ms),
    NUMBER("bin", bytes_in),
    NUMBER("bout", bytes_out),
};
enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

/* A place in the text, and the field last read, without its quotes and cut when too long. */
struct reader {
    const char *at, *end;
    char field[FIELD_SIZE_MAX];
    size_t length;
};

static void keep(struct reader *reader, char c)
{
    if (reader->length < FIELD_SIZE_MAX - 1 && c)
        reader->field[reader->length++] = c;
}

static void read_quoted(struct reader *reader)
{
    reader->at++;
    for (; reader->at < reader->end; reader->at++) {
        if (*reader->at == '"' && (++reader->at >= reader->end || *reader->at != '"'))
            return;
        keep(reader, *reader->at);
    }
}

/* False at the end of the line, which is passed over. */
static bool next_field(struct reader *reader, bool is_first)
{
    if (reader->at >= reader->end)
        return false;
    if (*reader->at == '\n') {
        reader->at++;
        return false;
    }
    if (!is_first && *reader->at == ',')
        reader->at++;
    reader->length = 0;
    if (reader->at < reader->end && *reader->at == '"')
        read_quoted(reader);
    while (reader->at < reader->end && *reader->at != ',' && *reader->at != '\n')
        keep(reader, *reader->at++);
    reader->field[reader->length] = '\0';
    return true;
}

static const struct column *column_named(const char *name)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        if (str_equal(columns[i].name, name))
            return &columns[i];
    return NULL;
}

/* Which column stands where; NULL: one that nobody asks for. */
static int read_header(struct reader *reader, const struct column *order[COLUMNS_MAX],
                       struct err *err)
{
    size_t needed = 0, count = 0;

    if (reader->end - reader->at < 2 || strncmp(reader->at, "# ", 2) != 0)
        return err_set(err, ERR_INVALID, "statistics do not begin with the names of columns");
    reader->at += 2;
    for (bool is_first = true; next_field(reader, is_first); is_first = false) {
        const struct column *column = column_named(reader->field);
        if (count >= COLUMNS_MAX)
            return err_set(err, ERR_INVALID, "statistics have more than %d columns", COLUMNS_MAX);
        needed += column && column->is_needed;
        order[count++] = column;
    }
    if (needed < 3)
        return err_set(err, ERR_INVALID, "statistics lack the names of servers or their status");
    return 0;
}

static uint64_t number_of(const char *text)
{
    uint64_t number = 0;

    for (; *text >= '0' && *text <= '9' && number < UINT64_MAX / 10 - 1; text++)
        number = number * 10 + (uint64_t)(*text - '0');
    return number;
}

static void set(struct stat_row *row, const struct column *column, const char *text)
{
    char *to = (char *)row + column->offset;

    if (!column->text_size)
        *(uint64_t *)(void *)to = number_of(text);
    else
        (void)memccpy(to, text, '\0', column->text_size - 1); /* the row was zeroed */
}

int stats_csv_read(const char *text, size_t size, stat_row_fn *fn, void *arg, struct err *err)
{
    struct reader reader = { .at = text, .end = text + size };
    const struct column *order[COLUMNS_MAX] = { 0 };

    if (read_header(&reader, order, err) < 0)
        return -1;
    while (reader.at < reader.end) {
        struct stat_row row = { .proxy = "" };
        size_t at = 0;

        for (; next_field(&reader, at == 0); at++)
            if (at < COLUMNS_MAX && order[at])
                set(&row, order[at], reader.field);
        if (row.proxy[0] && row.server[0])
            fn(arg, &row);
    }
    return 0;
}

uint64_t stat_row_errors(const struct stat_row *row)
{
    if (str_equal(row->server, "BACKEND") && str_equal(row->mode, "http"))
        return row->responses_5xx;
    return row->responses_5xx + row->connect_errors + row->response_errors;
}

void stat_row_check(const struct stat_row *row, char *ret_text, size_t size)
{
    if (strstr(row->status, "(agent)"))
        (void)snprintf(ret_text, size, "%s", row->agent_text[0] ? row->agent_text : "via agent");
    else
        (void)snprintf(ret_text, size, "%.20s%s%.70s", row->check, row->check_text[0] ? " " : "",
                       row->check_text);
}
