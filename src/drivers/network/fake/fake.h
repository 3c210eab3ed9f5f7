/* drivers/network/fake/fake.h - networks that are only pretended, for simulations and API tests.
 *
 * What the real driver keeps in the kernel the fake keeps in a 'struct network_fake', which
 * outlives the drivers opened on it: a simulated daemon finds after its restart what the one
 * before it left, half-made things too. Delays and failures are drawn from the loop's seeded
 * randomness, and each call passes fault_fails("network.<call>"). Ports hand out real
 * descriptors, so that a test sees one that was not closed. */
#pragma once
#include "base/auto.h"
#include "drivers/network.h"

struct network_fake;

struct network_fake *network_fake_new(void);
void network_fake_free(struct network_fake *fake); /* its driver must be closed; NULL is fine */
DEFINE_AUTO(struct network_fake, network_fake_free)

/* Opens a driver on 'fake', one at a time, to be used as one from ops->open(). close() leaves
 * each call under way undone, half-done or done, at random, as a crash would. */
struct network_driver *network_fake_open(struct network_fake *fake,
                                         const struct network_setup *setup);

/* As any driver; its open() makes a pretended kernel of its own, which close() forgets. */
extern const struct network_ops network_fake;

/* How calls go from now on. */
struct network_fake_settings {
    int64_t delay_min_ms, delay_max_ms; /* of each call; the default is 0 to 3 */
    unsigned fail_one_in; /* a call fails with ERR_IO once in so many, half of the time
                           * half-done; 0, the default: never */
};
void network_fake_set(struct network_fake *fake, const struct network_fake_settings *settings);
/* The next call of that name ("port_ensure") fails with 'code' and changes nothing. */
void network_fake_fail_next(struct network_fake *fake, const char *call, enum err_code code);

/* --- what happens to the networks --- */

/* The host starts anew: every network is gone. The driver must be closed. */
void network_fake_reboot(struct network_fake *fake);
/* DHCP and DNS of a network die and come back by themselves after 'back_after_ms'. */
void network_fake_kill_dhcp(struct network_fake *fake, const char *network_uid,
                            int64_t back_after_ms);
/* Somebody breaks a network: rules and addresses are gone until network_ensure(). */
void network_fake_break(struct network_fake *fake, const char *network_uid);
/* What port_read() says from now on. */
void network_fake_set_counters(struct network_fake *fake, const char *network_uid, const char *id,
                               const struct port_counters *counters);

/* --- what is there --- */

unsigned network_fake_network_count(const struct network_fake *fake); /* half-made ones too */
unsigned network_fake_port_count(const struct network_fake *fake);
/* The descriptors given by port_open() that are still open anywhere. */
unsigned network_fake_fds_open(struct network_fake *fake);
/* One line for each network and port, sorted; "" when nothing is left. The caller frees it. */
char *network_fake_describe(const struct network_fake *fake);
/* As the last ensure wanted it; NULL when absent or half-made. Borrowed until the next call. */
const struct network_config *network_fake_network(const struct network_fake *fake, const char *uid);
const struct port_config *network_fake_port(const struct network_fake *fake,
                                            const char *network_uid, const char *id);
/* The first thing done that no correct caller does (one address or MAC for two ports, a
 * network or port removed while a machine has it open), or NULL. Borrowed. */
const char *network_fake_violation(const struct network_fake *fake);
/* The far end of the oldest dial() that was not taken yet, for the caller to close, or -1. Of more than 64
 * the oldest are closed. */
int network_fake_take_dialled(struct network_fake *fake, struct ip_addr *ret_to,
                              uint16_t *ret_port);
