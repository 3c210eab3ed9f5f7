/* kinds/tables/instance_group.c - InstanceGroup: like Instances, as many as it takes. */
#include "kinds/tables/shapes.h"
#include "kinds/check_value.h"
#include "kinds/names.h"
#include "base/json.h"
#include "base/str.h"

static const struct field template_metadata_fields[] = {
    { .name = "labels",
      .type = FIELD_MAP,
      .item = TEXT_ITEM(63),
      .max = 64,
      .doc = "Labels of every member, beside virga.dev/group." },
    { .name = "annotations",
      .type = FIELD_MAP,
      .item = TEXT_ITEM(64 * 1024),
      .max = 64,
      .doc = "Annotations of every member." },
    { 0 },
};
static const struct field template_fields[] = {
    { .name = "metadata",
      OBJECT(template_metadata_fields),
      .doc = "Labels and annotations of the members." },
    { .name = "spec",
      OBJECT(instance_spec_fields),
      .flags = FIELD_REQUIRED,
      .doc = "What each member is; as spec of an Instance." },
    { 0 },
};

#define PROBE_FIELDS(failures_doc_)                                                                \
    { .name = "type",                                                                              \
      .type = FIELD_ENUM,                                                                          \
      .values = TEXTS("Running", "Agent", "TCP", "HTTP"),                                          \
      .fallback = "\"Running\"",                                                                   \
      .doc = "Running: the machine runs. Agent: its guest agent answers. TCP: the port takes "     \
             "connections. HTTP: GET answers 2xx or 3xx." },                                       \
    { .name = "port", .type = FIELD_PORT, .doc = "Port in the guest, of TCP and HTTP." },          \
    PROBE_PATH,                                                                                    \
    { .name = "period",                                                                            \
      .type = FIELD_DURATION,                                                                      \
      .min = 100,                                                                                  \
      .max = HOUR_MS,                                                                              \
      .fallback = "\"1s\"",                                                                        \
      .doc = "Time between two probes." },                                                         \
    PROBE_TIMEOUT("\"1s\""),                                                                       \
    { .name = "failureThreshold",                                                                  \
      .type = FIELD_INT,                                                                           \
      .min = 1,                                                                                    \
      .max = 1000,                                                                                 \
      .fallback = "3",                                                                             \
      .doc = failures_doc_ }

static const struct field readiness_fields[] = {
    PROBE_FIELDS("Failures in a row after which a ready member is taken for not ready."),
    { .name = "successThreshold",
      .type = FIELD_INT,
      .min = 1,
      .max = 1000,
      .fallback = "1",
      .doc = "Successes in a row that make a member ready." },
    { 0 },
};
static const struct field liveness_fields[] = {
    PROBE_FIELDS("Failures in a row after which a member is replaced."),
    { .name = "initialDelay",
      .type = FIELD_DURATION,
      .max = DAY_MS,
      .fallback = "\"0s\"",
      .doc = "Time after the first readiness before probing begins." },
    { 0 },
};

static const struct field healing_fields[] = {
    { .name = "enabled",
      .type = FIELD_BOOL,
      .fallback = "true",
      .doc = "Members that failed are replaced." },
    { .name = "startTimeout",
      .type = FIELD_DURATION,
      .min = SECOND_MS,
      .max = DAY_MS,
      .fallback = "\"10m\"",
      .doc = "A member that is not ready so long after its creation has failed." },
    { .name = "backoff",
      .type = FIELD_DURATION,
      .min = 100,
      .max = HOUR_MS,
      .fallback = "\"1s\"",
      .doc = "Wait before the first replacement; doubles with each failure in a row up to a "
             "hundred times." },
    { .name = "circuitThreshold",
      .type = FIELD_INT,
      .min = 1,
      .max = 1000,
      .fallback = "5",
      .doc = "Failed starts in a row that open the circuit: no member is made until it closes." },
    { .name = "circuitReset",
      .type = FIELD_DURATION,
      .min = SECOND_MS,
      .max = DAY_MS,
      .fallback = "\"2m\"",
      .doc = "How long an open circuit waits before one member is tried. A changed template "
             "closes it at once." },
    { 0 },
};

static const struct field update_fields[] = {
    { .name = "type",
      ENUM("RollingUpdate", "OnDelete"),
      .fallback = "\"RollingUpdate\"",
      .doc = "RollingUpdate replaces members of an older template; OnDelete leaves them until "
             "they go." },
    { .name = "maxSurge",
      .type = FIELD_SHARE,
      .max = 1000,
      .fallback = "1",
      .doc = "Members beyond replicas during an update; never beyond maxReplicas. A part of "
             "replicas as 25% is rounded up." },
    { .name = "maxUnavailable",
      .type = FIELD_SHARE,
      .max = 1000,
      .fallback = "0",
      .doc = "Members that may be missing during an update. A part of replicas as 25% is rounded "
             "down. With maxReplicas reached and no room "
             "for a surge, one at a time is replaced in place." },
    { .name = "minReady",
      .type = FIELD_DURATION,
      .max = HOUR_MS,
      .fallback = "\"0s\"",
      .doc = "How long a new member must have been ready before it counts." },
    { .name = "paused",
      .type = FIELD_BOOL,
      .fallback = "false",
      .doc = "Replaces no more members until false again; scaling goes on." },
    { 0 },
};

static const struct field hook_fields[] = {
    { .name = "command",
      .type = FIELD_LIST,
      .flags = FIELD_REQUIRED,
      .item = TEXT_ITEM(4096),
      .min = 1,
      .max = 64,
      .doc = "Program and arguments, run in the guest by its agent." },
    { .name = "timeout",
      .type = FIELD_DURATION,
      .min = 100,
      .max = HOUR_MS,
      .fallback = "\"30s\"",
      .doc = "How long it may take; then it has failed." },
    { 0 },
};
static const struct field hooks_fields[] = {
    { .name = "join",
      OBJECT(hook_fields),
      .doc = "Before a member takes traffic. A failure makes the member a failed one." },
    { .name = "leave",
      OBJECT(hook_fields),
      .doc = "When a member has been drained, before it is stopped. A failure is told and "
             "stops nothing." },
    { 0 },
};

static const struct field spec_fields[] = {
    { .name = "replicas",
      .type = FIELD_INT,
      .max = 1000,
      .fallback = "1",
      .doc = "Members that there should be, within minReplicas and maxReplicas. One that is not named follows "
             "them." },
    { .name = "minReplicas",
      .type = FIELD_INT,
      .max = 1000,
      .fallback = "0",
      .doc = "Least number of members; an Autoscaler and people stay above it." },
    { .name = "maxReplicas",
      .type = FIELD_INT,
      .min = 1,
      .max = 1000,
      .fallback = "100",
      .doc = "Largest number of members in any state, failed and leaving ones counted." },
    { .name = "template",
      OBJECT(template_fields),
      .flags = FIELD_REQUIRED | FIELD_TEMPLATE,
      .doc = "What members are made from. A change is rolled out as 'update' says." },
    { .name = "start",
      ENUM("Boot", "Fork"),
      .fallback = "\"Boot\"",
      .doc = "Boot: every member starts from its image. Fork: a seed is booted and frozen when it is "
             "ready, and members go on from its memory and disk, each with an identity of its own. "
             "They boot while that fails." },
    { .name = "settle",
      .type = FIELD_DURATION,
      .max = HOUR_MS,
      .fallback = "\"2s\"",
      .doc = "How long the seed must have been ready before it is frozen, and a warm member before it is "
             "paused, with start Fork." },
    { .name = "seedAt",
      .type = FIELD_TIME,
      .doc = "A new time makes a new seed, with start Fork: members made from then on fork from it." },
    { .name = "warm",
      .type = FIELD_INT,
      .max = 100,
      .fallback = "0",
      .doc = "Forks that are made ready and paused in advance, so that scaling out only resumes them; "
             "with start Fork. They are not in replicas, and count towards maxReplicas." },
    { .name = "stableNames",
      .type = FIELD_BOOL,
      .flags = FIELD_IMMUTABLE,
      .fallback = "false",
      .doc = "Members are called GROUP-0, GROUP-1 and so on, and one that is replaced hands its "
             "name and addresses to the next." },
    { .name = "victim",
      ENUM("Newest", "Oldest", "LeastBusy"),
      .fallback = "\"Newest\"",
      .doc = "Which ready member goes first when there are too many. Members that carry the "
             "annotation virga.dev/protected: \"true\" never go." },
    { .name = "readiness",
      OBJECT(readiness_fields),
      .fallback = "{}",
      .doc = "When a member may take traffic." },
    { .name = "liveness",
      OBJECT(liveness_fields),
      .doc = "When a member must be replaced; absent: when its machine failed." },
    { .name = "healing",
      OBJECT(healing_fields),
      .fallback = "{}",
      .doc = "How members that failed are replaced." },
    { .name = "update",
      OBJECT(update_fields),
      .fallback = "{}",
      .doc = "How a changed template reaches the members." },
    { .name = "revisionHistoryLimit",
      .type = FIELD_INT,
      .min = 1,
      .max = 20,
      .fallback = "5",
      .doc = "Templates kept in status.revisions, to roll back to." },
    { .name = "hooks",
      OBJECT(hooks_fields),
      .doc = "Commands in the guest before it takes traffic and before it goes." },
    { 0 },
};

static const struct field revision_fields[] = {
    { .name = "revision", .type = FIELD_INT, .flags = FIELD_REQUIRED, .doc = "Number; 1 is the first." },
    { .name = "time", .type = FIELD_TIME, .doc = "When it was first seen." },
    { .name = "template", .type = FIELD_ANY, .flags = FIELD_SECRET, .doc = "The template." },
    { 0 },
};

static const struct field circuit_fields[] = {
    { .name = "state",
      ENUM("Closed", "Open", "HalfOpen"),
      .doc = "Closed: members are made as needed. Open: none. HalfOpen: one is tried." },
    { .name = "failures", .type = FIELD_INT, .doc = "Failed starts in a row." },
    { .name = "until", .type = FIELD_TIME, .doc = "When an open one tries again." },
    { .name = "lastFailureAt", .type = FIELD_TIME, .doc = "When the last start failed." },
    { .name = "message", .type = FIELD_TEXT, .doc = "Which member that was, and why." },
    { 0 },
};

static const struct field seed_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "Name of its Instance and of the Snapshot of it." },
    { .name = "revision", .type = FIELD_INT, .doc = "Template it is made from." },
    PHASE("Where it is. Ready: it is frozen, and its Instance is gone.",
          "Booting", "Settling", "Freezing", "Ready", "Failed"),
    { .name = "since", .type = FIELD_TIME, .doc = "When the phase began." },
    { .name = "seedAt", .type = FIELD_TIME, .doc = "The spec.seedAt that it carries out." },
    { .name = "failures", .type = FIELD_INT, .doc = "Seeds in a row that failed." },
    { .name = "retryAt", .type = FIELD_TIME, .doc = "When the next one is made after a failed one." },
    { .name = "message", .type = FIELD_TEXT, .doc = "What went wrong." },
    { 0 },
};
static const struct field fork_from_fields[] = {
    { .name = "snapshot", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "Snapshot of a seed." },
    { .name = "revision", .type = FIELD_INT, .doc = "Template the seed was made from." },
    { .name = "time", .type = FIELD_TIME, .doc = "When the seed was frozen." },
    { 0 },
};

static const struct field identity_network_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "Network card." },
    { .name = "network", .type = FIELD_TEXT, .doc = "Network." },
    ADDRESS_FIELDS,
    { 0 },
};
static const struct field identity_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "Name of the member." },
    { .name = "networks", NAMED_LIST(identity_network_fields), .doc = "Its addresses." },
    { 0 },
};

static const struct field status_fields[] = {
    STATUS_COMMON,
    PHASE("Ready: as it should be. Progressing: on its way there. Idle: none is wanted. Degraded: "
          "members fail.",
          "Pending", "Progressing", "Ready", "Idle", "Degraded", "Terminating"),
    { .name = "replicas", .type = FIELD_INT, .doc = "Members in any state, but for warm ones." },
    { .name = "readyReplicas", .type = FIELD_INT, .doc = "Members that take traffic." },
    { .name = "updatedReplicas", .type = FIELD_INT, .doc = "Members of the newest template." },
    { .name = "availableReplicas", .type = FIELD_INT, .doc = "Ready for minReady." },
    { .name = "startingReplicas", .type = FIELD_INT, .doc = "On their way to ready." },
    { .name = "failedReplicas", .type = FIELD_INT, .doc = "Failed and not gone yet." },
    { .name = "leavingReplicas", .type = FIELD_INT, .doc = "Being drained or stopped." },
    { .name = "warmReplicas", .type = FIELD_INT, .doc = "Loaded and paused, to be resumed." },
    { .name = "selector", .type = FIELD_TEXT, .doc = "Label selector of the members." },
    { .name = "currentRevision", .type = FIELD_INT, .doc = "Revision of spec.template." },
    { .name = "revisions",
      .type = FIELD_LIST,
      .key = "revision",
      .item = OBJECT_ITEM(revision_fields),
      .doc = "Templates, newest last." },
    { .name = "identities",
      NAMED_LIST(identity_fields),
      .doc = "Addresses of members with stable names, for those that replace them." },
    { .name = "seed", OBJECT(seed_fields), .doc = "The newest seed, with start Fork." },
    { .name = "forkFrom",
      OBJECT(fork_from_fields),
      .doc = "What new members go on from; absent: they boot, or wait for their first seed." },
    { .name = "circuit",
      OBJECT(circuit_fields),
      .doc = "Breaker against members that fail as they start." },
    MESSAGE,
    { 0 },
};

static const struct field fields[] = {
    SPEC(spec_fields, "What the group should be."),
    STATUS(status_fields, "What it is."),
    { 0 },
};

static const struct column columns[] = {
    COLUMN_NAME,
    { "Desired", "integer", "spec.replicas", 0, "Members that there should be" },
    { "Ready", "integer", "status.readyReplicas", 0, "Members that take traffic" },
    { "Total", "integer", "status.replicas", 0, "Members in any state" },
    { "Updated", "integer", "status.updatedReplicas", 0, "Members of the newest template" },
    { "Phase", "string", "status.phase", 0, "Where the group is" },
    COLUMN_AGE,
    { "Min", "integer", "spec.minReplicas", 1, "Least members" },
    { "Max", "integer", "spec.maxReplicas", 1, "Most members" },
    { "Start", "string", "spec.start", 1, "How members start" },
    { "Warm", "integer", "status.warmReplicas", 1, "Loaded and paused" },
    { "Message", "string", "status.message", 1, "What it waits for" },
    { 0 },
};

static void check_bounds(const json_t *spec, struct causes *causes)
{
    int64_t replicas = json_int_at(spec, "replicas", 1);
    int64_t min = json_int_at(spec, "minReplicas", 0), max = json_int_at(spec, "maxReplicas", 100);

    if (min > max)
        causes_invalid(causes, "spec.minReplicas", json_object_get(spec, "minReplicas"),
                       "must not be above spec.maxReplicas (%lld)", (long long)max);
    else if (replicas < min || replicas > max)
        causes_invalid(causes, "spec.replicas", json_object_get(spec, "replicas"),
                       "must be from spec.minReplicas (%lld) to spec.maxReplicas (%lld)", (long long)min,
                       (long long)max);
}

static void check_probe(const json_t *spec, const char *name, struct causes *causes)
{
    const json_t *probe = json_object_get(spec, name), *path = json_object_get(probe, "path");
    const json_t *networks = json_at(spec, "template.spec.networks");
    const char *type = json_text_at(probe, "type", "");
    bool asks = str_equal(type, "TCP") || str_equal(type, "HTTP");
    auto_free char *port_field = str_printf("spec.%s.port", name), *type_field = str_printf("spec.%s.type", name);
    auto_free char *path_field = str_printf("spec.%s.path", name);

    if (asks && !json_object_get(probe, "port"))
        causes_add(causes, "FieldValueRequired", port_field, "Required value: %s needs the port to ask", type);
    if (asks && json_is_array(networks) && json_array_size(networks) == 0)
        causes_invalid(causes, type_field, json_object_get(probe, "type"),
                       "members without a network card (spec.template.spec.networks) cannot be asked");
    if (json_is_string(path) && !text_is_path_and_query(json_string_value(path)))
        causes_invalid(causes, path_field, path, "must be a path and query that begins with /");
}

/* What only one machine can have makes no template. */
static void check_template(const json_t *spec, struct causes *causes)
{
    const json_t *networks = json_at(spec, "template.spec.networks"), *power = json_at(spec, "template.spec.powerState");
    static const char *const single[] = { "macAddress", "ipv4Address", "ipv6Address" };

    for (size_t i = 0; i < json_array_size(networks); i++)
        for (size_t k = 0; k < sizeof single / sizeof single[0]; k++) {
            if (!json_object_get(json_array_get(networks, i), single[k]))
                continue;
            auto_free char *field = str_printf("spec.template.spec.networks[%zu].%s", i, single[k]);
            causes_add(causes, "FieldValueForbidden", field,
                       "Forbidden: every member needs its own; leave it out, or use stableNames");
        }
    if (json_array_size(json_at(spec, "template.spec.disks")) > 0)
        causes_add(causes, "FieldValueForbidden", "spec.template.spec.disks",
                   "Forbidden: a Volume belongs to one instance, and members are many");
    if (json_is_string(power) && !str_equal(json_string_value(power), "Running"))
        causes_invalid(causes, "spec.template.spec.powerState", power,
                       "must be Running: how many members there are is up to spec.replicas");
    check_labels(json_at(spec, "template.metadata.labels"), "spec.template.metadata.labels", causes);
    if (json_at(spec, "template.spec.hostname"))
        causes_add(causes, "FieldValueForbidden", "spec.template.spec.hostname",
                   "Forbidden: every member is called by its own name");
}

static void check_fork(const json_t *spec, struct causes *causes)
{
    bool forks = str_equal(json_text_at(spec, "start", ""), "Fork");
    json_int_t warm = json_int_at(spec, "warm", 0);

    if (warm > 0 && !forks)
        causes_add(causes, "FieldValueForbidden", "spec.warm",
                   "Forbidden: only members that are forked can be warm: set spec.start to Fork");
    if (warm > 0 && json_is_true(json_object_get(spec, "stableNames")))
        causes_add(causes, "FieldValueForbidden", "spec.warm",
                   "Forbidden: a warm member has its name before it is known which of the stable names is wanted");
    if (!forks)
        return;
    if (json_is_false(json_at(spec, "template.spec.guestAgent")))
        causes_invalid(causes, "spec.template.spec.guestAgent", json_at(spec, "template.spec.guestAgent"),
                       "must be true with spec.start Fork: the guest agent gives each fork an identity of its own");
    if (json_at(spec, "template.spec.snapshot"))
        causes_add(causes, "FieldValueForbidden", "spec.template.spec.snapshot",
                   "Forbidden: with spec.start Fork members begin as the snapshot of their seed; "
                   "leave spec.start out to have them begin as this one");
}

/* Of a count or share: 0 or "0%". */
static bool is_none(const json_t *value, int fallback)
{
    int percent = 1;

    if (json_is_string(value))
        return text_is_percent(json_string_value(value), &percent) && percent == 0;
    return (value ? json_integer_value(value) : fallback) == 0;
}

static void check(const json_t *object, const json_t *old, struct causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");
    const json_t *update = json_object_get(spec, "update");

    check_bounds(spec, causes);
    check_probe(spec, "readiness", causes);
    check_probe(spec, "liveness", causes);
    check_template(spec, causes);
    check_instance_size(json_at(spec, "template.spec"), "spec.template.spec", causes);
    check_ssh_keys(json_at(spec, "template.spec"), json_at(old, "spec.template.spec"), "spec.template.spec", causes);
    check_fork(spec, causes);
    if (is_none(json_at(update, "maxSurge"), 1) && is_none(json_at(update, "maxUnavailable"), 0))
        causes_add(causes, "FieldValueInvalid", "spec.update.maxSurge",
                   "Invalid value: 0: must not be 0 together with spec.update.maxUnavailable");
}

static const struct connect connects[] = {
    { "metrics", "POST", false,
      "Takes values of custom metrics: {\"metrics\": [{\"name\", \"value\", \"member\"}]}; without a member it is "
      "the whole group's. A value counts for 30 s.",
      NULL },
    { 0 },
};

const struct kind kind_instance_group = {
    VIRGA_KIND("InstanceGroup", "instancegroups", "instancegroup"),
    .short_names = TEXTS("ig", "group"),
    .categories = TEXTS("all", "virga"),
    .flags = KIND_NAMESPACED | KIND_HAS_STATUS | KIND_LABEL_NAME,
    .doc = "Instances made from one template, as many as it takes: kept alive, updated, and scaled by "
           "hand or by an Autoscaler.",
    .fields = fields,
    .columns = columns,
    .connects = connects,
    .scale = { "spec.replicas", "status.replicas", "status.selector" },
    .check = check,
};
