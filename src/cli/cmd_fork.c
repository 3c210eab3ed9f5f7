/* cli/cmd_fork.c - fork: a snapshot of a running instance, and instances that go on from it;
 * snapshot create. */
#include "cli/common.h"
#include "cli/standing.h"
#include "base/random.h"
#include <stdio.h>
#include <stdlib.h>

enum { FORKS_MAX = 100, TAKE_MS = 3 * 60 * 1000 };

/* --- the forks' spec --- */

static void remove_each(json_t *list, const char *const *fields)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        for (const char *const *field = fields; *field; field++)
            json_object_del(json_array_get(list, i), *field);
}

/* What belongs to the parent alone: its name, its addresses, its disk, what was done to it. */
static json_t *spec_of(const json_t *parent, const char *snapshot)
{
    static const char *const own[] = { "image", "rootDisk", "hostname", "powerState", "restartAt", "resetAt", NULL };
    static const char *const addresses[] = { "macAddress", "ipv4Address", "ipv6Address", NULL };
    json_t *spec = json_deep_copy(json_object_get(parent, "spec"));

    for (const char *const *field = own; *field; field++)
        json_object_del(spec, *field);
    remove_each(json_object_get(spec, "networks"), addresses);
    json_object_set_new(spec, "snapshot", json_string(snapshot));
    if (json_at(parent, "spec.rootDisk.pool"))
        json_set_at(spec, "rootDisk.pool", json_deep_copy(json_at(parent, "spec.rootDisk.pool")));
    return spec;
}

/* The user's labels: what selects the parent selects its forks. */
static json_t *labels_of(const json_t *parent)
{
    json_t *labels = json_object(), *value;
    const char *key;

    json_object_foreach(json_at(parent, "metadata.labels"), key, value)
        if (!str_starts(key, "virga.dev/"))
            json_object_set(labels, key, value);
    return labels;
}

static char *make_name(const char *base)
{
    char tail[5];

    random_suffix(tail, 4);
    return str_printf("%.50s-%s", base, tail);
}

/* --- the steps --- */

struct forking {
    struct session *session;
    const struct kind *instances, *snapshots;
    const char *parent_name;
    char *snapshot;
    json_t *parent;
    json_t *owners; /* references to the forks made */
    char *names[FORKS_MAX];
    unsigned made, count;
};

static void forking_done(struct forking *forking)
{
    for (unsigned i = 0; i < forking->made; i++)
        free(forking->names[i]);
    free(forking->snapshot);
    json_decref(forking->parent);
    json_decref(forking->owners);
}

static int find_parent(struct forking *forking, struct err *err)
{
    auto_free char *path = object_path(forking->session, forking->instances, forking->parent_name, NULL);
    struct client *client = session_client(forking->session, err);

    if (!client || client_get(client, path, &forking->parent, err) < 0)
        return -1;
    if (str_equal(json_text_at(forking->parent, "status.phase", ""), "Running"))
        return 0;
    (void)refuse_standing(forking->session, forking->parent, err);
    if (standing_is_down(forking->parent))
        session_hint(forking->session, "\"virga start %s\" starts it; \"virga snapshot create NAME %s --disk-only\" "
                     "takes its disk", forking->parent_name, forking->parent_name);
    return err_wrap(err, "only a running instance can be forked");
}

static char *name_of(const struct forking *forking, const char *prefix, unsigned number)
{
    return !prefix              ? make_name(forking->parent_name)
           : forking->count == 1 ? str_dup(prefix)
                                 : str_printf("%s-%u", prefix, number);
}

/* Before the parent stands still for nothing. */
static int try_names(struct forking *forking, const char *prefix, struct err *err)
{
    for (unsigned i = 1; prefix && i <= forking->count; i++) {
        auto_free char *name = name_of(forking, prefix, i);
        auto_json json_t *object = new_object(forking->session, forking->instances, name, err);

        if (!object)
            return -1;
        json_set_at(object, "spec.rootDisk.size", json_string("1Mi"));
        if (try_object(forking->session, forking->instances, object, err) < 0)
            return -1;
    }
    return 0;
}

static void drop_snapshot(struct forking *forking)
{
    auto_free char *uid = NULL;
    struct err unseen;

    (void)delete_object(forking->session, forking->snapshots, forking->snapshot, &uid, &unseen);
}

static int take(struct forking *forking, struct err *err)
{
    auto_json json_t *object = new_object(forking->session, forking->snapshots, forking->snapshot, err);
    auto_free char *path = object_path(forking->session, forking->snapshots, forking->snapshot, NULL);
    auto_json json_t *taken = NULL;

    if (!object)
        return -1;
    json_set_at(object, "spec.instanceName", json_string(forking->parent_name));
    if (create_object(forking->session, forking->snapshots, object, NULL, err) < 0)
        return -1;
    if (wait_for_phase(forking->session, forking->snapshots, forking->snapshot, "Ready", TAKE_MS, err) < 0 ||
        client_get(forking->session->client, path, &taken, err) < 0) {
        drop_snapshot(forking);
        return -1;
    }
    printf("%s stood still for %lld ms\n", forking->parent_name,
           (long long)json_int_at(taken, "status.pauseMilliseconds", 0));
    return 0;
}

static int make_one(struct forking *forking, const char *name, struct err *err)
{
    auto_json json_t *object = new_object(forking->session, forking->instances, name, err);
    auto_json json_t *made = NULL;

    if (!object)
        return -1;
    json_object_set_new(object, "spec", spec_of(forking->parent, forking->snapshot));
    json_set_at(object, "metadata.labels", labels_of(forking->parent));
    if (create_object(forking->session, forking->instances, object, &made, err) < 0)
        return -1;
    forking->names[forking->made++] = str_dup(name);
    json_array_append_new(forking->owners,
                          json_pack("{s:s,s:s,s:s,s:s}", "apiVersion", kind_api_version(forking->instances), "kind",
                                    forking->instances->name, "name", name, "uid",
                                    json_text_at(made, "metadata.uid", "")));
    return 0;
}

static int make_all(struct forking *forking, const char *prefix, struct err *err)
{
    for (unsigned i = 1; i <= forking->count; i++) {
        auto_free char *name = name_of(forking, prefix, i);

        if (make_one(forking, name, err) < 0)
            return -1;
    }
    return 0;
}

/* The snapshot goes with the last fork. */
static int tie_snapshot(struct forking *forking, struct err *err)
{
    auto_json json_t *patch = json_pack("{s:{s:O}}", "metadata", "ownerReferences", forking->owners);

    return merge_patch(forking->session, forking->snapshots, forking->snapshot, patch, err);
}

static int tell_one(struct session *session, const char *name, void *arg, struct err *err)
{
    const struct kind *kind = arg;
    auto_free char *path = object_path(session, kind, name, NULL);
    auto_json json_t *object = NULL;
    const json_t *forked;

    if (wait_for_condition(session, kind, name, "Ready", WAIT_MS_DEFAULT, err) < 0 ||
        client_get(session->client, path, &object, err) < 0)
        return -1;
    forked = condition_get(object, "Forked");
    printf("%s is running%s%s\n", name, json_text_at(object, "status.networks[0].ipv4Address", NULL) ? " at " : "",
           json_text_at(object, "status.networks[0].ipv4Address", ""));
    if (!condition_is_true(object, "Forked"))
        fprintf(stderr, "%s booted instead: %s\n", name, json_text_at(forked, "message", ""));
    return 0;
}

static int run(struct forking *forking, const struct arguments *arguments, struct err *err)
{
    const char *prefix = argument(arguments, "name");
    int result;

    if (find_parent(forking, err) < 0 || try_names(forking, prefix, err) < 0 || take(forking, err) < 0)
        return -1;
    result = make_all(forking, prefix, err);
    if (forking->made == 0) {
        drop_snapshot(forking);
        return result;
    }
    struct err tie_err;
    if (tie_snapshot(forking, &tie_err) < 0 && result == 0) {
        *err = tie_err;
        result = -1;
    }
    if (result < 0)
        return -1;
    if (argument_given(arguments, "no-wait")) {
        for (unsigned i = 0; i < forking->made; i++)
            print_done(forking->instances, forking->names[i], "created");
        return 0;
    }
    return each_name(forking->session, forking->names, (int)forking->made, tell_one, (void *)forking->instances, err);
}

static int parse_count(struct session *session, const char *text, unsigned *ret_count, struct err *err)
{
    char *end = NULL;
    long count = text ? strtol(text, &end, 10) : 1;

    if (text && (*end || end == text || count < 1 || count > FORKS_MAX))
        return usage_error(session, err, "--count %s: must be a number from 1 to %d", text, FORKS_MAX);
    *ret_count = (unsigned)count;
    return 0;
}

COMMAND(cmd_fork)
{
    struct forking forking = { .session = session,
                               .instances = kind_find_name("instances"),
                               .snapshots = kind_find_name("snapshots"),
                               .parent_name = arguments->operands[0] };
    int result;

    if (parse_count(session, argument(arguments, "count"), &forking.count, err) < 0)
        return -1;
    forking.snapshot = make_name(forking.parent_name);
    forking.owners = json_array();
    result = run(&forking, arguments, err);
    forking_done(&forking);
    return result;
}

COMMAND(cmd_snapshot_create)
{
    const struct kind *kind = kind_find_name("snapshots");
    const char *name = arguments->operands[0];
    auto_json json_t *object = new_object(session, kind, name, err);

    if (!object)
        return -1;
    json_set_at(object, "spec.instanceName", json_string(arguments->operands[1]));
    if (argument_given(arguments, "disk-only"))
        json_set_at(object, "spec.memory", json_false());
    return create_and_wait(session, kind, object, arguments, err);
}
