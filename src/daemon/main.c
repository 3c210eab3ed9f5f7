/* daemon/main.c - virgad: from settings to a running loop and down again. */
#include "daemon/assemble.h"
#include "daemon/dismantle.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include <signal.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

static void stop(void *arg, int signal)
{
    struct loop *loop = arg;

    log_info("signal %d: stopping; machines run on", signal);
    loop_stop(loop);
}

static void say_where(const struct daemon *daemon)
{
    const char *listen = daemon->config.listen, *colon = strrchr(listen, ':');

    if (api_port(daemon->api))
        log_info("serving on %s and %.*s:%u", daemon->config.socket, (int)(colon - listen), listen,
                 api_port(daemon->api));
    else
        log_info("serving on %s", daemon->config.socket);
}

/* Before any thread is there: a signal that one of them let in would end the daemon as it stands.
 * What arrives while parts are opened is taken when the loop runs. */
static void hold_signals(void)
{
    sigset_t held;

    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGINT);
    sigprocmask(SIG_BLOCK, &held, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* if whoever started us ignored it, exit statuses would be lost */
}

static int serve(struct daemon *daemon, struct err *err)
{
    auto_clean(loop_source_free_auto) struct loop_source *terminate =
        loop_signal(daemon->loop, SIGTERM, stop, daemon->loop);
    auto_clean(loop_source_free_auto) struct loop_source *interrupt =
        loop_signal(daemon->loop, SIGINT, stop, daemon->loop);

    /* Without a service manager this does nothing. */
    (void)sd_notify(0, "READY=1\nSTATUS=Serving the API");
    say_where(daemon);
    return loop_run(daemon->loop, err);
}

/* Threads here wait for the kernel and hardly ever for memory. An arena for each of them would keep
 * what its largest job once needed: five MiB of an idle daemon. */
static void share_memory(void) { (void)mallopt(M_ARENA_MAX, 1); }

int main(int argc, char **argv)
{
    struct daemon daemon = { .lock_fd = -1 };
    struct err err;
    bool answered;
    int result;

    share_memory();
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
    hold_signals();
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
