/* Recordings of load come from files of anybody's; what was read must be fit to be replayed. */
#include "elastic/recording.h"
#include "fuzz.h"

static struct policy *some_policy(struct metric_names *names)
{
    auto_json json_t *spec =
        json_pack("{s:s,s:[{s:s,s:s,s:i},{s:s,s:s,s:s,s:i}]}", "window", "2s", "metrics", "name",
                  "cpu", "type", "CPU", "averageUtilization", 60, "name", "jobs", "type", "Custom",
                  "metric", "jobs", "averageValue", 10);
    struct err err;

    return policy_new(spec, 1, 50, names, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct metric_names names = { 0 };
    auto_clean(policy_free_auto) struct policy *policy = some_policy(&names);
    auto_recording struct recording recording = { 0 };
    struct replay_result result;
    struct err err;

    if (recording_read((const char *)bytes, size, &names, &recording, &err) < 0)
        return 0;
    replay(policy, recording.samples, recording.count, recording_desired(&recording), 3000,
           &result);
    assert(result.lowest >= 0 && result.peak >= result.lowest);
    for (size_t i = 0; i < result.change_count; i++)
        assert(result.changes[i].desired >= 1 && result.changes[i].desired <= 50);
    json_decref(replay_json(&result, recording.count, recording_desired(&recording)));
    replay_result_done(&result);
    return 0;
}
