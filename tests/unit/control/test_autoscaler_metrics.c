/* tests/unit/control/test_autoscaler_metrics.c - what applications push and members expose. */
#include "scaled_site.h"
#include "control/autoscaler.h"
#include <errno.h>
#include <math.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- pushed --- */

TEST(an_application_pushes_what_counts)
{
    struct err err;

    begin_scaled(json_pack("{s:{s:s},s:[{s:s,s:s,s:s,s:s}]}", "scaleTargetRef", "name", "web", "metrics", "name", "jobs",
                           "type", "Custom", "metric", "jobs", "averageValue", "10"));
    loop_sim_advance(site.loop, 2000);
    auto_json json_t *blind = find(&kind_autoscaler);
    CHECK_STR(json_text_at(blind, "status.phase", NULL), "Waiting");
    CHECK_STR(json_text_at(condition_get(blind, "ScalingActive"), "message", NULL),
              "stays at 1: nothing is known of jobs (nobody provides it)");
    CHECK_STR(json_text_at(condition_get(blind, "MetricsKnown"), "message", NULL),
              "nothing is known of jobs (nobody provides it)");
    CHECK_FAILS(push("web", "stranger", "jobs", 1, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, "stranger is no member");
    CHECK_FAILS(push("web", NULL, "other", 1, &err), &err, ERR_INVALID);
    CHECK_FAILS(push("none", NULL, "jobs", 1, &err), &err, ERR_CONFLICT);
    CHECK_FAILS(push("web", NULL, "jobs", -1, &err), &err, ERR_INVALID);
    CHECK_OK(push("web", NULL, "jobs", 25, &err), &err);
    wait_ready(3);
    auto_json json_t *seeing = find(&kind_autoscaler);
    CHECK(condition_is_true(seeing, "MetricsKnown"));
    end_scaled();
}

TEST(of_values_that_are_pushed_together_all_count_or_none)
{
    const struct pushed_metric pushed[] = { { "jobs", NULL, 1 }, { "other", NULL, 1 } };
    struct err err;

    begin_scaled(json_pack("{s:{s:s},s:[{s:s,s:s,s:s,s:s}]}", "scaleTargetRef", "name", "web", "metrics", "name", "jobs",
                           "type", "Custom", "metric", "jobs", "value", "10"));
    const double no_amounts[] = { -1, (double)NAN, (double)INFINITY, 1e300 };

    for (size_t i = 0; i < sizeof no_amounts / sizeof no_amounts[0]; i++) {
        CHECK_FAILS(push("web", NULL, "jobs", no_amounts[i], &err), &err, ERR_INVALID);
        CHECK_CONTAINS(err.text, "must be a number from 0 to 1e+18");
    }
    CHECK_FAILS(control_push_metrics(site.control, "default", "web", pushed, 2, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, "metrics[1]: other: ");
    CHECK_EQ(map_count(scaler_of_group(site.control, "default", "web")->custom), 0);
    CHECK_OK(control_push_metrics(site.control, "default", "web", pushed, 1, &err), &err);
    CHECK_EQ(map_count(scaler_of_group(site.control, "default", "web")->custom), 1);
    end_scaled();
}

static void rename_metric(const char *name)
{
    json_t *object = find(&kind_autoscaler), *metric = json_array_get(json_at(object, "spec.metrics"), 0);

    json_object_set_new(metric, "metric", json_string(name));
    control_update(site.control, &kind_autoscaler, object, nobody);
    loop_sim_advance(site.loop, 2000);
}

TEST(names_of_metrics_that_were_asked_for_once_are_forgotten)
{
    struct err err;

    begin_scaled(json_pack("{s:{s:s},s:[{s:s,s:s,s:s,s:s}]}", "scaleTargetRef", "name", "web", "metrics", "name", "jobs",
                           "type", "Custom", "metric", "jobs", "value", "10"));
    for (unsigned i = 0; i < 2 * CUSTOM_METRICS_MAX; i++) {
        auto_free char *name = str_printf("jobs_%u", i);
        rename_metric(name);
        CHECK_OK(push("web", NULL, name, 1, &err), &err);
    }
    CHECK_FAILS(push("web", NULL, "jobs_0", 1, &err), &err, ERR_INVALID);
    end_scaled();
}

/* What was decided by a policy that is gone is not shown as if it were of the new one. */
TEST(a_value_may_come_before_the_new_policy_has_decided)
{
    struct err err;

    begin_scaled(json_pack("{s:{s:s},s:[{s:s,s:s,s:s,s:s}]}", "scaleTargetRef", "name", "web", "metrics", "name", "jobs",
                           "type", "Custom", "metric", "jobs", "value", "10"));
    loop_sim_advance(site.loop, 2000);
    json_t *object = find(&kind_autoscaler), *metric = json_array_get(json_at(object, "spec.metrics"), 0);
    json_object_set_new(metric, "name", json_string("later"));
    json_object_set_new(metric, "metric", json_string("later"));
    control_update(site.control, &kind_autoscaler, object, nobody);
    for (unsigned i = 0; push("web", NULL, "later", 1, &err) < 0; i++) {
        CHECK(i < 100);
        loop_sim_advance(site.loop, 1);
    }
    control_wake(site.control, &kind_autoscaler, "default", "web");
    loop_sim_advance(site.loop, 5);
    auto_json json_t *before = find(&kind_autoscaler);
    CHECK_STR(json_text_at(before, "status.currentMetrics[0].name", NULL), "jobs");
    loop_sim_advance(site.loop, 2000);
    auto_json json_t *after = find(&kind_autoscaler);
    CHECK_STR(json_text_at(after, "status.currentMetrics[0].name", NULL), "later");
    end_scaled();
}

/* --- exposed --- */

static void answer_dialled(int fd, uint16_t port, const char *answer)
{
    char request[512] = "";

    CHECK_EQ(port, 9100);
    CHECK(recv(fd, request, sizeof request - 1, 0) > 0);
    CHECK(str_starts(request, "GET /metrics HTTP/1.0\r\n"));
    CHECK_EQ(send(fd, answer, strlen(answer), MSG_NOSIGNAL), (ssize_t)strlen(answer));
    close(fd);
}

/* Plays the members: answers what they are asked, within so many seconds. */
static void serve_metrics(const char *answer, unsigned seconds)
{
    for (unsigned i = 0; i < seconds * 20; i++) {
        struct ip_addr to;
        uint16_t port;
        int fd;

        loop_sim_advance(site.loop, 50);
        while ((fd = network_fake_take_dialled(site.net, &to, &port)) >= 0)
            answer_dialled(fd, port, answer);
    }
}

static json_t *scraping_spec(void)
{
    return json_pack("{s:{s:s},s:[{s:s,s:s,s:s,s:s,s:{s:i}}]}", "scaleTargetRef", "name", "web", "metrics", "name", "jobs",
                     "type", "Custom", "metric", "jobs", "averageValue", "10", "scrape", "port", 9100);
}

TEST(members_are_asked_for_what_they_expose)
{
    begin_scaled(scraping_spec());
    serve_metrics("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n# TYPE jobs gauge\njobs{a=\"1\"} 15\njobs 10\n", 6);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 4); /* each of them says 25 */
    auto_json json_t *object = find(&kind_autoscaler);
    CHECK_EQ((int)json_number_value(json_at(object, "status.currentMetrics[0].value")), 25);
    end_scaled();
}

TEST(of_a_counter_the_rate_counts)
{
    begin_scaled(scraping_spec());
    serve_metrics("HTTP/1.0 200 OK\r\n\r\n# TYPE jobs counter\njobs 1000\n", 6);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1);
    auto_json json_t *object = find(&kind_autoscaler);
    CHECK(condition_is_true(object, "ScalingActive"));
    CHECK_EQ(json_int_at(object, "status.currentMetrics[0].wanted", -1), 0);
    CHECK_EQ((int)json_number_value(json_at(object, "status.currentMetrics[0].value")), 0);
    end_scaled();
}

TEST(answers_that_are_none_have_no_value)
{
    begin_scaled(scraping_spec());
    serve_metrics("HTTP/1.0 500 Oops\r\n\r\njobs 25\n", 4);
    serve_metrics("nonsense\r\n\r\njobs 25\n", 4);
    serve_metrics("", 4);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1);
    auto_json json_t *object = find(&kind_autoscaler);
    CHECK_CONTAINS(json_text_at(condition_get(object, "ScalingActive"), "message", ""), "jobs (nobody provides it)");
    end_scaled();
}

/* What the condition says of an answer; owned. */
static char *told_of(const char *answer)
{
    begin_scaled(scraping_spec());
    serve_metrics(answer, 4);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1);
    auto_json json_t *object = find(&kind_autoscaler);
    CHECK_STR(json_text_at(condition_get(object, "MetricsScraped"), "status", NULL), "False");
    char *told = str_dup(json_text_at(condition_get(object, "MetricsScraped"), "message", ""));
    serve_metrics("HTTP/1.0 200 OK\r\n\r\njobs 10\n", 14);
    auto_json json_t *later = find(&kind_autoscaler);
    CHECK(condition_is_true(later, "MetricsScraped"));
    end_scaled();
    return told;
}

static void check_told(const char *answer, const char *text)
{
    auto_free char *told = told_of(answer);

    CHECK_CONTAINS(told, text);
}

TEST(what_cannot_be_used_of_what_members_expose_is_told)
{
    check_told("HTTP/1.0 500 Oops\r\n\r\njobs 25\n", ":9100/metrics does not answer with HTTP 200");
    check_told("HTTP/1.0 200 OK\r\n\r\njobs NaN\n", ": jobs is no number from 0 to 1e+18");
    check_told("HTTP/1.0 200 OK\r\n\r\njobs -1\n", ": jobs is no number from 0 to 1e+18");
    check_told("HTTP/1.0 200 OK\r\n\r\njobs 1e308\njobs{a=\"b\"} 1e308\n", ": jobs is no number from 0 to 1e+18");
}

/* Answers of so many lines, whose last one says what counts; the sender goes on as the loop reads. */
static void serve_long(size_t lines, const char *line, const char *last, unsigned seconds)
{
    static const char head[] = "HTTP/1.0 200 OK\r\n\r\n";
    auto_buf struct buf answer = { 0 };
    size_t sent = 0;
    int fd = -1;

    buf_add_text(&answer, head);
    for (size_t i = 0; i < lines; i++)
        buf_add_text(&answer, line);
    buf_add_text(&answer, last);
    for (unsigned i = 0; i < seconds * 200; i++) {
        char request[512];
        struct ip_addr to;
        uint16_t port;
        ssize_t took;

        loop_sim_advance(site.loop, 5);
        if (fd < 0 && (fd = network_fake_take_dialled(site.net, &to, &port)) < 0)
            continue;
        if (!sent)
            CHECK(recv(fd, request, sizeof request, 0) > 0);
        took = send(fd, answer.bytes + sent, answer.size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += took > 0 ? (size_t)took : 0;
        if (sent < answer.size && (took >= 0 || errno == EAGAIN))
            continue;
        close(fd);
        fd = -1;
        sent = 0;
    }
    if (fd >= 0)
        close(fd);
}

TEST(long_answers_are_read_in_pieces)
{
    begin_scaled(scraping_spec());
    serve_long(20000, "# a comment that says nothing of any metric\n", "jobs 25", 4);
    CHECK(int_of(&kind_instance_group, "spec.replicas") > 1);
    end_scaled();
}

TEST(of_answers_that_are_too_long_nothing_counts)
{
    static const struct {
        size_t lines;
        const char *line, *told;
    } rows[] = {
        { 30000, "# a comment that says nothing of any metric\n", "exposes more than 1 MiB" },
        { 3000, "a line without any end that goes on and on", "exposes a line of more than 64 KiB" },
    };

    for (size_t i = 0; i < 2; i++) {
        begin_scaled(scraping_spec());
        serve_long(rows[i].lines, rows[i].line, "\njobs 25\n", 4);
        CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1);
        auto_json json_t *object = find(&kind_autoscaler);
        CHECK_CONTAINS(json_text_at(condition_get(object, "MetricsScraped"), "message", ""), rows[i].told);
        end_scaled();
    }
}
