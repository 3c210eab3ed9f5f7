/* drivers/balancer/haproxy/stats_csv.h - what "show stat" answers, row by row: pure.
 *
 * The columns are found by their names in the first line, so that another version of HAProxy may
 * have more of them in another order. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum { STAT_NAME_SIZE = 96, STAT_TEXT_SIZE = 96 };

struct stat_row {
    char proxy[STAT_NAME_SIZE];  /* of the frontend or backend */
    char server[STAT_NAME_SIZE]; /* or "FRONTEND", "BACKEND" */
    char status[STAT_NAME_SIZE]; /* "UP", "UP 1/3", "DOWN", "MAINT", "DRAIN", "DOWN (agent)" */
    char mode[STAT_NAME_SIZE];   /* "http", "tcp" */
    char check[STAT_TEXT_SIZE];  /* "L7STS", "* L4OK" while one is under way */
    char check_text[STAT_TEXT_SIZE];
    char agent_text[STAT_TEXT_SIZE]; /* "via agent : down (disk full)" */
    char address[STAT_NAME_SIZE]; /* "10.0.0.2:80" */
    uint64_t sessions_now, queue_now, sessions, requests, responses_5xx, connect_errors,
        response_errors, total_ms, bytes_in, bytes_out;
};
typedef void stat_row_fn(void *arg, const struct stat_row *row);

/* Calls 'fn' for each whole row. ERR_INVALID: the first line is no list of columns that has what
 * is needed. Fields that are cut or no number become what fits or 0. */
int stats_csv_read(const char *text, size_t size, stat_row_fn *fn, void *arg, struct err *err);

/* What failed so far. Of an HTTP backend the 5xx that clients got: HAProxy counts its own 502 to 504
 * among them, and beside them each attempt at a member, also one whose retry was answered. Of a member
 * each failed attempt and each 5xx of its own. */
uint64_t stat_row_errors(const struct stat_row *row);

/* What was found of a member last: what its agent said where its state is by that. */
void stat_row_check(const struct stat_row *row, char *ret_text, size_t size);
