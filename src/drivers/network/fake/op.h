/* drivers/network/fake/op.h - a call under way on the fake: it takes its time, calls of one
 * network end in the order they came, and a close() cuts them anywhere. */
#pragma once
#include "drivers/network/fake/world.h"

enum fake_call {
    CALL_NETWORK_ENSURE,
    CALL_NETWORK_REMOVE,
    CALL_NETWORK_REFRESH,
    CALL_PORT_ENSURE,
    CALL_PORT_OPEN,
    CALL_PORT_REMOVE,
    CALL_PORT_READ,
    CALL_DIAL,
    CALL_NAMESPACE_OPEN,
    CALL_DHCP_BACK, /* nobody's call: the pretended dnsmasq comes back */
};
struct fake_op {
    struct network_fake_driver *driver;
    enum fake_call call;
    char uid[NETWORK_UID_SIZE];
    char id[PORT_ID_SIZE];
    struct network_config *network;
    struct port_config port;
    struct ip_addr to;
    uint16_t to_port;
    struct done done;
    network_fd_fn *fd_fn;
    port_counters_fn *counters_fn;
    void *arg;
    struct err refused; /* ERR_NONE, or why the call is answered without effect */
    int64_t due_ms;
    struct loop_source *timer;
    struct fake_op *next;
};

struct network_fake_driver {
    struct network_driver driver; /* first */
    struct network_fake *world;
    bool owns_world;
    struct loop *loop;
    void (*changed)(void *arg, const char *network_uid);
    void *arg;
    struct fake_op *ops; /* under way, oldest first */
};

static inline struct network_fake_driver *fake_of(struct network_driver *driver)
{
    return (struct network_fake_driver *)driver;
}

/* Starts a call; the caller adds its arguments and callback before it returns. 'id' may be NULL. */
struct fake_op *netfake_op_new(struct network_driver *driver, enum fake_call call, const char *uid,
                               const char *id);
/* Ends all calls as a crash would: undone, half-done or done; all answer ERR_CANCELLED. */
void netfake_ops_cut(struct network_fake_driver *driver);
/* Also network_ops.network_observe. */
void netfake_network_observe(struct network_driver *driver, const char *uid,
                             struct network_status *ret_status);
