/* tests/contract/network/leftovers.h - what a network of the real driver leaves behind, seen
 * from the host's namespace. */
#pragma once

/* Fails the test when a folder below 'run_dir' or 'state_dir', a mount or a dnsmasq of theirs, a
 * link with 'prefix' or the table of rules is still there. */
void check_nothing_left(const char *run_dir, const char *state_dir, const char *prefix);
/* How many dnsmasq processes run with a configuration below 'folder'. */
unsigned count_servers(const char *folder);
