/* cli/main.c - virga: finds the command, runs it, says what went wrong. */
#include "cli/command.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

struct client *session_client(struct session *session, struct err *err)
{
    if (!session->client && client_open(&session->settings, &session->client, err) < 0)
        return NULL;
    return session->client;
}

int usage_error(struct session *session, struct err *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    auto_free char *text = str_vprintf(format, args);
    va_end(args);
    session->is_usage = true;
    return err_set(err, ERR_BAD_REQUEST, "%s", text);
}

void session_hint(struct session *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(session->hint, sizeof session->hint, format, args);
    va_end(args);
}

/* --- what went wrong --- */

static void print_causes(const struct session *session)
{
    const json_t *causes = session->client ? client_last_causes(session->client) : NULL;

    if (json_array_size(causes) < 2)
        return;
    for (size_t i = 0; i < json_array_size(causes); i++) {
        const json_t *cause = json_array_get(causes, i);

        fprintf(stderr, "  %s: %s\n", json_text_at(cause, "field", ""),
                json_text_at(cause, "message", ""));
    }
}

static const char *usual_hint(const struct session *session, enum err_code code)
{
    if (session->client && client_last_status(session->client))
        return NULL;
    if (code == ERR_UNAVAILABLE)
        return "is the daemon running? \"systemctl start virgad\" starts it; $VIRGA_SOCKET and "
               "$VIRGA_SERVER say where it is";
    if (code == ERR_FORBIDDEN && session->client)
        return "run this as root or as a member of the group virga";
    return NULL;
}

static void print_failure(const struct session *session, const struct err *err)
{
    const char *hint = session->hint[0] ? session->hint : usual_hint(session, err->code);

    fprintf(stderr, "%svirga:%s %s\n", session->err_is_terminal ? "\033[31m" : "",
            session->err_is_terminal ? "\033[0m" : "", err->text);
    print_causes(session);
    if (hint)
        fprintf(stderr, "  %s\n", hint);
}

/* --- running --- */

static void set_up(struct session *session, const struct arguments *arguments)
{
    const char *namespace_name = argument(arguments, "namespace");
    const char *socket = argument(arguments, "socket"), *server = argument(arguments, "server");

    if (!namespace_name)
        namespace_name = getenv("VIRGA_NAMESPACE");
    session->namespace_name = namespace_name ? namespace_name : "default";
    session->settings = (struct client_settings){
        .socket = socket ? socket : getenv("VIRGA_SOCKET"),
        .server = server ? server : socket ? NULL : getenv("VIRGA_SERVER"),
        .ca = getenv("VIRGA_CA"),
        .cert = getenv("VIRGA_CERT"),
        .key = getenv("VIRGA_KEY"),
        .token = getenv("VIRGA_TOKEN"),
    };
}

static int run(struct session *session, const struct command *command, int argc, char **argv)
{
    struct arguments arguments;
    bool wants_help;
    struct err err;

    err_clear(&err);
    if (command_parse(command, argc, argv, &arguments, &wants_help, &err) < 0) {
        session_hint(session, "\"virga %s%s%s --help\" shows how to call it", command->name,
                     command->sub ? " " : "", command->sub ? command->sub : "");
        print_failure(session, &err);
        return EXIT_USAGE;
    }
    if (wants_help) {
        auto_buf struct buf text = { 0 };
        command_help(command, &text);
        fputs(text.bytes, stdout);
        return 0;
    }
    set_up(session, &arguments);
    if (command->run(session, &arguments, &err) == 0)
        return session->exit_status;
    fflush(stdout);
    print_failure(session, &err);
    return session->is_usage ? EXIT_USAGE : 1;
}

static int no_command(const char *name, bool is_group, bool is_asked)
{
    auto_buf struct buf text = { 0 };

    if (name && !is_group && !is_asked)
        buf_printf(&text, "virga: there is no command \"%s\"\n\n", name);
    commands_help(is_group ? name : NULL, &text);
    fputs(text.bytes, is_asked ? stdout : stderr);
    return is_asked ? 0 : EXIT_USAGE;
}

static bool asks_for(int argc, char **argv, const char *what)
{
    return argc > 1 && str_equal(argv[argc - 1], what);
}

int main(int argc, char **argv)
{
    struct session session = { .out_is_terminal = isatty(STDOUT_FILENO),
                               .err_is_terminal = isatty(STDERR_FILENO) };
    static char version[] = "version";
    const struct command *command;
    bool is_group;
    int words = 0, status;

    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && str_equal(argv[1], "--version"))
        argv[1] = version;
    command = command_find(argc - 1, argv + 1, &words, &is_group);
    if (!command)
        return no_command(argc > 1 ? argv[1] : NULL, is_group,
                          asks_for(argc, argv, "--help") || asks_for(argc, argv, "-h"));
    status = run(&session, command, argc - words, argv + words);
    client_free(session.client);
    if (fflush(stdout) != 0 && status == 0)
        status = 1;
    return status;
}
