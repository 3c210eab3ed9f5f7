/* elastic/recording.h - a whole recording: the lines of record.h, read leniently, and what a replay
 * said as JSON. Pure.
 *
 * A line that can't be read (torn by a crash, of another version) or whose time is before its
 * predecessor's is left out and counted. */
#pragma once
#include "elastic/record.h"
#include "elastic/replay.h"

enum { RECORDING_SAMPLES_MAX = 7 * 24 * 3600 };

struct recording {
    struct sample *samples; /* oldest first; owned */
    size_t count, capacity;
    unsigned left_out;     /* lines */
    char first_wrong[600]; /* "line 12: time: missing"; "" when none was left out */
};
void recording_done(struct recording *recording);
void recording_done_auto(struct recording *recording);
#define auto_recording __attribute__((cleanup(recording_done_auto)))

/* ERR_INVALID: not a single line can be read. ERR_TOO_LARGE: more than RECORDING_SAMPLES_MAX. */
int recording_read(const char *lines, size_t size, struct metric_names *names,
                   struct recording *ret_recording, struct err *err);
/* How long members took to get ready, on average, by the recording; -1: none did. */
int64_t recording_start_ms(const struct recording *recording);
/* What the group aimed at when it began. */
int recording_desired(const struct recording *recording);
/* Is there any sample with this metric? */
bool recording_knows(const struct recording *recording, int slot);

/* {"from","to","samples","changes":[{"time","from","desired","reason","message"}],"lowest","peak","last",
 * "memberSeconds","recordedMemberSeconds","saturatedSamples"}; owned. */
json_t *replay_json(const struct replay_result *result, size_t sample_count, int desired_at_begin);
