/* tests/contract/balancer/rig.h - what the contract suite of the balancer drivers stands on: a
 * driver, a loop, and ways to wait. One rig_*.c per driver fills in the first part. */
#pragma once
#include "check.h"
#include "drivers/balancer.h"

struct rig {
    struct loop *loop;
    struct balancer_driver *balancer;
    struct balancer_setup setup;
    unsigned changes; /* calls of setup.changed */
    bool is_late;
    void *own; /* the driver's part */
};

/* --- by driver --- */

void rig_open(struct rig *rig);
void rig_close(struct rig *rig);                  /* fails the test when something is left */
void rig_reopen(struct rig *rig);                 /* the daemon dies and comes back */
void rig_crash(struct rig *rig, const char *uid); /* from outside, the proxy dies */
/* Another program has the port of 127.0.0.1. */
void rig_take_port(struct rig *rig, uint16_t port);
/* Whether something answers at 127.0.0.1 and the port of member 'number' (1 to 9); at first it
 * does. */
void rig_set_alive(struct rig *rig, unsigned number, bool is_alive);
struct web_server *rig_web_server(struct rig *rig, unsigned number); /* of HAProxy's rig only */

/* --- for all --- */

uint16_t rig_member_port(unsigned number);
/* Listener "http" on port 9080 of 127.0.0.1, backend "web" with members 1 to 'member_count',
 * checked by TCP. The caller frees it. */
struct balancer_config *rig_config(const char *uid, unsigned member_count);

struct wait {
    struct rig *rig;
    bool called;
    struct err err; /* ERR_NONE: success */
};
struct done wait_done(struct rig *rig, struct wait *wait);
void rig_wait(struct rig *rig, struct wait *wait);
void rig_changed(void *rig, const char *uid);
/* Runs the loop until 'holds' is true of the status; fails the test after half a minute. */
typedef bool rig_holds_fn(const struct balancer_status *status);
void rig_reach(struct rig *rig, const char *uid, rig_holds_fn *holds, const char *what);
/* ensure() with the host's namespace, to its end. */
void rig_ensure(struct rig *rig, const struct balancer_config *config, struct wait *ret_wait);
void rig_ensure_ok(struct rig *rig, const struct balancer_config *config);
void rig_remove_ok(struct rig *rig, const char *uid);
