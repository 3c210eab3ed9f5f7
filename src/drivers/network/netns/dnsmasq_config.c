/* drivers/network/netns/dnsmasq_config.c - writing what dnsmasq reads. */
#include "drivers/network/netns/dnsmasq_config.h"

#include "drivers/network/netns/names.h"
#include <stdio.h>
#include <string.h>

/* Addresses are the caller's choice alone: nothing is handed out that no port has, the client
 * is who its MAC says (clones share a client id), and its own idea of its name is ignored. */
static const char always[] = "interface=" BRIDGE_NAME "\n"
                             "except-interface=lo\n"
                             "bind-interfaces\n"
                             "no-hosts\n"
                             "no-ping\n"
                             "expand-hosts\n"
                             "domain-needed\n"
                             "bogus-priv\n"
                             "dhcp-authoritative\n"
                             "dhcp-rapid-commit\n"
                             "dhcp-ignore-clid\n"
                             "dhcp-ignore-names\n"
                             "dhcp-lease-max=65536\n"
                             "quiet-dhcp\n"
                             "quiet-dhcp6\n"
                             "quiet-ra\n";

#define LEASE_TIME "12h"

static void add_paths(const struct dnsmasq_paths *paths, struct buf *to)
{
    buf_printf(to, "user=%s\ngroup=nogroup\npid-file=%s\ndhcp-leasefile=%s\n", paths->user,
               paths->pid_file, paths->lease_file);
    buf_printf(to, "dhcp-hostsdir=%s\nhostsdir=%s\n", paths->hosts_dir, paths->names_dir);
}

static void add_upstream(const struct network_config *config, const struct dnsmasq_paths *paths,
                         struct buf *to)
{
    char text[IP_TEXT_SIZE];

    if (!config->nat || config->dns_count > 0 || !paths->resolv_conf)
        buf_add_text(to, "no-resolv\n");
    else
        buf_printf(to, "resolv-file=%s\n", paths->resolv_conf);
    for (unsigned i = 0; config->nat && i < config->dns_count; i++) {
        ip_format(&config->dns[i], text);
        buf_printf(to, "server=%s\n", text);
    }
}

static void add_domain(const struct network_config *config, struct buf *to)
{
    if (str_is_empty(config->domain))
        return;
    buf_printf(to, "domain=%s\nlocal=/%s/\n", config->domain, config->domain);
    buf_printf(to, "dhcp-option=option:domain-search,%s\n", config->domain);
    if (config->ipv6.addr.family)
        buf_printf(to, "dhcp-option=option6:domain-search,%s\n", config->domain);
}

static void format_netmask(unsigned length, char to[IP_TEXT_SIZE])
{
    uint32_t mask = length ? ~0u << (32 - length) : 0;
    struct ip_addr addr = {
        4, { (uint8_t)(mask >> 24), (uint8_t)(mask >> 16), (uint8_t)(mask >> 8), (uint8_t)mask }
    };

    ip_format(&addr, to);
}

/* Without NAT there is nowhere to go by the gateway: guests then know at once that they can't. */
static void add_ipv4(const struct network_config *config, unsigned mtu, struct buf *to)
{
    char subnet[IP_TEXT_SIZE], netmask[IP_TEXT_SIZE], gateway[IP_TEXT_SIZE];

    ip_format(&config->ipv4.addr, subnet);
    ip_format(&config->ipv4_gateway, gateway);
    format_netmask(config->ipv4.length, netmask);
    buf_printf(to, "# gateway %s/%u\n", gateway, config->ipv4.length);
    if (!config->dhcp4)
        return;
    buf_printf(to, "dhcp-range=%s,static,%s," LEASE_TIME "\n", subnet, netmask);
    buf_printf(to, "dhcp-option=option:mtu,%u\n", mtu);
    if (config->nat)
        buf_printf(to, "dhcp-option=option:router,%s\n", gateway);
    else
        buf_add_text(to, "dhcp-option=option:router\n");
}

/* Stateful: the advertisement tells guests to ask for their address, and to make up none. */
static void add_ipv6(const struct network_config *config, unsigned mtu, struct buf *to)
{
    char subnet[IP_TEXT_SIZE], gateway[IP_TEXT_SIZE];

    ip_format(&config->ipv6.addr, subnet);
    ip_format(&config->ipv6_gateway, gateway);
    buf_printf(to, "# gateway %s/%u\n", gateway, config->ipv6.length);
    buf_printf(to, "dhcp-range=%s,static,%u," LEASE_TIME "\n", subnet, config->ipv6.length);
    buf_add_text(to, "enable-ra\n");
    buf_printf(to, "ra-param=" BRIDGE_NAME ",mtu:%u,0%s\n", mtu, config->nat ? "" : ",0");
}

void dnsmasq_config(const struct network_config *config, const struct dnsmasq_paths *paths,
                    struct buf *to)
{
    unsigned mtu = config->mtu ? config->mtu : NETWORK_MTU_DEFAULT;

    buf_add_text(to, "# Written by virgad: changes are lost.\n");
    add_paths(paths, to);
    buf_add_text(to, always);
    add_upstream(config, paths, to);
    add_domain(config, to);
    if (config->ipv4.addr.family)
        add_ipv4(config, mtu, to);
    if (config->ipv6.addr.family)
        add_ipv6(config, mtu, to);
}

void dnsmasq_host(const struct port_config *port, struct buf *to)
{
    char mac[MAC_TEXT_SIZE], text[IP_TEXT_SIZE];

    if (!port->ipv4.family && !port->ipv6.family)
        return;
    mac_format(&port->mac, mac);
    buf_add_text(to, mac);
    if (port->ipv4.family) {
        ip_format(&port->ipv4, text);
        buf_printf(to, ",%s", text);
    }
    if (port->ipv6.family) {
        ip_format(&port->ipv6, text);
        buf_printf(to, ",[%s]", text);
    }
    if (port->hostname[0])
        buf_printf(to, ",%s", port->hostname);
    buf_add_char(to, '\n');
}

static void add_name(const struct ip_addr *addr, const char *hostname, struct buf *to)
{
    char text[IP_TEXT_SIZE];

    if (!addr->family)
        return;
    ip_format(addr, text);
    buf_printf(to, "%s %s\n", text, hostname);
}

void dnsmasq_names(const struct port_config *port, struct buf *to)
{
    if (!port->hostname[0])
        return;
    add_name(&port->ipv4, port->hostname, to);
    add_name(&port->ipv6, port->hostname, to);
}

static bool is_of_the_host_alone(const struct ip_addr *addr)
{
    static const struct ip_addr one6 = { 6, { [15] = 1 } };

    return addr->family == 4 ? addr->octet[0] == 127
                             : addr->octet[0] == 0xfe || ip_equal(addr, &one6);
}

bool resolv_conf_is_usable(const char *text)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char word[IP_TEXT_SIZE];
        struct ip_addr addr;
        struct err unused;

        if (sscanf(line, "nameserver%*[ \t]%47[0-9a-fA-F.:]", word) == 1 &&
            ip_parse(word, &addr, &unused) == 0 && !is_of_the_host_alone(&addr))
            return true;
    }
    return false;
}
