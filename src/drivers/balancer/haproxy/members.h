/* drivers/balancer/haproxy/members.h - from the members wanted and the servers there are to the
 * commands between the two: pure. There is no list in between that could drift. */
#pragma once
#include "base/str.h"
#include "drivers/balancer.h"
#include "drivers/balancer/haproxy/config_text.h"

/* One server as the proxy shows it. */
struct seen_server {
    char backend[BALANCER_NAME_SIZE]; /* without prefix */
    char id[BALANCER_NAME_SIZE];
    char status[32];
    char address[ENDPOINT_TEXT_SIZE];
    bool was_up; /* at some time since it was added, as far as has been seen */
};

enum server_state {
    SERVER_UP, /* gets traffic */
    SERVER_DOWN,
    SERVER_DRAINING,
    SERVER_RESTING, /* in maintenance: being added or removed */
};
enum server_state server_state_of(const char *status);

/* Commands, each line one to send: about as many as it takes to stay below the length that the
 * admin socket takes. Servers that are not wanted, or whose address is wrong, are removed; wanted
 * ones are added, drained and taken back; one that joins and is proven meanwhile need not wait for
 * its check. Draining comes last: who shall take over takes traffic by then. '*ret_missing' counts wanted members that have to be
 * added. */
void members_plan(const struct balancer_config *config, const struct seen_server *seen,
                  size_t seen_count, struct buf *ret_commands, size_t *ret_missing);
