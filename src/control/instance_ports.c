/* control/instance_ports.c - the ports of an instance's network cards. */
#include "control/instance.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>

bool port_is_there(const struct scene *scene, const char *network_uid, const char *nic)
{
    struct network_driver *network = control_setup(scene->work->control)->network;
    auto_free char *id = str_printf("%s/%s", scene->uid, nic);
    char **ids = network->ops->list_ports(network, network_uid);
    bool found = false;

    for (char **at = ids; at && *at; at++)
        found |= str_equal(*at, id);
    network_names_free(ids);
    return found;
}

static const json_t *network_of(const struct scene *scene, const json_t *card)
{
    return json_object_get(scene->networks, json_text_at(card, "network", ""));
}

bool port_is_ready(const struct scene *scene, const json_t *card)
{
    const char *nic = json_text_at(card, "name", "");
    const json_t *network = network_of(scene, card);
    auto_free char *op = str_printf("port %s", nic);

    return network && str_equal(view_text(&kind_network, network, "status.phase"), "Ready") &&
           work_op_succeeded(scene->work, op) &&
           port_is_there(scene, json_text_at(card, "networkUID", ""), nic);
}

/* One that the spec no longer has is on its way out of a running machine. */
static bool is_ready_or_leaves(const struct scene *scene, const json_t *card)
{
    return !card_is_wanted(scene, card) || port_is_ready(scene, card);
}

bool ports_hold(const struct scene *scene)
{
    const json_t *cards = scene_list(scene, "status.networks");

    for (size_t i = 0; i < json_array_size(cards); i++)
        if (!is_ready_or_leaves(scene, json_array_get(cards, i)))
            return false;
    return true;
}

static void read_ip(const json_t *card, const char *field, struct ip_addr *ret_addr)
{
    const char *text = json_text_at(card, field, NULL);
    struct err err;

    if (text)
        (void)ip_parse(text, ret_addr, &err);
}

static struct port_config port_of(const struct scene *scene, const json_t *card)
{
    const char *hostname = scene_text(scene, "spec.hostname");
    struct port_config port = { 0 };
    struct err err;

    (void)snprintf(port.network_uid, sizeof port.network_uid, "%s", json_text_at(card, "networkUID", ""));
    (void)snprintf(port.id, sizeof port.id, "%s/%s", scene->uid, json_text_at(card, "name", ""));
    (void)snprintf(port.hostname, sizeof port.hostname, "%s", hostname ? hostname : scene->name);
    (void)mac_parse(json_text_at(card, "macAddress", ""), &port.mac, &err);
    read_ip(card, "ipv4Address", &port.ipv4);
    read_ip(card, "ipv6Address", &port.ipv6);
    return port;
}

static void attach(struct scene *scene, const json_t *card)
{
    struct network_driver *network = control_setup(scene->work->control)->network;
    struct port_config port = port_of(scene, card);
    const char *nic = json_text_at(card, "name", "");
    auto_free char *op = str_printf("port %s", nic);

    if (!str_equal(json_text_at(network_of(scene, card), "status.phase", NULL), "Ready")) {
        scene_waits(scene, "WaitingForNetwork", "waiting for network %s",
                    json_text_at(card, "network", ""));
        return;
    }
    scene_waits_for_op(scene, op, "the port is being made");
    if (work_op_begin(scene->work, op))
        network->ops->port_ensure(network, &port, work_op_done(scene->work, op));
}

void ports_climb(struct scene *scene)
{
    const json_t *cards = scene_list(scene, "status.networks");

    for (size_t i = 0; i < json_array_size(cards); i++)
        if (!is_ready_or_leaves(scene, json_array_get(cards, i)))
            attach(scene, json_array_get(cards, i));
}

/* A port that is being made is waited for, so that it cannot appear after its removal. */
bool port_remove(struct scene *scene, const json_t *card)
{
    struct network_driver *network = control_setup(scene->work->control)->network;
    const char *nic = json_text_at(card, "name", ""), *uid = json_text_at(card, "networkUID", "");
    auto_free char *make = str_printf("port %s", nic), *op = str_printf("unport %s", nic);
    auto_free char *plug = str_printf("plug %s", nic);
    auto_free char *id = str_printf("%s/%s", scene->uid, nic);

    if (work_op(scene->work, make, NULL) == OP_RUNNING || work_op(scene->work, plug, NULL) == OP_RUNNING ||
        work_op(scene->work, "open", NULL) == OP_RUNNING)
        return false;
    if (work_op(scene->work, make, NULL) == OP_FAILED || work_op_succeeded(scene->work, make))
        work_op_reset(scene->work, op);
    work_op_reset(scene->work, make);
    /* Once in each daemon's life though it is not listed: it may be half-made. */
    if (work_op_succeeded(scene->work, op) && !port_is_there(scene, uid, nic))
        return true;
    if (work_op_begin(scene->work, op))
        network->ops->port_remove(network, uid, id, work_op_done(scene->work, op));
    return false;
}

bool ports_remove(struct scene *scene)
{
    const json_t *cards = scene_list(scene, "status.networks");
    bool all = true;

    for (size_t i = 0; i < json_array_size(cards); i++)
        all &= port_remove(scene, json_array_get(cards, i));
    return all;
}

static bool remove_rest(struct scene *scene, const char *network_uid)
{
    struct network_driver *network = control_setup(scene->work->control)->network;
    auto_free char *prefix = str_printf("%s/", scene->uid);
    char **ids = network->ops->list_ports(network, network_uid);
    bool all = true;

    for (char **id = ids; id && *id; id++) {
        auto_free char *op = str_printf("unport %s %s", network_uid, *id);
        if (!str_starts(*id, prefix))
            continue;
        all = false;
        if (work_op_begin(scene->work, op))
            network->ops->port_remove(network, network_uid, *id, work_op_done(scene->work, op));
    }
    network_names_free(ids);
    return all;
}

bool ports_remove_rest(struct scene *scene)
{
    struct network_driver *network = control_setup(scene->work->control)->network;
    char **uids = network->ops->list(network);
    bool all = true;

    for (char **uid = uids; uid && *uid; uid++)
        all &= remove_rest(scene, *uid);
    network_names_free(uids);
    return all;
}
