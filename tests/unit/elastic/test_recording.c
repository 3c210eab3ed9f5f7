/* tests/unit/elastic/test_recording.c - a whole recording, and what a replay says as JSON. */
#include "check.h"
#include "elastic/recording.h"
#include <string.h>

#define LINE(second_, ready_, starting_)                                                           \
    "{\"time\":\"2026-11-21T08:00:" second_ "Z\",\"members\":2,\"ready\":" ready_                  \
    ",\"starting\":" starting_                                                                     \
    ",\"failed\":0,\"leaving\":0,\"metrics\":{\"CPU\":{\"sum\":50,\"members\":1}}}\n"

static struct recording read_all(const char *lines)
{
    struct metric_names names = { 0 };
    struct recording recording;
    struct err err;

    CHECK_OK(recording_read(lines, strlen(lines), &names, &recording, &err), &err);
    return recording;
}

TEST(lines_become_samples_in_their_order)
{
    auto_recording struct recording recording = read_all(LINE("01", "1", "1") LINE("02", "2", "0"));

    CHECK_EQ(recording.count, 2);
    CHECK_EQ(recording.left_out, 0);
    CHECK_EQ(recording.samples[1].ready, 2);
    CHECK_EQ(recording_desired(&recording), 2);
}

TEST(what_cannot_be_read_is_left_out_and_told)
{
    auto_recording struct recording recording = read_all(LINE(
        "05", "1", "0") "{\"time\":\"2026-11\n" LINE("04", "1", "0") "\n" LINE("06", "1", "0"));

    CHECK_EQ(recording.count, 2);
    CHECK_EQ(recording.left_out, 2);
    CHECK_CONTAINS(recording.first_wrong, "line 2: ");
}

TEST(a_record_without_any_sample_is_refused)
{
    struct metric_names names = { 0 };
    struct recording recording;
    struct err err;

    CHECK_FAILS(recording_read("", 0, &names, &recording, &err), &err, ERR_INVALID);
    CHECK_FAILS(recording_read("hello\n", 6, &names, &recording, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, "line 1: ");
}

TEST(how_long_members_take_to_start_is_in_the_record)
{
    auto_recording struct recording slow = read_all(LINE("01", "1", "1") LINE("02", "1", "1")
                                                        LINE("03", "1", "1") LINE("04", "2", "0"));
    auto_recording struct recording still = read_all(LINE("01", "1", "0") LINE("02", "1", "0"));

    CHECK_EQ(recording_start_ms(&slow), 3000);
    CHECK_EQ(recording_start_ms(&still), -1);
}

TEST(what_was_never_measured_is_not_known)
{
    auto_recording struct recording recording = read_all(LINE("01", "1", "0") LINE("02", "1", "0"));

    CHECK(recording_knows(&recording, METRIC_CPU));
    CHECK(!recording_knows(&recording, METRIC_MEMORY));
    CHECK(!recording_knows(&recording, METRIC_CUSTOM));
}

TEST(a_replay_is_told_as_json)
{
    struct replay_change change = { 1000, 1, 3, AUTOSCALE_OUT, "out" };
    struct replay_result result = { &change, 1, 3, 1, 7.5, 9, 1000, 5000, 2 };
    auto_json json_t *said = replay_json(&result, 5, 1);
    auto_free char *text = json_text(said);

    CHECK_STR(text,
              "{\"from\":\"1970-01-01T00:00:01Z\",\"to\":\"1970-01-01T00:00:05Z\",\"samples\":5,"
              "\"changes\":["
              "{\"time\":\"1970-01-01T00:00:01Z\",\"from\":1,\"desired\":3,\"reason\":\"ScaleOut\","
              "\"message\":\"out\"}],\"lowest\":1,\"peak\":3,\"last\":3,\"memberSeconds\":7.5,"
              "\"recordedMemberSeconds\":9.0,\"saturatedSamples\":2}");
}
