/* daemon/bind_ports.c - portforward: a TCP connection to the guest from inside its network. */
#include "daemon/assemble.h"
#include "kinds/tables/tables.h"
#include "base/str.h"
#include <stdlib.h>

enum { DIAL_TIMEOUT_MS = 10 * 1000 };

static void dialled(void *arg, const struct err *err, int take_fd)
{
    struct api_call *call = arg;

    if (err)
        api_call_error(call, err);
    else
        api_call_stream(call, take_fd);
}

/* The status entry of network card 'name', or the first one with an address. */
static const json_t *find_card(const json_t *object, const char *name)
{
    const json_t *cards = json_at(object, "status.networks");

    for (size_t i = 0; i < json_array_size(cards); i++) {
        const json_t *card = json_array_get(cards, i);
        if (name ? str_equal(json_text_at(card, "name", NULL), name)
                 : json_object_get(card, "ipv4Address") || json_object_get(card, "ipv6Address"))
            return card;
    }
    return NULL;
}

static int target_of(const struct api_call *call, const char **ret_network, struct ip_addr *ret_addr,
                     uint16_t *ret_port, struct err *err)
{
    const char *port = api_call_option(call, "port"), *name = api_call_option(call, "network");
    const json_t *card = find_card(api_call_object(call), name);
    char *end = NULL;
    long number = port ? strtol(port, &end, 10) : 0;

    if (number < 1 || number > 65535 || *end)
        return err_set(err, ERR_BAD_REQUEST, "port: must be from 1 to 65535");
    if (!card)
        return err_set(err, ERR_CONFLICT, "the instance has no address%s%s yet", name ? " on " : "",
                       name ? name : "");
    *ret_port = (uint16_t)number;
    *ret_network = json_text_at(card, "networkUID", "");
    return ip_parse(json_text_at(card, "ipv4Address", json_text_at(card, "ipv6Address", "")), ret_addr,
                    err);
}

static void port_forward(void *arg, struct api_call *call)
{
    struct network_driver *network = ((struct daemon *)arg)->network;
    const char *network_uid;
    struct ip_addr addr;
    uint16_t port;
    struct err err;

    if (target_of(call, &network_uid, &addr, &port, &err) < 0)
        api_call_error(call, &err);
    else
        network->ops->dial(network, network_uid, &addr, port, DIAL_TIMEOUT_MS, dialled, call);
}

void bind_ports(struct daemon *daemon)
{
    api_bind(daemon->api, &kind_instance, "portforward", port_forward, daemon);
}
