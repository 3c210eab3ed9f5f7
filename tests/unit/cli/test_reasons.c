#include "parsed.h"
#include "cli/reasons.h"
#include <string.h>

static void check_object(const char *kind, const char *text, const char *expected)
{
    auto_json json_t *object = parse(text);
    auto_buf struct buf said = { 0 };

    reasons_object(kind_find_name(kind), object, &said);
    CHECK_STR(said.bytes, expected);
}

TEST(a_pending_instance_tells_the_step_it_waits_at)
{
    check_object(
        "instance",
        "{\"metadata\":{\"name\":\"web\"},\"status\":{\"phase\":\"Pending\",\"conditions\":["
        "{\"type\":\"RestartRequired\",\"status\":\"False\",\"reason\":\"UpToDate\"},"
        "{\"type\":\"Placed\",\"status\":\"False\",\"reason\":\"NoRoom\",\"message\":\"no host has "
        "9Gi\","
        "\"lastTransitionTime\":\"2026-11-21T08:00:00Z\"}]}}",
        "instance/web: Pending\n"
        "  Placed is False since 2026-11-21T08:00:00Z: NoRoom: no host has 9Gi\n");
}

TEST(a_warm_member_tells_what_it_waits_for)
{
    check_object("instance",
                 "{\"metadata\":{\"name\":\"web-1\",\"labels\":{\"virga.dev/warm\":\"true\",\"virga.dev/group\":\"web\"}},"
                 "\"status\":{\"phase\":\"Paused\"}}",
                 "instance/web-1: Paused\n"
                 "  it is kept warm by instancegroup/web, which resumes it when one more is wanted\n");
}

TEST(what_is_in_order_is_said_in_a_line)
{
    check_object("group", "{\"metadata\":{\"name\":\"web\"},\"status\":{\"phase\":\"Ready\"}}",
                 "instancegroup/web: Ready\n  all is as it should be\n");
    check_object("group", "{\"metadata\":{\"name\":\"web\"}}",
                 "instancegroup/web: nothing was done with it yet\n");
}

TEST(what_should_not_be_is_said_when_it_is)
{
    check_object("instance",
                 "{\"metadata\":{\"name\":\"web\",\"deletionTimestamp\":\"T2\"},\"status\":{"
                 "\"phase\":\"Running\","
                 "\"conditions\":[{\"type\":\"Draining\",\"status\":\"True\",\"reason\":"
                 "\"Leaving\",\"message\":\"\","
                 "\"lastTransitionTime\":\"T\"}]}}",
                 "instance/web: Running\n  it is being deleted since T2\n  Draining is True since "
                 "T: Leaving\n");
}

#define DECISION(time_)                                                                            \
    "{\"time\":\"" time_                                                                           \
    "\",\"from\":1,\"desired\":3,\"min\":1,\"max\":6,\"message\":\"out from 1 to 3\","             \
    "\"group\":{\"members\":2,\"ready\":1,\"starting\":1,\"failed\":0,\"leaving\":0,"              \
    "\"idleSeconds\":4},\"proposals\":["                                                           \
    "{\"source\":\"Target\",\"name\":\"cpu\",\"type\":\"CPU\",\"per\":\"Member\",\"value\":92.5,"  \
    "\"target\":60.0,"                                                                             \
    "\"wanted\":3,\"decided\":true},"                                                              \
    "{\"source\":\"Target\",\"name\":\"jobs\",\"type\":\"Custom\",\"per\":\"Group\",\"target\":"   \
    "10.0},"                                                                                       \
    "{\"source\":\"Schedule\",\"name\":\"day\",\"wanted\":2}]}\n"

TEST(a_decision_is_told_with_its_inputs)
{
    static const char lines[] = DECISION("T1");
    auto_buf struct buf said = { 0 };

    CHECK_EQ(reasons_decisions(lines, strlen(lines), 5, &said), 1);
    CHECK_STR(said.bytes,
              "  T1  out from 1 to 3\n"
              "    1 to 6 are allowed; members: 2, 1 ready, 1 starting; idle for 4 s\n"
              "    Target cpu (CPU, per member): 92.5 against 60, wants 3 (decides)\n"
              "    Target jobs (Custom, whole group): unknown against 10\n"
              "    Schedule day: wants 2\n");
}

TEST(only_the_last_decisions_are_told_and_torn_ones_are_not)
{
    static const char lines[] = DECISION("T1") "{\"time\":\"to\n" DECISION("T2") DECISION("T3");
    auto_buf struct buf said = { 0 };

    CHECK_EQ(reasons_decisions(lines, strlen(lines), 2, &said), 2);
    CHECK(!strstr(said.bytes, "T1"));
    CHECK_CONTAINS(said.bytes, "T2");
    CHECK_CONTAINS(said.bytes, "T3");
    CHECK_EQ(reasons_decisions(lines, strlen(lines), 50, &said), 3);
    CHECK_EQ(reasons_decisions(lines, strlen(lines), 3, &said),
             2); /* the torn one counts and is left out */
}
