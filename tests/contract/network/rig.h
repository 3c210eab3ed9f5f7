/* tests/contract/network/rig.h - what the contract suite of the network drivers stands on: a
 * driver, a loop, and ways to wait. One rig_*.c per driver fills in the first part. */
#pragma once
#include "contract/rig_call.h"
#include "drivers/network.h"

struct rig {
    struct loop *loop;
    struct network_driver *network;
    struct network_setup setup;
    unsigned changes; /* calls of setup.changed */
    bool failed_to_wait;
    void *own; /* the driver's part */
};

/* --- by driver --- */

void rig_open(struct rig *rig);
void rig_close(struct rig *rig);  /* fails the test when something is left of the networks */
void rig_reopen(struct rig *rig); /* the daemon dies and comes back */
/* From outside, the bridge or what stands for it is taken away. */
void rig_break(struct rig *rig, const char *uid);
/* From outside, the DHCP server dies. */
void rig_kill_dhcp(struct rig *rig, const char *uid);
/* Somebody inside the network listens on this address and port. */
void rig_listen(struct rig *rig, const char *uid, const struct ip_addr *addr, uint16_t *ret_port);

/* --- for all --- */

/* 10.77.0.0/24 and fd77::/64, DHCP, no NAT; the caller frees it. */
struct network_config *rig_network(const char *uid);
/* The port with number 2 to 254: MAC, addresses and name follow from it. */
struct port_config rig_port(const char *network_uid, unsigned number);

struct wait {
    struct rig *rig;
    bool called;
    struct err err; /* ERR_NONE: success */
    int fd;
    struct port_counters counters;
};
struct done wait_done(struct rig *rig, struct wait *wait);
void wait_fd(void *wait, const struct err *err, int take_fd);
void wait_counters(void *wait, const struct err *err, const struct port_counters *counters);
void rig_wait(struct rig *rig, struct wait *wait);
void rig_changed(void *rig, const char *uid);
/* Runs the loop until 'holds' is true of the network's status; false after a minute. */
bool rig_reaches(struct rig *rig, const char *uid, bool (*holds)(const struct network_status *));

#define RIG_DRIVER(rig) ((rig)->network)
