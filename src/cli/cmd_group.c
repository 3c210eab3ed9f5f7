/* cli/cmd_group.c - scale: how many members a group has; rollout: how its members are brought to its template. */
#include "cli/common.h"
#include "cli/revisions.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>

static const struct kind *groups(void) { return kind_find_name("instancegroups"); }

/* The group that is named; NULL on error. */
static const char *find_group(struct session *session, const struct arguments *arguments, struct err *err)
{
    const char *name;
    const struct kind *kind = find_named(session, arguments, "instancegroup", &name, err);

    if (!kind)
        return NULL;
    if (kind == groups())
        return name;
    (void)usage_error(session, err, "%s/%s is no instancegroup: only those have a number of members", kind->singular,
                      name);
    return NULL;
}

static void tell_what_there_is(struct session *session, const struct err *err)
{
    if (err->code == ERR_NOT_FOUND)
        session_hint(session, "\"virga get instancegroups\" lists what there is");
}

static int change(struct session *session, const char *name, const json_t *patch, struct err *err)
{
    int result = merge_patch(session, groups(), name, patch, err);

    if (result < 0)
        tell_what_there_is(session, err);
    return result;
}

/* Owned; NULL on error. */
static json_t *fetch(struct session *session, const char *name, struct err *err)
{
    auto_free char *path = object_path(session, groups(), name, NULL);
    struct client *client = session_client(session, err);
    json_t *group = NULL;

    if (client && client_get(client, path, &group, err) == 0)
        return group;
    tell_what_there_is(session, err);
    return NULL;
}

/* Until the members are as wanted. What keeps some from it that will not change by itself, such as an update
 * that is paused, is told. */
static int await(struct session *session, const char *name, struct err *err)
{
    auto_json json_t *group = fetch(session, name, err), *arrived = NULL;
    bool is_empty = group && json_int_at(group, "spec.replicas", 1) == 0;
    const char *message;

    if (!group || wait_for_phase(session, groups(), name, is_empty ? "Idle" : "Ready", WAIT_MS_DEFAULT, err) < 0)
        return -1;
    arrived = fetch(session, name, err);
    message = json_text_at(arrived, "status.message", NULL);
    if (message)
        fprintf(stderr, "%s: %s\n", name, message);
    return arrived ? 0 : -1;
}

/* --- scale --- */

/* What is set by hand lasts until its next decision. */
static int tell_of_scaler(struct session *session, const struct kind *kind, const json_t *scaler, void *arg,
                          struct err *err)
{
    fprintf(stderr, "%s/%s decides the size of this group, and may set it anew\n", kind->singular,
            json_text_at(scaler, "metadata.name", ""));
    return 0;
}

static int replicas_of(struct session *session, const struct arguments *arguments, long *ret_count, struct err *err)
{
    const char *text = argument(arguments, "replicas");
    char *end;

    if (!text)
        return usage_error(session, err, "give --replicas: how many members there should be");
    *ret_count = strtol(text, &end, 10);
    if (end == text || *end || *ret_count < 0 || *ret_count > INT32_MAX)
        return usage_error(session, err, "--replicas %s: must be a number from 0", text);
    return 0;
}

COMMAND(cmd_scale)
{
    const char *name = find_group(session, arguments, err);
    auto_json json_t *patch = NULL;
    long count = 0;

    if (!name || replicas_of(session, arguments, &count, err) < 0 ||
        each_scaler(session, name, tell_of_scaler, NULL, err) < 0)
        return -1;
    patch = json_pack("{s:{s:I}}", "spec", "replicas", (json_int_t)count);
    if (change(session, name, patch, err) < 0)
        return -1;
    if (!argument_given(arguments, "no-wait") && await(session, name, err) < 0)
        return -1;
    print_done(groups(), name, "scaled");
    return 0;
}

/* --- rollout --- */

COMMAND(cmd_rollout_status)
{
    const char *name = find_group(session, arguments, err);

    if (!name || await(session, name, err) < 0)
        return -1;
    print_done(groups(), name, "rolled out");
    return 0;
}

static int set_paused(struct session *session, const struct arguments *arguments, bool is_paused, struct err *err)
{
    const char *name = find_group(session, arguments, err);
    auto_json json_t *patch = json_pack("{s:{s:{s:b}}}", "spec", "update", "paused", is_paused);

    if (!name || change(session, name, patch, err) < 0)
        return -1;
    print_done(groups(), name, is_paused ? "paused" : "resumed");
    return 0;
}

COMMAND(cmd_rollout_pause) { return set_paused(session, arguments, true, err); }
COMMAND(cmd_rollout_resume) { return set_paused(session, arguments, false, err); }

static int no_such_revision(struct session *session, const json_t *revisions, long wanted, struct err *err)
{
    auto_buf struct buf known = { 0 };

    for (size_t i = 0; i < json_array_size(revisions); i++)
        buf_printf(&known, "%s%lld", i ? ", " : "",
                   (long long)json_int_at(json_array_get(revisions, i), "revision", 0));
    if (wanted == 0)
        return err_set(err, ERR_CONFLICT, "there is no earlier template to go back to (spec.revisionHistoryLimit "
                                          "says how many are kept)");
    session_hint(session, "kept are %s; spec.revisionHistoryLimit says how many", known.size ? known.bytes : "none");
    return err_set(err, ERR_NOT_FOUND, "there is no revision %ld", wanted);
}

/* In place of the one that is there, also where fields are absent; the status may move meanwhile. */
static int put_back(struct session *session, const char *name, const json_t *template, struct err *err)
{
    auto_free char *path = object_path(session, groups(), name, NULL);
    auto_json json_t *patch =
        json_pack("[{s:s,s:s,s:O}]", "op", "replace", "path", "/spec/template", "value", template);

    client_path_option(&path, "fieldManager", "virga-rollout");
    return client_send(session->client,
                       &(struct client_request){ .method = "PATCH", .path = path,
                                                 .content_type = "application/json-patch+json", .body = patch },
                       NULL, err);
}

static int revision_of(struct session *session, const struct arguments *arguments, long *ret_revision, struct err *err)
{
    const char *text = argument(arguments, "to-revision");
    char *end;

    *ret_revision = text ? strtol(text, &end, 10) : 0;
    if (text && (end == text || *end || *ret_revision < 1))
        return usage_error(session, err, "--to-revision %s: must be a number from 1", text);
    return 0;
}

COMMAND(cmd_rollout_undo)
{
    const char *name = find_group(session, arguments, err);
    auto_json json_t *group = NULL;
    const json_t *template;
    long wanted = 0;

    if (!name || revision_of(session, arguments, &wanted, err) < 0 || !(group = fetch(session, name, err)))
        return -1;
    template = revisions_template(group, wanted);
    if (!template)
        return no_such_revision(session, json_at(group, "status.revisions"), wanted, err);
    if (json_equal(template, json_at(group, "spec.template"))) {
        print_done(groups(), name, "unchanged: it has that template");
        return 0;
    }
    if (put_back(session, name, template, err) < 0 ||
        (!argument_given(arguments, "no-wait") && await(session, name, err) < 0))
        return -1;
    print_done(groups(), name, "rolled back");
    return 0;
}
