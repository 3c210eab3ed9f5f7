/* drivers/network/netns/dnsmasq_config.h - what dnsmasq reads: pure.
 *
 * Its configuration is fixed for as long as the network's is: a change means a restart. Ports
 * are files in two folders that it watches, and reads from scratch on SIGHUP. */
#pragma once
#include "base/str.h"
#include "drivers/network.h"

struct dnsmasq_paths {
    const char *user; /* whom it becomes */
    const char *pid_file;
    const char *lease_file;
    const char *hosts_dir;   /* DHCP: a file per port */
    const char *names_dir;   /* DNS: a file per port */
    const char *resolv_conf; /* the host's resolvers; used when the network names none */
};

void dnsmasq_config(const struct network_config *config, const struct dnsmasq_paths *paths,
                    struct buf *to);
/* One line each; nothing when the port has no address. */
void dnsmasq_host(const struct port_config *port, struct buf *to);
void dnsmasq_names(const struct port_config *port, struct buf *to);

/* Is there a resolver in this text of a resolv.conf that can be reached from another namespace,
 * that is, one that is neither loopback nor link-local? */
bool resolv_conf_is_usable(const char *text);
