/* drivers/balancer/fake/fake.h - balancers that are only pretended, for simulations and API tests.
 *
 * What the real driver keeps in processes the fake keeps in a 'struct balancer_fake', which
 * outlives the drivers opened on it: a simulated daemon finds after its restart what the one before
 * it left. Delays and failures are drawn from the loop's seeded randomness, and each call passes
 * fault_fails("balancer.<call>"). */
#pragma once
#include "base/auto.h"
#include "drivers/balancer.h"

struct balancer_fake;

struct balancer_fake *balancer_fake_new(void);
void balancer_fake_free(struct balancer_fake *fake); /* its driver must be closed; NULL is fine */
DEFINE_AUTO(struct balancer_fake, balancer_fake_free)

/* Opens a driver on 'fake', one at a time, to be used as one from ops->open(). close() leaves each
 * call under way undone or done, at random, as a crash would. */
struct balancer_driver *balancer_fake_open(struct balancer_fake *fake,
                                           const struct balancer_setup *setup);

/* As any driver; its open() makes a pretended world of its own, which close() forgets. */
extern const struct balancer_ops balancer_fake;

/* How calls go from now on. */
struct balancer_fake_settings {
    int64_t delay_min_ms, delay_max_ms; /* of each call; the default is 0 to 3 */
    unsigned fail_one_in;               /* a call fails with ERR_IO once in so many; 0: never */
};
void balancer_fake_set(struct balancer_fake *fake, const struct balancer_fake_settings *settings);

/* --- what happens to balancers --- */

/* The host starts anew: every proxy is gone. The driver must be closed. */
void balancer_fake_reboot(struct balancer_fake *fake);
/* The proxy dies; it serves again after 'back_after_ms'. */
void balancer_fake_crash(struct balancer_fake *fake, const char *uid, int64_t back_after_ms);
/* Whether what listens at this address answers health checks; at first everything does. */
void balancer_fake_set_health(struct balancer_fake *fake, const struct ip_addr *addr, uint16_t port,
                              bool is_healthy);
/* Another program has that port of the host, or has it no more. */
void balancer_fake_take_port(struct balancer_fake *fake, uint16_t port, bool is_taken);
/* What observe() says of each member of a backend from now on. */
struct balancer_fake_load {
    unsigned connections, queue;
    double request_rate, error_rate; /* per member and second */
    int64_t p50_ms, p90_ms, p95_ms, p99_ms;
    uint64_t requests, bytes; /* of the backend so far */
    unsigned held;            /* of the backend, while no member is up and the config lets it hold */
};
void balancer_fake_set_load(struct balancer_fake *fake, const char *uid, const char *backend,
                            const struct balancer_fake_load *load);

/* Whether a proxy that was replaced still finishes connections. */
void balancer_fake_set_retired(struct balancer_fake *fake, const char *uid, bool has_retired);

/* --- what is there --- */

unsigned balancer_fake_count(const struct balancer_fake *fake);
/* As the last ensure wanted it; NULL when absent. Borrowed until the next call. */
const struct balancer_config *balancer_fake_config(const struct balancer_fake *fake,
                                                   const char *uid);
