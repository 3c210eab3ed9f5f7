/* control/network_refs.c - from a stored Network to what the network driver is told. */
#include "control/network_refs.h"
#include "base/mem.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

static void read_family(const json_t *network, const char *subnet, const char *gateway,
                        struct ip_prefix *ret_prefix, struct ip_addr *ret_gateway)
{
    const char *subnet_text = view_text(&kind_network, network, subnet);
    const char *gateway_text = view_text(&kind_network, network, gateway);
    struct err err;

    if (!subnet_text || ip_prefix_parse(subnet_text, ret_prefix, &err) < 0)
        return;
    if (!gateway_text || ip_parse(gateway_text, ret_gateway, &err) < 0)
        (void)ip_prefix_nth(ret_prefix, 1, ret_gateway); /* validated: large enough */
}

static void read_dns(const json_t *network, struct network_config *config)
{
    const char *domain = view_text(&kind_network, network, "spec.dns.domain");
    const json_t *servers = view_list(&kind_network, network, "spec.dns.servers");
    struct err err;

    config->domain = domain ? str_dup(domain)
                            : str_printf("%s.%s.internal", object_name(network), object_namespace(network));
    for (size_t i = 0; i < json_array_size(servers) && config->dns_count < NETWORK_DNS_MAX; i++)
        if (ip_parse(json_string_value(json_array_get(servers, i)), &config->dns[config->dns_count],
                     &err) == 0)
            config->dns_count++;
}

struct network_config *network_config_of(const json_t *network)
{
    struct network_config *config = mem_new(struct network_config);

    config->uid = str_dup(object_uid(network));
    config->name = str_printf("%s/%s", object_namespace(network), object_name(network));
    read_family(network, "spec.ipv4.subnet", "spec.ipv4.gateway", &config->ipv4, &config->ipv4_gateway);
    read_family(network, "spec.ipv6.subnet", "spec.ipv6.gateway", &config->ipv6, &config->ipv6_gateway);
    config->dhcp4 = view_bool(&kind_network, network, "spec.ipv4.dhcp");
    config->nat = view_bool(&kind_network, network, "spec.nat");
    config->mtu = (unsigned)view_int(&kind_network, network, "spec.mtu");
    read_dns(network, config);
    return config;
}
