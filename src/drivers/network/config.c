/* drivers/network/config.c - the values of the network contract: copying, checking and freeing
 * them. */
#include "drivers/network.h"

#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

void network_config_free(struct network_config *config)
{
    if (!config)
        return;
    free(config->uid);
    free(config->name);
    free(config->domain);
    free(config);
}

struct network_config *network_config_copy(const struct network_config *config)
{
    struct network_config *copy = mem_copy(config, sizeof *config);

    copy->uid = str_dup(config->uid);
    copy->name = str_dup(config->name);
    copy->domain = str_dup(config->domain);
    return copy;
}

void network_names_free(char **names)
{
    if (!names)
        return;
    for (char **name = names; *name; name++)
        free(*name);
    free(names);
}

/* Letters, digits and '-', and 'extra'. */
static bool is_plain(const char *text, const char *extra)
{
    for (; *text; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || *text == '-' || strchr(extra, *text);
        if (!plain)
            return false;
    }
    return true;
}

int network_uid_check(const char *uid, struct err *err)
{
    if (str_is_empty(uid) || strlen(uid) >= NETWORK_UID_SIZE || !is_plain(uid, ""))
        return err_set(err, ERR_INVALID, "network uid must be 1 to %d letters, digits and '-'",
                       NETWORK_UID_SIZE - 1);
    return 0;
}

static int gateway_check(const struct ip_prefix *prefix, const struct ip_addr *gateway,
                         uint8_t family, struct err *err)
{
    char prefix_text[IP_PREFIX_TEXT_SIZE], text[IP_TEXT_SIZE];

    if (!prefix->addr.family)
        return 0;
    if (prefix->addr.family != family)
        return err_set(err, ERR_INVALID, "the IPv%u subnet is of another family", family);
    if (gateway->family == family && ip_prefix_contains(prefix, gateway))
        return 0;
    ip_prefix_format(prefix, prefix_text);
    if (gateway->family != family)
        return err_set(err, ERR_INVALID, "subnet %s has no IPv%u gateway", prefix_text, family);
    ip_format(gateway, text);
    return err_set(err, ERR_INVALID, "gateway %s is outside subnet %s", text, prefix_text);
}

int network_config_check(const struct network_config *config, struct err *err)
{
    if (network_uid_check(config->uid, err))
        return -1;
    if (config->domain && (strlen(config->domain) > 253 || !is_plain(config->domain, ".")))
        return err_set(err, ERR_INVALID, "domain is not a DNS name");
    if (config->dns_count > NETWORK_DNS_MAX)
        return err_set(err, ERR_INVALID, "more than %d DNS servers", NETWORK_DNS_MAX);
    if (config->mtu && (config->mtu < NETWORK_MTU_MIN || config->mtu > NETWORK_MTU_MAX))
        return err_set(err, ERR_INVALID, "mtu %u is outside %d to %d", config->mtu, NETWORK_MTU_MIN,
                       NETWORK_MTU_MAX);
    if (gateway_check(&config->ipv4, &config->ipv4_gateway, 4, err))
        return -1;
    return gateway_check(&config->ipv6, &config->ipv6_gateway, 6, err);
}

int port_id_check(const char *id, struct err *err)
{
    if (str_is_empty(id) || strlen(id) >= PORT_ID_SIZE || !is_plain(id, "/._"))
        return err_set(err, ERR_INVALID,
                       "port id must be 1 to %d letters, digits and '-', '/', '.', '_'",
                       PORT_ID_SIZE - 1);
    return 0;
}

int port_config_check(const struct port_config *port, struct err *err)
{
    static const struct mac_addr none;

    if (network_uid_check(port->network_uid, err) || port_id_check(port->id, err))
        return -1;
    if (mac_equal(&port->mac, &none) || (port->mac.octet[0] & 1))
        return err_set(err, ERR_INVALID, "port has no unicast MAC address");
    if (port->ipv4.family && port->ipv4.family != 4)
        return err_set(err, ERR_INVALID, "the port's IPv4 address is of another family");
    if (port->ipv6.family && port->ipv6.family != 6)
        return err_set(err, ERR_INVALID, "the port's IPv6 address is of another family");
    if (!memchr(port->hostname, 0, sizeof port->hostname) || !is_plain(port->hostname, ""))
        return err_set(err, ERR_INVALID, "host name is not a DNS label");
    return 0;
}
