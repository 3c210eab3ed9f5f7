/* daemon/main.c - virgad: from settings to a running loop and down again. */
#include "daemon/assemble.h"
#include "daemon/dismantle.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include <stdlib.h>
#include <systemd/sd-daemon.h>

static void stop(void *arg, int signal)
{
    struct loop *loop = arg;

    log_info("signal %d: stopping; machines run on", signal);
    loop_stop(loop);
}

static int serve(struct daemon *daemon, struct err *err)
{
    auto_clean(loop_source_free_auto) struct loop_source *terminate =
        loop_signal(daemon->loop, SIGTERM, stop, daemon->loop);
    auto_clean(loop_source_free_auto) struct loop_source *interrupt =
        loop_signal(daemon->loop, SIGINT, stop, daemon->loop);

    /* Without a service manager this does nothing. */
    (void)sd_notify(0, "READY=1\nSTATUS=Serving the API");
    log_info("serving on %s and %s", daemon->config.socket, daemon->config.listen);
    return loop_run(daemon->loop, err);
}

int main(int argc, char **argv)
{
    struct daemon daemon = { .lock_fd = -1 };
    struct err err;
    bool answered;
    int result;

    if (config_load(argc, argv, &daemon.config, &answered, &err) < 0 ||
        fault_init(getenv("VIRGA_FAULT"), &err) < 0) {
        log_error("%s", err.text);
        config_done(&daemon.config);
        return 2;
    }
    if (answered) {
        config_done(&daemon.config);
        return 0;
    }
    log_set_level(config_log_level(&daemon.config));
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* if whoever started us ignored it, exit statuses would be lost */
    if (daemon.config.dismantle) {
        result = dismantle_run(&daemon, &err);
    } else {
        result = daemon_open(&daemon, &err);
        if (result == 0)
            result = serve(&daemon, &err);
    }
    if (result < 0)
        log_error("%s", err.text);
    daemon_close(&daemon);
    config_done(&daemon.config);
    return result < 0 ? 1 : 0;
}
