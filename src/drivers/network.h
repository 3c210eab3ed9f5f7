/* drivers/network.h - the contract of what joins machines (a namespace per network; a fake).
 *
 *  1. network_ensure() brings a network to what its config says, from any state, also
 *     half-made; it is idempotent and cheap when nothing differs.
 *  2. port_ensure() makes a tap, its anti-spoofing rules and its DHCP and DNS entries.
 *  3. port_open() gives the tap's descriptor for the machine's process.
 *  4. port_remove() and network_remove() undo; absent is fine.
 * Deleting a network's namespace removes everything in it at once. Networks are named by
 * uid; ports by an id of the caller ("UID-of-instance/nic name"). Kernel state is the truth:
 * after a daemon restart list() reports what is really there. */
#pragma once
#include "base/done.h"
#include "base/loop.h"
#include "base/netaddr.h"
#include "base/worker.h"
#include <stdbool.h>

enum {
    NETWORK_DNS_MAX = 4,
    NETWORK_UID_SIZE = 40,
    PORT_ID_SIZE = 128,
    NETWORK_MTU_MIN = 1280, /* what IPv6 needs */
    NETWORK_MTU_MAX = 65521,
    NETWORK_MTU_DEFAULT = 1500,
};

struct network_config {
    char *uid;
    char *name;                 /* "default/lan", for messages only */
    struct ip_prefix ipv4;      /* addr.family 0: none */
    struct ip_addr ipv4_gateway;/* the bridge's own address */
    bool dhcp4;
    struct ip_prefix ipv6;
    struct ip_addr ipv6_gateway;
    bool nat;                   /* masquerade to the outside of the host */
    char *domain;               /* DNS suffix of the names served: "lan.internal" */
    struct ip_addr dns[NETWORK_DNS_MAX]; /* upstream resolvers; none: the host's */
    unsigned dns_count;
    unsigned mtu;               /* of the guests; 0: NETWORK_MTU_DEFAULT */
};
void network_config_free(struct network_config *config); /* deep; NULL is fine */
struct network_config *network_config_copy(const struct network_config *config);
DEFINE_AUTO(struct network_config, network_config_free)

struct port_config {
    char network_uid[NETWORK_UID_SIZE];
    char id[PORT_ID_SIZE];
    struct mac_addr mac;
    struct ip_addr ipv4, ipv6;  /* family 0: none; addresses are always chosen by the caller */
    char hostname[64];          /* name served by DNS and DHCP */
    bool allow_spoofing;        /* false: source MAC, IPv4, IPv6, ARP and rogue DHCP are filtered */
};

struct network_status {
    bool is_up;                 /* namespace, bridge and rules are in place */
    bool dhcp_running;          /* dnsmasq runs, or is not wanted */
    char message[256];          /* why not */
};
struct port_counters {
    uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets; /* from the guest's side */
    uint64_t spoof_drops;
};

struct network_setup {
    struct loop *loop;
    struct worker_pool *workers;
    const char *state_dir; /* leases; persistent; a folder of this driver alone */
    const char *run_dir;   /* namespace mounts, dnsmasq configuration; of this driver alone, and
                            * searchable (0755, its parents too) for dnsmasq's own user */
    const char *prefix;    /* of interface and namespace names, at most 4 characters: "vg" */
    void (*changed)(void *arg, const char *network_uid); /* observe() would answer differently */
    void *arg;
};

typedef void network_fd_fn(void *arg, const struct err *err, int take_fd);
typedef void port_counters_fn(void *arg, const struct err *err, const struct port_counters *counters);

struct network_driver {
    const struct network_ops *ops;
};

struct network_ops {
    const char *name;
    struct network_driver *(*open)(const struct network_setup *setup, struct err *err);
    /* Everything runs on. Calls under way end with ERR_CANCELLED before close() returns, so what
     * their 'done' points to must still be there; how far they came, the next open() finds out. */
    void (*close)(struct network_driver *driver);

    void (*network_ensure)(struct network_driver *driver, const struct network_config *config,
                           struct done done);
    void (*network_remove)(struct network_driver *driver, const char *uid, struct done done);
    /* Re-reads the kernel and dnsmasq; 'fn' sets the cached status first. */
    void (*network_refresh)(struct network_driver *driver, const char *uid, struct done done);
    void (*network_observe)(struct network_driver *driver, const char *uid,
                            struct network_status *ret_status);

    void (*port_ensure)(struct network_driver *driver, const struct port_config *port,
                        struct done done);
    void (*port_open)(struct network_driver *driver, const char *network_uid, const char *id,
                      network_fd_fn *fn, void *arg);
    void (*port_remove)(struct network_driver *driver, const char *network_uid, const char *id,
                        struct done done);
    void (*port_read)(struct network_driver *driver, const char *network_uid, const char *id,
                      port_counters_fn *fn, void *arg);

    /* Uids of networks that exist; port ids of one network. NULL-terminated, freed with
     * network_names_free(). From the cache that open() filled and the calls above keep. */
    char **(*list)(struct network_driver *driver);
    char **(*list_ports)(struct network_driver *driver, const char *network_uid);

    /* A TCP connection from inside the network (port-forward), connected within 'timeout_ms'.
     * ERR_UNAVAILABLE: refused, or nobody is there. ERR_TIMEOUT: no answer at all. */
    void (*dial)(struct network_driver *driver, const char *network_uid, const struct ip_addr *to,
                 uint16_t port, int64_t timeout_ms, network_fd_fn *fn, void *arg);

    /* The network's namespace as a descriptor, for what shall run in it. Guests reach listening
     * sockets there that carry MARK_SERVED (drivers/marks.h). */
    void (*namespace_open)(struct network_driver *driver, const char *network_uid, network_fd_fn *fn,
                           void *arg);
};
void network_names_free(char **names);

/* What every driver refuses with ERR_INVALID before it touches anything: texts that are no
 * uid, id or DNS name, addresses of another family, a gateway outside its subnet. */
int network_uid_check(const char *uid, struct err *err);
int network_config_check(const struct network_config *config, struct err *err);
int port_id_check(const char *id, struct err *err);
int port_config_check(const struct port_config *port, struct err *err);

extern const struct network_ops network_netns;
