/* daemon/config.h - the daemon's settings: one table, from which file, options and --help come.
 *
 * The file (default /etc/virga/virgad.conf) has lines "key = value"; '#' begins a comment.
 * An option --key value on the command line wins over the file. */
#pragma once
#include "base/err.h"
#include "base/log.h"
#include <stdbool.h>
#include <stdint.h>

struct config {
    char *state_dir;          /* what must survive a reboot */
    char *run_dir;            /* sockets and namespaces; emptied by a reboot */
    char *memory_dir;         /* memory of frozen machines; NULL: one of its own below /dev/shm */
    char *socket;             /* unix socket of the API */
    char *listen;             /* address and port of the API; "none": unix socket only */
    char *host_name;
    char **server_names;      /* further names in the server's certificate; NULL-terminated */
    int64_t cpus;             /* processors to offer; 0: all */
    int64_t memory_bytes;     /* memory to offer; 0: all */
    int64_t uid_base;         /* first of the 65536 user ids that machines run as */
    int64_t usage_interval_ms;
    char *network_prefix;     /* of interface and namespace names */
    char *log_level;
    bool dismantle;           /* --dismantle: no setting, but another thing to do */
};

/* Fills 'ret_config' from defaults, the file and the arguments. ERR_INVALID names the key and what
 * would be right. '*ret_answered' true: --help or --version was printed, exit now. */
int config_load(int argc, char **argv, struct config *ret_config, bool *ret_answered,
                struct err *err);
/* Applies one "key = value"; for the file, the options and tests. */
int config_set(struct config *config, const char *key, const char *value, struct err *err);
void config_default(struct config *ret_config);
void config_done(struct config *config);
enum log_level config_log_level(const struct config *config);
