/* drivers/network/netns/dnsmasq_job.h - dnsmasq's files, leases and process, for worker jobs. */
#pragma once
#include "drivers/network/netns/segment.h"

/* Writes the configuration when it differs; '*ret_path' is named after its content, so that a
 * running process shows on its command line what it runs with. The caller frees it. */
int dnsmasq_write_config(const struct host *host, const struct segment *segment,
                         const struct network_config *config, char **ret_path, struct err *err);
/* The port's files; '*ret_changed' when one was not like this before. */
int dnsmasq_put_port(const struct segment *segment, const char *tap, const struct port_config *port,
                     bool *ret_changed, struct err *err);
int dnsmasq_remove_port(const struct segment *segment, const char *tap, bool *ret_changed,
                        struct err *err);
/* Makes the two folders of port files, empty with 'afresh'. */
int dnsmasq_make_folders(const struct segment *segment, bool afresh, struct err *err);

/* Frees the port's addresses of other clients' leases; the thread is in the namespace. */
int dnsmasq_free_addresses(const struct segment *segment, const struct port_config *port,
                           bool is_new, bool server_runs, struct err *err);

/* Finds dnsmasq in the network's namespace by its pid file or, when that is of no use, by looking
 * at all processes: one that a dying daemon had just started. With 'config_path' only the one
 * that runs with it is kept; all others, and all with NULL, are killed. ERR_NOT_FOUND: there is
 * no namespace. */
int dnsmasq_find(const struct segment *segment, const char *config_path,
                 struct server_process *ret_process, struct err *err);
/* The one in the pid file, whatever it runs with; kills nothing. pid 0: none. */
int dnsmasq_look(const struct segment *segment, struct server_process *ret_process,
                 struct err *err);
