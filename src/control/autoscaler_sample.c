/* control/autoscaler_sample.c - a group and what its members use, as found now. */
#include "control/autoscaler.h"
#include "control/balancers.h"
#include "control/group.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

struct sampling {
    struct scaler *scaler;
    struct sample *sample;
    struct autoscale_group *group;
};

static struct member_use *use_of(struct sampling *sampling, const char *uid)
{
    struct member_use *use = map_get(sampling->scaler->uses, uid);

    if (!use) {
        use = mem_new(struct member_use);
        use->net_rate = use->cpus_used = use->memory_used = -1;
        use->seen_ms = sampling->sample->wall_ms;
        map_set(sampling->scaler->uses, uid, use);
    }
    return use;
}

static void add_to(struct sample *sample, enum metric_type type, double value)
{
    struct metric_value *to = &sample->values[type];

    to->is_known = true;
    to->sum += value;
    to->reporting++;
}

static void smooth(struct member_use *use, double cpus, int64_t elapsed_ms, int64_t window_ms)
{
    double part = elapsed_ms < window_ms ? (double)elapsed_ms / (double)window_ms : 1;

    use->cpus_used = use->cpus_used < 0 ? cpus : use->cpus_used + (cpus - use->cpus_used) * part;
}

static void add_cpu(struct sample *sample, int64_t window_ms, const json_t *instance, const struct machine_usage *usage,
                    struct member_use *use)
{
    int64_t cpus = view_int(&kind_instance, instance, "status.cpus"); /* a change may be under way */
    int64_t elapsed_ms = usage->wall_ms - use->wall_ms;

    if (use->wall_ms && elapsed_ms > 0 && usage->cpu_ns >= use->cpu_ns && cpus > 0) {
        double used = (double)(usage->cpu_ns - use->cpu_ns) / 1e6 / (double)elapsed_ms;

        add_to(sample, METRIC_CPU, used * 100 / (double)cpus);
        smooth(use, used, elapsed_ms, window_ms);
    }
    use->cpu_ns = usage->cpu_ns;
    use->wall_ms = usage->wall_ms;
}

static void add_memory(struct sample *sample, const json_t *instance, const struct machine_usage *usage,
                       struct member_use *use)
{
    int64_t used = usage->guest_memory_bytes ? usage->guest_memory_bytes : usage->memory_bytes;
    int64_t has = view_bytes(&kind_instance, instance, "status.memory");

    if (has > 0 && used > 0)
        add_to(sample, METRIC_MEMORY, (double)used * 100 / (double)has);
    use->memory_used = used > 0 ? (double)used : -1;
}

/* Counters of the cards are read with the instance's usage, every few seconds. */
static void add_network(struct sample *sample, const json_t *instance, struct member_use *use)
{
    int64_t bytes = json_int_at(instance, "status.usage.networkReceiveBytes", 0) +
                    json_int_at(instance, "status.usage.networkTransmitBytes", 0);
    int64_t wall_ms = view_time_ms(&kind_instance, instance, "status.usage.time");

    if (wall_ms > use->net_wall_ms) {
        if (use->net_wall_ms && bytes >= use->net_bytes)
            use->net_rate = (double)(bytes - use->net_bytes) * 1000 / (double)(wall_ms - use->net_wall_ms);
        use->net_bytes = bytes;
        use->net_wall_ms = wall_ms;
    }
    if (use->net_rate >= 0)
        add_to(sample, METRIC_NETWORK, use->net_rate);
}

static void add_member(struct sampling *sampling, const json_t *instance)
{
    const struct control_setup *setup = control_setup(sampling->scaler->control);
    struct member_use *use = use_of(sampling, object_uid(instance));
    struct machine_status machine;

    setup->compute->ops->observe(setup->compute, object_uid(instance), &machine);
    if (machine.state != MACHINE_RUNNING || !machine.usage.wall_ms)
        return;
    add_cpu(sampling->sample, sampling->scaler->policy->rules.window_ms, instance, &machine.usage, use);
    add_memory(sampling->sample, instance, &machine.usage, use);
    add_network(sampling->sample, instance, use);
}

static void look_at(struct sampling *sampling, const json_t *instance)
{
    struct sample *sample = sampling->sample;
    struct member_use *use = map_get(sampling->scaler->uses, object_uid(instance));
    const char *phase = view_text(&kind_instance, instance, "status.phase");

    if (use)
        use->seen_ms = sample->wall_ms;
    if (json_object_get(json_at(instance, "metadata.labels"), LABEL_WARM))
        return;
    sample->members++;
    if (member_is_leaving(instance)) {
        sample->leaving++;
    } else if (condition_is_true(instance, CONDITION_SERVING) && !member_is_drained(instance)) {
        sample->ready++;
        add_member(sampling, instance);
    } else if (str_equal(phase, "Failed") || member_has_served(instance)) {
        sample->failed++;
    } else {
        sample->starting++;
    }
}

static void look_at_members(struct sampling *sampling, const json_t *group)
{
    struct control *control = sampling->scaler->control;
    struct group_book *book = group_book_of(control, group);
    const char *name;
    void *member;

    for (size_t at = 0; map_next(book->members, &at, &name, &member);) {
        auto_json json_t *instance = control_find(control, &kind_instance, book->namespace_name, name);

        if (instance)
            look_at(sampling, instance);
        else if (!((const struct member_book *)member)->is_warm)
            sampling->sample->members++, sampling->sample->starting++; /* asked for */
    }
}

/* Members come and go for as long as the Autoscaler is there. */
static void forget_gone(struct scaler *scaler, int64_t wall_ms)
{
    const char *uid;
    void *found;

    for (size_t at = 0; map_next(scaler->uses, &at, &uid, &found);) {
        const struct member_use *use = found;

        if (use->seen_ms == wall_ms)
            continue;
        if (scaler->growing)
            (void)map_remove(scaler->growing, uid); /* it need not be there */
        (void)map_remove(scaler->uses, uid);
    }
}

static void set_shared(struct sample *sample, enum metric_type type, double sum)
{
    sample->values[type] = (struct metric_value){ true, sum, sample->ready };
}

/* Requests that begin or wait, and bytes that move, are traffic; a connection on which nothing
 * happens is none. While nobody serves yet the time does not run. */
static void note_traffic(struct sampling *sampling, const struct balancer_load *load)
{
    struct scaler *scaler = sampling->scaler;
    bool moves = load->requests != scaler->requests || load->bytes != scaler->bytes || load->queue;

    if (!scaler->traffic_ms || moves || sampling->sample->ready == 0)
        scaler->traffic_ms = sampling->sample->wall_ms;
    scaler->requests = load->requests;
    scaler->bytes = load->bytes;
}

static void add_balancer(struct sampling *sampling, const json_t *group)
{
    struct scaler *scaler = sampling->scaler;
    struct sample *sample = sampling->sample;
    struct balancer_load load = { 0 };

    balancer_load_of_group(scaler->control, object_namespace(group), object_name(group), &load);
    if (!load.is_known)
        return;
    set_shared(sample, METRIC_REQUESTS, load.request_rate);
    set_shared(sample, METRIC_QUEUE, load.queue);
    if (load.latency_p95_ms >= 0)
        set_shared(sample, METRIC_LATENCY, (double)load.latency_p95_ms);
    note_traffic(sampling, &load);
    sampling->group->idle_ms = sample->wall_ms - scaler->traffic_ms;
    sampling->group->wake = load.queue > 0;
}

void scaler_sample(struct scaler *scaler, const json_t *group, struct sample *ret_sample,
                   struct autoscale_group *ret_group)
{
    struct sampling sampling = { scaler, ret_sample, ret_group };

    *ret_sample = (struct sample){ .wall_ms = control_wall_ms(scaler->control) };
    *ret_group = (struct autoscale_group){ .idle_ms = -1 };
    look_at_members(&sampling, group);
    forget_gone(scaler, ret_sample->wall_ms);
    add_balancer(&sampling, group);
    scaler_custom_add(scaler, ret_sample->ready, ret_sample);
    ret_group->desired = (int)view_int(&kind_instance_group, group, "spec.replicas");
    ret_group->members = ret_sample->members;
    ret_group->ready = ret_sample->ready;
    ret_group->starting = ret_sample->starting;
    ret_group->failed = ret_sample->failed;
    ret_group->leaving = ret_sample->leaving;
    ret_group->circuit_open = str_equal(json_text_at(group, "status.circuit.state", ""), "Open");
}
