/* elastic/recording.c - see recording.h */
#include "elastic/recording.h"
#include "base/mem.h"
#include "base/quantity.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GAP_MS = 60 * 1000 };

void recording_done(struct recording *recording)
{
    free(recording->samples);
    memset(recording, 0, sizeof *recording);
}
void recording_done_auto(struct recording *recording) { recording_done(recording); }

static int add(struct recording *recording, const struct sample *sample, struct err *err)
{
    if (recording->count == RECORDING_SAMPLES_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d samples", RECORDING_SAMPLES_MAX);
    if (recording->count == recording->capacity) {
        recording->capacity = 2 * recording->capacity + 256;
        recording->samples =
            mem_resize(recording->samples, recording->capacity * sizeof *recording->samples);
    }
    recording->samples[recording->count++] = *sample;
    return 0;
}

static void leave_out(struct recording *recording, unsigned line, const char *why)
{
    if (recording->left_out++ == 0)
        (void)snprintf(recording->first_wrong, sizeof recording->first_wrong, "line %u: %s", line,
                       why);
}

static int read_line(struct recording *recording, unsigned number, const char *line, size_t size,
                     struct metric_names *names, struct err *err)
{
    const struct sample *last = recording->count ? &recording->samples[recording->count - 1] : NULL;
    struct sample sample;
    struct err why;

    if (record_read(line, size, names, &sample, &why) < 0)
        leave_out(recording, number, why.text);
    else if (last && sample.wall_ms < last->wall_ms)
        leave_out(recording, number, "time: is before that of the line before");
    else
        return add(recording, &sample, err);
    return 0;
}

int recording_read(const char *lines, size_t size, struct metric_names *names,
                   struct recording *ret_recording, struct err *err)
{
    const char *end = lines + size;
    struct recording recording = { 0 };
    unsigned number = 1;

    for (const char *at = lines; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);

        if (length > 0 && read_line(&recording, number, at, length, names, err) < 0) {
            recording_done(&recording);
            return -1;
        }
        at += length + 1;
    }
    if (recording.count == 0) {
        (void)err_set(err, ERR_INVALID, "there is no sample in it%s%s",
                      recording.left_out ? ": " : "", recording.first_wrong);
        recording_done(&recording);
        return -1;
    }
    *ret_recording = recording;
    return 0;
}

/* As many as came have spent that much time starting (Little's law). */
int64_t recording_start_ms(const struct recording *recording)
{
    int64_t spent_ms = 0, came = 0;

    for (size_t i = 1; i < recording->count; i++) {
        const struct sample *before = &recording->samples[i - 1], *now = &recording->samples[i];
        int64_t elapsed_ms = now->wall_ms - before->wall_ms;

        if (elapsed_ms < GAP_MS)
            spent_ms += before->starting * elapsed_ms;
        if (now->ready > before->ready)
            came += now->ready - before->ready;
    }
    return came ? spent_ms / came : -1;
}

bool recording_knows(const struct recording *recording, int slot)
{
    for (size_t i = 0; i < recording->count; i++)
        if (recording->samples[i].values[slot].is_known)
            return true;
    return false;
}

int recording_desired(const struct recording *recording)
{
    return recording->count ? (int)(recording->samples[0].ready + recording->samples[0].starting)
                            : 0;
}

static json_t *time_json(int64_t wall_ms)
{
    char text[TIME_TEXT_SIZE];

    time_format(wall_ms, text, sizeof text);
    return json_string(text);
}

json_t *replay_json(const struct replay_result *result, size_t sample_count, int desired_at_begin)
{
    json_t *changes = json_array();
    int last = desired_at_begin;

    for (size_t i = 0; i < result->change_count; i++) {
        const struct replay_change *change = &result->changes[i];

        last = change->desired;
        json_array_append_new(
            changes, json_pack("{s:o,s:i,s:i,s:s,s:s}", "time", time_json(change->wall_ms), "from",
                               change->from, "desired", change->desired, "reason",
                               autoscale_reason_name(change->reason), "message", change->message));
    }
    return json_pack("{s:o,s:o,s:I,s:o,s:i,s:i,s:i,s:f,s:f,s:I}", "from",
                     time_json(result->from_ms), "to", time_json(result->to_ms), "samples",
                     (json_int_t)sample_count, "changes", changes, "lowest", result->lowest, "peak",
                     result->peak, "last", last, "memberSeconds", result->member_seconds,
                     "recordedMemberSeconds", result->recorded_member_seconds, "saturatedSamples",
                     (json_int_t)result->saturated);
}
