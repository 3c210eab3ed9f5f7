/* cli/cmd_console.c - console: the serial line of an instance on this terminal. */
#include "cli/common.h"
#include "client/websocket.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { ESCAPE = 0x1d /* Ctrl-] */ };

/* Signal handlers reach nothing else. */
static struct termios usual;
static bool is_raw;

static void restore(void)
{
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &usual);
    is_raw = false;
}

static void die(int signal_number)
{
    restore();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void make_raw(void)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &usual) < 0)
        return;
    raw = usual;
    cfmakeraw(&raw);
    is_raw = true;
    signal(SIGTERM, die);
    signal(SIGHUP, die);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

static bool until_escape(void *arg, char *bytes, size_t *size)
{
    const char *escape = memchr(bytes, ESCAPE, *size);

    if (escape)
        *size = (size_t)(escape - bytes);
    return !escape;
}

COMMAND(cmd_console)
{
    const char *name = arguments->operands[0];
    struct client *client = session_client(session, err);
    auto_free char *path = object_path(session, kind_find_name("instances"), name, "console");
    auto_clean(websocket_free_auto) struct websocket *websocket = NULL;
    bool is_terminal = isatty(STDIN_FILENO);
    struct websocket_relay relay = { .in_fd = STDIN_FILENO,
                                     .out_fd = STDOUT_FILENO,
                                     .input_end = INPUT_END_IS_IGNORED,
                                     .filter = is_terminal ? until_escape : NULL };
    int result;

    if (!client || websocket_open(client, path, &websocket, err) < 0) {
        session_hint(session, "\"virga ls\" shows what runs, \"virga logs %s\" what it said", name);
        return -1;
    }
    if (is_terminal) {
        fprintf(stderr, "connected to %s; Ctrl-] leaves\n", name);
        make_raw();
    }
    result = websocket_relay(websocket, &relay, err);
    restore();
    if (is_terminal)
        fprintf(stderr, "\nleft %s\n", name);
    return result;
}
