/* drivers/network/netns/dnsmasq_job.h - dnsmasq's files, leases and process, for worker jobs. */
#pragma once
#include "drivers/network/netns/segment.h"

/* Writes the configuration when it differs; '*ret_path' is named after its content, so that a
 * running process shows on its command line what it runs with. The caller frees it. */
int dnsmasq_write_config(const struct host *host, const struct segment *segment,
                         const struct network_config *config, char **ret_path, struct err *err);
/* The port's files. When this returns, what guests ask 'server' (pid 0: none runs) from now on
 * it answers by them: it notices new files before it takes another packet, and is told of those
 * that changed or went. */
int dnsmasq_put_port(const struct segment *segment, const char *tap, const struct port_config *port,
                     const struct server_process *server, struct err *err);
int dnsmasq_remove_port(const struct segment *segment, const char *tap,
                        const struct server_process *server, struct err *err);
/* Makes the two folders of port files, empty with 'afresh'. */
int dnsmasq_make_folders(const struct segment *segment, bool afresh, struct err *err);

/* Frees the port's addresses of other clients' leases; the thread is in the namespace. */
int dnsmasq_free_addresses(const struct segment *segment, const struct port_config *port,
                           bool is_new, bool server_runs, struct err *err);
/* Ends the leases of a port whose files are still there: a machine that was forced down has not
 * given them back, and dnsmasq answers for their names until they run out. */
int dnsmasq_end_leases(const struct segment *segment, const char *tap, bool server_runs,
                       struct err *err);

/* Finds dnsmasq in the network's namespace by its pid file or, when that is of no use, by looking
 * at all processes: one that a dying daemon had just started. With 'config_path' only the one
 * that runs with it is kept; all others, and all with NULL, are killed. One that isn't 'known'
 * reads its files again, since a daemon may have died before it told it to. ERR_NOT_FOUND: there
 * is no namespace. */
int dnsmasq_find(const struct segment *segment, const char *config_path,
                 const struct server_process *known, struct server_process *ret_process,
                 struct err *err);
/* The one in the pid file, whatever it runs with; kills nothing. pid 0: none. */
/* Makes it read its files again, and waits until it is about to. One that has ended is fine. */
int dnsmasq_reread(const struct server_process *process, struct err *err);
int dnsmasq_look(const struct segment *segment, struct server_process *ret_process,
                 struct err *err);
