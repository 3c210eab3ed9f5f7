/* control/balancer_load.c - figures for whoever decides about sizes. */
#include "control/balancers.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

struct question {
    struct control *control;
    const char *group; /* or */
    char member[BALANCER_NAME_SIZE];
    struct balancer_load *load;
};

static void begin(struct balancer_load *ret_load)
{
    *ret_load = (struct balancer_load){ .latency_p95_ms = -1 };
}

static void note_reading(struct balancer_load *load, const struct balancer_status *status)
{
    if (!status->read_wall_ms)
        return;
    if (!load->is_known || status->read_wall_ms < load->read_wall_ms)
        load->read_wall_ms = status->read_wall_ms;
    load->is_known = true;
}

static void add_member(struct balancer_load *load, const struct balancer_member_status *member)
{
    load->members++;
    load->healthy += member->state == BALANCER_MEMBER_UP;
    load->connections += member->connections;
    load->queue += member->queue;
}

static void add_backend(struct balancer_load *load, const struct balancer_backend_status *backend)
{
    load->request_rate += backend->request_rate;
    load->error_rate += backend->error_rate;
    load->requests += backend->requests;
    load->bytes += backend->bytes;
    load->queue += backend->queue;
    if (backend->p95_ms > load->latency_p95_ms)
        load->latency_p95_ms = backend->p95_ms;
    for (size_t i = 0; i < backend->member_count; i++)
        add_member(load, &backend->members[i]);
}

static void add_of_group(void *arg, const json_t *balancer)
{
    struct question *question = arg;
    struct balancer_driver *driver = control_setup(question->control)->balancer;
    const struct balancer_status *status = driver->ops->observe(driver, object_uid(balancer));
    const json_t *specs = json_at(balancer, "spec.backends");

    for (size_t i = 0; i < json_array_size(specs); i++) {
        const json_t *spec = json_array_get(specs, i);
        const struct balancer_backend_status *backend =
            balancer_status_backend(status, json_text_at(spec, "name", ""));
        if (!backend ||
            !str_equal(json_text_at(spec, "members.instanceGroup", NULL), question->group))
            continue;
        note_reading(question->load, status);
        add_backend(question->load, backend);
    }
}

void balancer_load_of_group(struct control *control, const char *namespace_name, const char *group,
                            struct balancer_load *ret_load)
{
    struct question question = { .control = control, .group = group, .load = ret_load };

    begin(ret_load);
    if (control_setup(control)->balancer)
        control_each(control, &kind_load_balancer, namespace_name, add_of_group, &question);
}

struct search {
    const char *group;
    bool is_found;
};

static void look_for_group(void *arg, const json_t *balancer)
{
    struct search *search = arg;
    const json_t *specs = json_at(balancer, "spec.backends");

    for (size_t i = 0; i < json_array_size(specs) && !object_is_deleting(balancer); i++)
        search->is_found |= str_equal(
            json_text_at(json_array_get(specs, i), "members.instanceGroup", NULL), search->group);
}

bool balancer_is_before_group(struct control *control, const char *namespace_name, const char *group)
{
    struct search search = { .group = group };

    if (control_setup(control)->balancer)
        control_each_mentioning(control, &kind_load_balancer, namespace_name, group, look_for_group,
                                &search);
    return search.is_found;
}

static void add_of_member(void *arg, const json_t *balancer)
{
    struct question *question = arg;
    struct balancer_driver *driver = control_setup(question->control)->balancer;
    const struct balancer_status *status = driver->ops->observe(driver, object_uid(balancer));
    struct balancer_load *load = question->load;

    for (size_t i = 0; i < status->backend_count; i++) {
        const struct balancer_member_status *member =
            balancer_status_member(&status->backends[i], question->member);
        if (!member)
            continue;
        note_reading(load, status);
        add_member(load, member);
        load->request_rate += member->request_rate;
        load->error_rate += member->error_rate;
        load->requests += member->requests;
        if (member->response_ms > load->latency_p95_ms)
            load->latency_p95_ms = member->response_ms;
    }
}

void balancer_load_of_instance(struct control *control, const json_t *instance,
                               struct balancer_load *ret_load)
{
    struct question question = { .control = control, .load = ret_load };

    begin(ret_load);
    balancer_member_id(instance, question.member);
    if (control_setup(control)->balancer)
        control_each(control, &kind_load_balancer, object_namespace(instance), add_of_member,
                     &question);
}
