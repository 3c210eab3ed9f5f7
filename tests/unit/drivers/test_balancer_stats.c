#include "check.h"
#include "drivers/balancer/haproxy/holding.h"
#include "drivers/balancer/haproxy/latency.h"
#include "drivers/balancer/haproxy/stats_csv.h"
#include <string.h>

struct rows {
    struct stat_row row[8];
    size_t count;
};

static void keep(void *arg, const struct stat_row *row)
{
    struct rows *rows = arg;

    if (rows->count < 8)
        rows->row[rows->count] = *row;
    rows->count++;
}

static struct rows read_rows(const char *text)
{
    struct rows rows = { .count = 0 };
    struct err err;

    CHECK_OK(stats_csv_read(text, strlen(text), keep, &rows, &err), &err);
    return rows;
}

TEST(columns_are_found_by_name)
{
    struct rows rows = read_rows("# pxname,svname,bogus,status,stot,scur,addr,last_chk,\n"
                                 "b_web,a,17,UP 1/2,12,3,10.0.0.2:80,\"refused, \"\"no\"\"\",\n"
                                 "b_web,BACKEND,,UP,40,,,,\n\n");

    CHECK_EQ(rows.count, 2);
    CHECK_STR(rows.row[0].proxy, "b_web");
    CHECK_STR(rows.row[0].server, "a");
    CHECK_STR(rows.row[0].status, "UP 1/2");
    CHECK_EQ(rows.row[0].sessions, 12);
    CHECK_EQ(rows.row[0].sessions_now, 3);
    CHECK_STR(rows.row[0].address, "10.0.0.2:80");
    CHECK_STR(rows.row[0].check_text, "refused, \"no\"");
    CHECK_EQ(rows.row[1].sessions, 40);
    CHECK_EQ(rows.row[1].sessions_now, 0);
}

TEST(a_request_that_failed_is_one_error_of_its_backend)
{
    struct rows rows = read_rows("# pxname,svname,status,mode,hrsp_5xx,econ,eresp,\n"
                                 "b_web,a,UP,http,1,2,3,\n"
                                 "b_web,BACKEND,UP,http,4,2,3,\n"
                                 "b_tcp,BACKEND,UP,tcp,,2,3,\n");

    CHECK_EQ(stat_row_errors(&rows.row[0]), 6);
    CHECK_EQ(stat_row_errors(&rows.row[1]), 4); /* the attempts ended in these, or in an answer */
    CHECK_EQ(stat_row_errors(&rows.row[2]), 5);
}

TEST(the_check_of_a_member_that_its_agent_took_out_is_what_the_agent_said)
{
    struct rows rows = read_rows("# pxname,svname,status,check_status,last_chk,last_agt,\n"
                                 "b_web,a,UP,L7OK,OK,,\n"
                                 "b_web,b,DOWN (agent),L4OK,,via agent : down (disk),\n"
                                 "b_web,c,DRAIN (agent),L4OK,,,\n");
    static const char *const wanted[] = { "L7OK OK", "via agent : down (disk)", "via agent" };
    char text[128];

    for (unsigned i = 0; i < 3; i++) {
        stat_row_check(&rows.row[i], text, sizeof text);
        CHECK_STR(text, wanted[i]);
    }
}

TEST(what_is_no_statistics_is_refused)
{
    static const char *const texts[] = { "", "#", "Unknown command.\n", "# a,b,c\n1,2,3\n",
                                         "# pxname,svname\nb,a\n" };
    struct rows rows = { .count = 0 };
    struct err err;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CHECK_FAILS(stats_csv_read(texts[i], strlen(texts[i]), keep, &rows, &err), &err,
                    ERR_INVALID);
    CHECK_EQ(rows.count, 0);
}

TEST(cut_and_overlong_rows_do_no_harm)
{
    char text[2048] = "# pxname,svname,status,stot\nb,";
    struct rows rows;

    memset(text + strlen(text), 'x', 1000);
    strcat(text, ",UP,99999999999999999999999999\nb,c");
    rows = read_rows(text);
    CHECK_EQ(rows.count, 2);
    CHECK_EQ(strlen(rows.row[0].server), STAT_NAME_SIZE - 1);
    CHECK(rows.row[0].sessions > 1000000000);
    CHECK_STR(rows.row[1].server, "c");
}

TEST(percentiles_are_those_of_the_last_ten_seconds)
{
    struct latency latency = { 0 };

    CHECK_EQ(latency_percentile(&latency, 100000, 0.5), -1);
    for (int i = 1; i <= 100; i++)
        latency_add(&latency, 100000, i % 10 + 1); /* 1 to 10 ms, ten each */
    CHECK_EQ(latency_percentile(&latency, 100000, 0.5), 5);
    CHECK_EQ(latency_percentile(&latency, 100000, 0.9), 9);
    CHECK_EQ(latency_percentile(&latency, 100000, 1), 10);
    CHECK_EQ(latency_percentile(&latency, 109999, 0.5), 5);
    CHECK_EQ(latency_percentile(&latency, 110000, 0.5), -1);
    latency_add(&latency, 110000, 7); /* the same slot, ten seconds later */
    CHECK_EQ(latency_percentile(&latency, 110000, 0.01), 7);
}

TEST(long_durations_are_an_eighth_too_large_at_most)
{
    for (int64_t ms = 0; ms < 200000; ms += ms / 5 + 1) {
        struct latency latency = { 0 };
        int64_t found;
        latency_add(&latency, 1000, ms);
        found = latency_percentile(&latency, 1000, 0.5);
        CHECK(found >= ms);
        CHECK(found <= ms + ms / 8 + 1);
    }
}

TEST(a_sample_is_a_backend_and_milliseconds)
{
    static const char *const bad[] = { "",        "b_web",       "b_web ", "b_web x 200",
                                       " 12 200", "b_web -1 200" };
    char name[LATENCY_NAME_SIZE];
    int64_t ms;

    CHECK(latency_read_line("b_web 17 200\n", 13, name, &ms));
    CHECK_STR(name, "b_web");
    CHECK_EQ(ms, 17);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!latency_read_line(bad[i], strlen(bad[i]), name, &ms));
}

TEST(lines_of_the_script_that_holds_are_read_and_others_are_not)
{
    static const struct row {
        const char *line;
        bool is_read;
        struct holding_line found;
    } rows[] = {
        { "held b_web 3 1\n", true, { "b_web", 3, 1 } },
        { "held b_web 0 2", true, { "b_web", 0, 2 } },
        { "held b_web 99999999999999 63", true, { "b_web", 9999999, 63 } },
        { "held b_web 1 64", false, { "", 0, 0 } },
        { "held b_web 1 ", false, { "", 0, 0 } },
        { "held b_web 1", false, { "", 0, 0 } },
        { "held b_web ", false, { "", 0, 0 } },
        { "held b_web", false, { "", 0, 0 } },
        { "held  3 1", false, { "", 0, 0 } },
        { "held ", false, { "", 0, 0 } },
        { "held b_web x 1", false, { "", 0, 0 } },
        { "b_web 12 200", false, { "", 0, 0 } },
        { "", false, { "", 0, 0 } },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct holding_line line;
        CHECK_EQ(holding_read_line(rows[i].line, strlen(rows[i].line), &line), rows[i].is_read);
        if (!rows[i].is_read)
            continue;
        CHECK_STR(line.backend, rows[i].found.backend);
        CHECK_EQ(line.count, rows[i].found.count);
        CHECK_EQ(line.thread, rows[i].found.thread);
    }
}

TEST(held_requests_are_those_of_all_threads_until_nothing_is_heard)
{
    struct holding_count count = { 0 };

    holding_note(&count, &(struct holding_line){ .count = 3, .thread = 1 }, 10000);
    holding_note(&count, &(struct holding_line){ .count = 2, .thread = 2 }, 12000);
    CHECK_EQ(holding_sum(&count, 12000), 5);
    CHECK_EQ(holding_sum(&count, 10000 + HOLDING_FRESH_MS + 1), 2);
    holding_note(&count, &(struct holding_line){ .count = 0, .thread = 2 }, 12500);
    CHECK_EQ(holding_sum(&count, 12500), 3);
    CHECK_EQ(holding_sum(&count, 20000), 0);
}
