/* elastic/replay.h - what a policy would have done with recorded load. Pure.
 *
 * The load that was recorded (processor time, requests, bytes, of all members together) is spread
 * over the members that the policy would have had. As long as it wants what there was, these are the
 * recorded ones, ready when they were; otherwise members serve 'start_ms' after they were wanted.
 * Thus the policy that ran decides what it decided.
 * Where the recorded members were at their limit, the load they could not take is not in the
 * record: then the result says that more may have been needed. */
#pragma once
#include "elastic/policy.h"

struct replay_change {
    int64_t wall_ms;
    int from, desired;
    enum autoscale_reason reason;
    char message[AUTOSCALE_TEXT_SIZE];
};

struct replay_result {
    struct replay_change *changes; /* owned */
    size_t change_count;
    int peak, lowest;
    double member_seconds;          /* what the policy would have kept running */
    double recorded_member_seconds; /* what was running */
    int64_t from_ms, to_ms;         /* of the record; 0 when it is empty */
    unsigned saturated;             /* samples in which the recorded members were at their limit */
};
void replay_result_done(struct replay_result *result);

/* 'samples' are about a second apart, oldest first. 'desired' is what the group begins with. */
void replay(const struct policy *policy, const struct sample *samples, size_t count, int desired,
            int64_t start_ms, struct replay_result *ret_result);
