/* cli/cmd_autoscaler.c - autoscaler replay: what a policy would have done with recorded load;
 * autoscaler samples and decisions: what was recorded, as JSON lines; metric push. */
#include "cli/common.h"
#include "cli/manifest.h"
#include "cli/plan.h"
#include "cli/table.h"
#include "base/quantity.h"
#include "elastic/recording.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECORD_BYTES_MAX = 256 * 1024 * 1024, START_MS_DEFAULT = 5000 };

static const struct kind *autoscalers(void) { return kind_find_name("autoscalers"); }

/* --- samples, decisions --- */

static int check_last(struct session *session, const struct arguments *arguments, struct err *err)
{
    const char *last = argument(arguments, "last");
    int64_t ms;

    return last && duration_parse(last, &ms, err) < 0
               ? usage_error(session, err, "--last: %s", err->text)
               : 0;
}

/* Owned; NULL on error. */
static char *history_path(struct session *session, const struct arguments *arguments,
                          const char *part, struct err *err)
{
    char *path;

    if (check_last(session, arguments, err) < 0)
        return NULL;
    path = object_path(session, autoscalers(), arguments->operands[0], part);
    if (argument(arguments, "last"))
        client_path_option(&path, "last", argument(arguments, "last"));
    return path;
}

static int print_history(struct session *session, const struct arguments *arguments,
                         const char *part, struct err *err)
{
    auto_free char *path = history_path(session, arguments, part, err);

    return path ? stream_to(session, path, "*/*", STDOUT_FILENO, err) : -1;
}

COMMAND(cmd_autoscaler_samples) { return print_history(session, arguments, "samples", err); }
COMMAND(cmd_autoscaler_decisions) { return print_history(session, arguments, "decisions", err); }

/* --- replay: the record --- */

static bool gather(void *arg, const char *bytes, size_t size)
{
    buf_add(arg, bytes, size);
    return !((struct buf *)arg)->overflowed;
}

static int fetch_samples(struct session *session, const struct arguments *arguments,
                         struct buf *lines, struct err *err)
{
    auto_free char *path = history_path(session, arguments, "samples", err);
    struct client *client = path ? session_client(session, err) : NULL;
    struct client_request request = {
        .path = path, .accept = "*/*", .take = gather, .take_arg = lines
    };

    return client ? client_send(client, &request, NULL, err) : -1;
}

static int read_record(struct session *session, const struct arguments *arguments,
                       struct metric_names *names, struct recording *ret_recording, struct err *err)
{
    const char *from = argument(arguments, "from");
    auto_buf struct buf lines = { .size_max = RECORD_BYTES_MAX };

    if (from ? read_input(from, RECORD_BYTES_MAX, &lines, err) < 0
             : fetch_samples(session, arguments, &lines, err) < 0)
        return -1;
    if (recording_read(lines.size ? lines.bytes : "", lines.size, names, ret_recording, err) == 0)
        return 0;
    session_hint(session,
                 "samples are recorded each second while the Autoscaler and its group exist");
    return err_wrap(err, "%s", from ? from : "the recorded samples");
}

/* --- replay: the policy --- */

/* The Autoscaler called 'name' of the manifests; owned. */
static json_t *read_manifest(struct session *session, const struct arguments *arguments,
                             const char *name, struct err *err)
{
    auto_clean(plan_done_auto) struct plan plan = { 0 };

    if (plan_read(session, arguments, /*needs_names=*/true, &plan, err) < 0)
        return NULL;
    for (size_t i = 0; i < plan.count; i++)
        if (plan.items[i].kind == autoscalers() && str_equal(plan.items[i].name, name))
            return json_deep_copy(plan.items[i].object);
    (void)err_set(err, ERR_BAD_REQUEST, "%s: there is no Autoscaler \"%s\" in it",
                  argument(arguments, "file"), name);
    return NULL;
}

/* As the server would judge it. */
static int check_manifest(json_t *object, struct err *err)
{
    auto_causes struct causes causes = { 0 };

    kind_unknown_fields(autoscalers(), object, /*prune=*/false, &causes);
    kind_default(autoscalers(), object);
    if (causes.count == 0)
        kind_validate(autoscalers(), object, NULL, &causes);
    if (causes.count == 0)
        return 0;
    return err_set(err, ERR_INVALID, "%s: %s", causes.items[0].field, causes.items[0].message);
}

static json_t *fetch(struct session *session, const struct kind *kind, const char *name,
                     struct err *err)
{
    auto_free char *path = object_path(session, kind, name, NULL);
    struct client *client = session_client(session, err);
    json_t *object = NULL;

    return client && client_get(client, path, &object, err) == 0 ? object : NULL;
}

/* What is applied, or what "-f" would apply; owned. */
static json_t *find_autoscaler(struct session *session, const struct arguments *arguments,
                               struct err *err)
{
    const char *name = arguments->operands[0];
    auto_json json_t *object = NULL;

    if (!argument_given(arguments, "file"))
        return fetch(session, autoscalers(), name, err);
    object = read_manifest(session, arguments, name, err);
    return object && check_manifest(object, err) == 0 ? take_pointer(object) : NULL;
}

/* The bounds of the group when it can be asked for; a record may be of another cloud. */
static struct policy *read_policy(struct session *session, const json_t *autoscaler,
                                  struct metric_names *names, struct err *err)
{
    struct err unknown;
    auto_json json_t *group =
        fetch(session, kind_find_name("instancegroups"),
              json_text_at(autoscaler, "spec.scaleTargetRef.name", ""), &unknown);
    int min = (int)json_int_at(group, "spec.minReplicas", 0);
    int max = (int)json_int_at(group, "spec.maxReplicas", GROUP_SIZE_MAX);

    if (!group)
        fprintf(stderr, "without the bounds of the group: %s\n", unknown.text);
    return policy_new(json_object_get(autoscaler, "spec"), min, max, names, err);
}

/* --- replay: what came of it --- */

static json_t *change_row(const json_t *change)
{
    return json_pack("{s:[O,O,O,O,O]}", "cells", json_object_get(change, "time"),
                     json_object_get(change, "from"), json_object_get(change, "desired"),
                     json_object_get(change, "reason"), json_object_get(change, "message"));
}

static void print_changes(const json_t *said)
{
    static const char *const columns[] = { "Time", "From", "To", "Reason", "Message" };
    auto_json json_t *table = json_pack("{s:[],s:[]}", "columnDefinitions", "rows");
    const json_t *changes = json_object_get(said, "changes");
    auto_buf struct buf text = { 0 };

    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        json_array_append_new(
            json_object_get(table, "columnDefinitions"),
            json_pack("{s:s,s:s,s:i}", "name", columns[i], "type", "string", "priority", 0));
    for (size_t i = 0; i < json_array_size(changes); i++)
        json_array_append_new(json_object_get(table, "rows"),
                              change_row(json_array_get(changes, i)));
    if (json_array_size(changes) == 0)
        return;
    table_write(table, &(struct table_style){ 0 }, &text);
    puts(text.bytes);
}

static double hours_of(const json_t *said, const char *name)
{
    return json_number_value(json_object_get(said, name)) / 3600;
}

static void print_summary(const json_t *said, int64_t start_ms)
{
    long long saturated = (long long)json_int_at(said, "saturatedSamples", 0);

    printf("%lld samples from %s to %s; members taken to start in %.1f s\n",
           (long long)json_int_at(said, "samples", 0), json_text_at(said, "from", "?"),
           json_text_at(said, "to", "?"), (double)start_ms / 1000);
    printf("%zu changes, %lld to %lld members, %lld at the end\n",
           json_array_size(json_object_get(said, "changes")),
           (long long)json_int_at(said, "lowest", 0), (long long)json_int_at(said, "peak", 0),
           (long long)json_int_at(said, "last", 0));
    printf("%.2f member hours; %.2f were recorded\n", hours_of(said, "memberSeconds"),
           hours_of(said, "recordedMemberSeconds"));
    if (saturated)
        printf("in %lld samples the recorded members were at their limit: more may have been "
               "needed then\n",
               saturated);
}

static int print_result(struct session *session, const char *output, const json_t *said,
                        int64_t start_ms, struct err *err)
{
    auto_buf struct buf text = { 0 };

    if (!output || str_equal(output, "table")) {
        print_changes(said);
        print_summary(said, start_ms);
        return 0;
    }
    if (str_equal(output, "yaml"))
        yaml_write(said, &text);
    else if (str_equal(output, "json"))
        json_write(said, &text), buf_add_char(&text, '\n');
    else
        return usage_error(session, err, "--output: \"%s\" must be table, json or yaml", output);
    fputs(text.bytes, stdout);
    return 0;
}

static int read_start(struct session *session, const struct arguments *arguments,
                      const struct recording *recording, int64_t *ret_ms, struct err *err)
{
    const char *text = argument(arguments, "start");
    int64_t recorded_ms = recording_start_ms(recording);

    *ret_ms = recorded_ms >= 0 ? recorded_ms : START_MS_DEFAULT;
    return text && duration_parse(text, ret_ms, err) < 0
               ? usage_error(session, err, "--start: %s", err->text)
               : 0;
}

/* Such a part of the policy changes nothing in a replay, whatever it would do. */
static void tell_unrecorded(const struct policy *policy, const struct recording *recording)
{
    const struct autoscale_policy *rules = &policy->rules;

    for (unsigned i = 0; i < rules->target_count; i++)
        if (!recording_knows(recording, rules->targets[i].slot))
            fprintf(stderr, "nothing is recorded of metric %s: what it would have asked for is not known\n",
                    rules->targets[i].name);
    for (unsigned i = 0; i < rules->step_count; i++)
        if (!recording_knows(recording, rules->steps[i].slot))
            fprintf(stderr, "nothing is recorded for step %s: what it would have done is not known\n",
                    rules->steps[i].name);
}

COMMAND(cmd_autoscaler_replay)
{
    auto_recording struct recording recording = { 0 };
    auto_json json_t *autoscaler = NULL, *said = NULL;
    struct metric_names names = { 0 };
    struct replay_result result;
    int64_t start_ms;

    if (argument(arguments, "from") && argument(arguments, "last"))
        return usage_error(session, err, "say either --from FILE or --last TIME");
    autoscaler = find_autoscaler(session, arguments, err);
    if (!autoscaler)
        return -1;
    auto_clean(policy_free_auto) struct policy *policy =
        read_policy(session, autoscaler, &names, err);
    if (!policy || read_record(session, arguments, &names, &recording, err) < 0 ||
        read_start(session, arguments, &recording, &start_ms, err) < 0)
        return -1;
    if (recording.left_out)
        fprintf(stderr, "%u lines are left out; %s\n", recording.left_out, recording.first_wrong);
    tell_unrecorded(policy, &recording);
    replay(policy, recording.samples, recording.count, recording_desired(&recording), start_ms,
           &result);
    said = replay_json(&result, recording.count, recording_desired(&recording));
    replay_result_done(&result);
    return print_result(session, argument(arguments, "output"), said, start_ms, err);
}

/* --- metric push --- */

/* "jobs=12" to an item; NULL on error. */
static json_t *read_value(struct session *session, const char *word, const char *member,
                          struct err *err)
{
    const char *equals = strchr(word, '=');
    auto_free char *name = str_dup_part(word, equals ? (size_t)(equals - word) : 0);
    char *end = NULL;
    double value = equals ? strtod(equals + 1, &end) : 0;
    json_t *item;

    if (!*name || end == equals + 1 || *end || !isfinite(value)) {
        (void)usage_error(session, err, "\"%s\": must be METRIC=NUMBER", word);
        return NULL;
    }
    item = json_pack("{s:s,s:f}", "name", name, "value", value);
    if (item && (!member || json_object_set_new(item, "member", json_string(member)) == 0))
        return item;
    json_decref(item);
    (void)usage_error(session, err, "the names are no UTF-8 text");
    return NULL;
}

COMMAND(cmd_metric_push)
{
    const char *group = arguments->operands[0];
    auto_free char *path = object_path(session, kind_find_name("instancegroups"), group, "metrics");
    auto_json json_t *body = json_pack("{s:[]}", "metrics");
    struct client *client;

    for (int i = 1; i < arguments->operand_count; i++) {
        json_t *item =
            read_value(session, arguments->operands[i], argument(arguments, "member"), err);

        if (!item)
            return -1;
        json_array_append_new(json_object_get(body, "metrics"), item);
    }
    client = session_client(session, err);
    return client ? client_send(
                        client,
                        &(struct client_request){ .method = "POST", .path = path, .body = body },
                        NULL, err)
                  : -1;
}
