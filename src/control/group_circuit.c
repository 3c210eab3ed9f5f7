/* control/group_circuit.c - a breaker against members that fail as they start.
 *
 *   Closed --circuitThreshold failures in a row--> Open --circuitReset--> HalfOpen
 *     ^                                             ^                       |    |
 *     |                                             +------ it fails -------+    |
 *     +----------------------------- a member serves ---------------------------+
 *
 * While it is closed each failure doubles the wait before the next start. */
#include "control/group.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"

enum { BACKOFF_FACTOR_MAX = 100 };

static int64_t time_at(const struct group_scene *scene, const char *path)
{
    const char *text = json_text_at(scene->object, path, NULL);
    int64_t wall_ms = 0;
    struct err err;

    if (text)
        (void)time_parse(text, &wall_ms, &err); /* stored by us */
    return wall_ms;
}

static void set_time(struct group_scene *scene, const char *path, int64_t wall_ms)
{
    char text[TIME_TEXT_SIZE];

    time_format(wall_ms, text, sizeof text);
    json_set_at(scene->object, path, json_string(text));
}

static void set_state(struct group_scene *scene, const char *state)
{
    json_set_at(scene->object, "status.circuit.state", json_string(state));
}

static bool is_state(const struct group_scene *scene, const char *state)
{
    return str_equal(json_text_at(scene->object, "status.circuit.state", "Closed"), state);
}

static void open_circuit(struct group_scene *scene, int64_t failures)
{
    int64_t reset_ms = view_duration_ms(&kind_instance_group, scene->object, "spec.healing.circuitReset");
    char reset[DURATION_TEXT_SIZE];

    duration_format(reset_ms, reset, sizeof reset);
    if (!is_state(scene, "Open"))
        work_event(scene->work, "Warning", "CircuitOpen",
                   "%lld members in a row failed as they started: none is made for %s, then one as a trial",
                   (long long)failures, reset);
    set_state(scene, "Open");
    set_time(scene, "status.circuit.until", group_now_ms(scene) + reset_ms);
}

/* The member goes, and with it whatever else tells of it. */
static void keep_cause(struct group_scene *scene, size_t member)
{
    auto_free char *failure = member_failure(scene, member);
    auto_free char *text = str_printf("member %s: %s", scene->members[member].name, failure);

    json_set_at(scene->object, "status.circuit.message", json_string_plain(text));
}

static void count_failure(struct group_scene *scene, size_t member)
{
    int64_t failures = json_int_at(scene->object, "status.circuit.failures", 0) + 1;
    int64_t threshold = view_int(&kind_instance_group, scene->object, "spec.healing.circuitThreshold");

    json_set_at(scene->object, "status.circuit.failures", json_integer(failures));
    set_time(scene, "status.circuit.lastFailureAt", group_now_ms(scene));
    keep_cause(scene, member);
    if (failures >= threshold || is_state(scene, "HalfOpen"))
        open_circuit(scene, failures);
    else
        set_state(scene, "Closed");
}

static void close_circuit(struct group_scene *scene)
{
    if (!is_state(scene, "Closed"))
        work_event(scene->work, "Normal", "CircuitClosed", "a member serves: members are made again");
    json_remove_at(scene->object, "status.circuit");
}

static bool was_made_after_failure(const struct group_scene *scene, size_t member)
{
    return scene->members[member].created_ms > time_at(scene, "status.circuit.lastFailureAt");
}

void group_circuit_count(struct group_scene *scene)
{
    for (size_t i = 0; i < scene->count; i++) {
        struct member_book *book = scene->books[i];

        if (!scene->instances[i] || book->is_counted)
            continue;
        if (scene->members[i].state == MEMBER_FAILED && !member_has_started(scene->instances[i])) {
            book->is_counted = true;
            count_failure(scene, i);
        } else if (scene->members[i].state == MEMBER_READY && json_at(scene->object, "status.circuit") &&
                   was_made_after_failure(scene, i)) {
            close_circuit(scene);
        }
    }
}

int64_t group_backoff_ms(const struct group_scene *scene, int64_t failures)
{
    int64_t wait_ms = view_duration_ms(&kind_instance_group, scene->object, "spec.healing.backoff"), factor = 1;

    for (int64_t i = 1; i < failures && factor < BACKOFF_FACTOR_MAX; i++)
        factor *= 2;
    return wait_ms * (factor < BACKOFF_FACTOR_MAX ? factor : BACKOFF_FACTOR_MAX);
}

static int64_t backoff_left_ms(const struct group_scene *scene)
{
    int64_t failures = json_int_at(scene->object, "status.circuit.failures", 0);

    if (failures == 0)
        return 0;
    return time_at(scene, "status.circuit.lastFailureAt") + group_backoff_ms(scene, failures) - group_now_ms(scene);
}

bool group_circuit_is_open(const struct group_scene *scene) { return is_state(scene, "Open"); }

void group_circuit_forget(struct group_scene *scene) { json_remove_at(scene->object, "status.circuit"); }

void group_circuit_judge(struct group_scene *scene)
{
    int64_t left_ms = 0;

    scene->wish.may_create = true;
    if (is_state(scene, "Open")) {
        left_ms = time_at(scene, "status.circuit.until") - group_now_ms(scene);
        if (left_ms <= 0)
            set_state(scene, "HalfOpen");
    } else if (is_state(scene, "Closed")) {
        left_ms = backoff_left_ms(scene);
    }
    scene->wish.one_only = is_state(scene, "HalfOpen");
    if (left_ms > 0) {
        scene->wish.may_create = false;
        group_again(scene, left_ms);
    }
}
