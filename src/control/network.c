/* control/network.c - Network: from spec to what the driver keeps up. */
#include "control/control.h"
#include "control/network_refs.h"
#include "control/strangers.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

enum { REFRESH_MS = 30 * 1000, RETRY_LOOK_MS = 2000 };

struct count {
    const char *network;
    int64_t ports;
};

static void count_ports(void *arg, const json_t *instance)
{
    struct count *count = arg;
    const json_t *cards = view_list(&kind_instance, instance, "status.networks");

    for (size_t i = 0; i < json_array_size(cards); i++)
        count->ports +=
            str_equal(json_text_at(json_array_get(cards, i), "network", NULL), count->network);
}

static int64_t ports_of(struct work *work)
{
    struct count count = { object_name(work->object), 0 };

    control_each(work->control, &kind_instance, object_namespace(work->object), count_ports, &count);
    return count.ports;
}

static void show_address(json_t *object, const char *path, const struct ip_addr *addr)
{
    char text[IP_TEXT_SIZE];

    if (!addr->family)
        return;
    ip_format(addr, text);
    json_set_at(object, path, json_string(text));
}

static void show(struct work *work, const struct network_config *config)
{
    show_address(work->object, "status.gateway", &config->ipv4_gateway);
    show_address(work->object, "status.gateway6", &config->ipv6_gateway);
    json_set_at(work->object, "status.domain", json_string(config->domain));
    json_set_at(work->object, "status.ports", json_integer(ports_of(work)));
}

static struct verdict not_ready(struct work *work, const char *op)
{
    struct err err = { 0 };
    bool failed = work_op(work, op, &err) == OP_FAILED;

    work_phase(work, failed ? "Failed" : "Pending", failed ? err.text : NULL);
    work_condition(work, "Ready", false, failed ? "Failed" : "Preparing", "%s",
                   failed ? err.text : "being made");
    return VERDICT_SETTLED;
}

static void show_up(struct work *work, const struct network_status *status)
{
    work_phase(work, "Ready", status->dhcp_running ? NULL : status->message);
    work_condition(work, "Ready", true, "Up", "instances can be connected");
    work_condition(work, "ServicesReady", status->dhcp_running,
                   status->dhcp_running ? "Running" : "NotRunning", "%s",
                   status->dhcp_running ? "DHCP and DNS answer" : status->message);
}

static struct verdict reconcile(struct work *work)
{
    struct network_driver *network = control_setup(work->control)->network;
    auto_clean(network_config_free_auto) struct network_config *config = network_config_of(work->object);
    const char *uid = object_uid(work->object);
    auto_free char *ensure = str_printf("ensure %lld", (long long)json_int_at(work->object, "metadata.generation", 1));
    struct network_status status = { 0 };

    show(work, config);
    network->ops->network_observe(network, uid, &status);
    if (!work_op_succeeded(work, ensure) || !status.is_up) {
        if (work_op_begin(work, ensure))
            network->ops->network_ensure(network, config, work_op_done(work, ensure));
        return not_ready(work, ensure);
    }
    show_up(work, &status);
    return VERDICT_AGAIN(REFRESH_MS);
}

struct search {
    const char *network;
    bool found;
};

static void look_for_use(void *arg, const json_t *instance)
{
    struct search *search = arg;
    const json_t *cards = view_list(&kind_instance, instance, "status.networks");

    for (size_t i = 0; i < json_array_size(cards); i++)
        search->found |=
            str_equal(json_text_at(json_array_get(cards, i), "network", NULL), search->network);
}

static void look_for_balancer(void *arg, const json_t *balancer)
{
    struct search *search = arg;

    search->found |= str_equal(view_text(&kind_load_balancer, balancer, "spec.network"), search->network);
}

static struct verdict finalize(struct work *work, bool *ret_gone)
{
    struct network_driver *network = control_setup(work->control)->network;
    struct search search = { object_name(work->object), false };
    bool is_strange;

    control_each(work->control, &kind_instance, object_namespace(work->object), look_for_use, &search);
    control_each(work->control, &kind_load_balancer, object_namespace(work->object),
                 look_for_balancer, &search);
    is_strange = strangers_have_port(work->control, object_uid(work->object));
    work_phase(work, "Terminating",
               search.found ? "instances or load balancers are connected to it"
               : is_strange ? "a machine that no instance knows is connected to it: see the Host" : NULL);
    if (search.found || is_strange)
        return VERDICT_AGAIN(RETRY_LOOK_MS);
    *ret_gone = work_op_succeeded(work, "remove");
    if (!*ret_gone && work_op_begin(work, "remove"))
        network->ops->network_remove(network, object_uid(work->object), work_op_done(work, "remove"));
    return VERDICT_SETTLED;
}

const struct controller controller_network = {
    .kind = &kind_network,
    .finalizer = "virga.dev/network",
    .reconcile = reconcile,
    .finalize = finalize,
};
