/* cli/main.c - virga: finds the command and runs it. */
#include "cli/command.h"
#include "cli/nearest.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

/* "instance/web", as "virga get -o name" prints it, where the name of an instance is meant. What comes after the
 * name of a command in a guest is the guest's. */
static void drop_kinds(const struct command *command, struct arguments *arguments)
{
    const struct kind *kind = command->completes ? kind_find_name(command->completes) : NULL;
    int count = command->options_end ? 1 : arguments->operand_count;

    for (int i = 0; kind && i < count; i++) {
        char *slash = strchr(arguments->operands[i], '/');
        auto_free char *word = slash ? str_dup_part(arguments->operands[i], (size_t)(slash - arguments->operands[i])) : NULL;

        if (slash && kind_find_name(word) == kind)
            arguments->operands[i] = slash + 1;
    }
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
        session_report(session, &err);
        return EXIT_USAGE;
    }
    if (wants_help) {
        auto_buf struct buf text = { 0 };
        command_help(command, &text);
        fputs(text.bytes, stdout);
        return 0;
    }
    drop_kinds(command, &arguments);
    if (session_set_up(session, &arguments, &err) == 0 &&
        command->run(session, &arguments, &err) == 0)
        return session->exit_status;
    fflush(stdout);
    if (err.text[0]) /* else it was said already */
        session_report(session, &err);
    return session->is_usage ? EXIT_USAGE : 1;
}

/* No command, or one of several words of which the second is missing or wrong. */
static int no_command(struct session *session, const char *name, const char *second, bool is_group)
{
    const char *near = name ? nearest_command(name) : NULL;
    auto_buf struct buf text = { 0 };
    struct err err;

    if (name && (!is_group || second)) {
        (void)err_set(&err, ERR_BAD_REQUEST,
                      *name == '-' ? "unknown option %s%s%s" : "there is no command \"%s%s%s\"", name,
                      is_group ? " " : "", is_group ? second : "");
        if (near && !is_group)
            session_hint(session, "did you mean \"virga %s\"? \"virga --help\" lists them all", near);
        else
            session_hint(session, "\"virga %s%s--help\" lists what there is", is_group ? name : "",
                         is_group ? " " : "");
        session_report(session, &err);
        return EXIT_USAGE;
    }
    commands_help(is_group ? name : NULL, &text);
    fputs(text.bytes, stderr);
    return EXIT_USAGE;
}

static bool is_help(const char *text) { return str_equal(text, "--help") || str_equal(text, "-h"); }

/* The words of the command come first, the options that stood before it after them. */
static void put_command_first(int argc, char **argv, int options)
{
    char *moved[ARGUMENT_OPTIONS_MAX];
    int words;
    bool is_group;

    if (options == 0 || options == argc || options > ARGUMENT_OPTIONS_MAX ||
        !command_find(argc - options, argv + options, &words, &is_group))
        return;
    memcpy(moved, argv, (size_t)options * sizeof *argv);
    memmove(argv, argv + options, (size_t)words * sizeof *argv);
    memcpy(argv + words, moved, (size_t)options * sizeof *argv);
}

static int dispatch(struct session *session, int argc, char **argv)
{
    int words = 0;
    bool is_group = false;
    const struct command *command;
    auto_buf struct buf text = { 0 };

    put_command_first(argc, argv, options_before_command(argc, argv));
    command = command_find(argc, argv, &words, &is_group);
    if (command)
        return run(session, command, argc - words + 1, argv + words - 1);
    if (argc > 0 && is_help(argv[argc - 1]) && (argc == 1 || is_group)) {
        commands_help(is_group ? argv[0] : NULL, &text);
        fputs(text.bytes, stdout);
        return 0;
    }
    return no_command(session, argc > 0 ? argv[0] : NULL, argc > 1 ? argv[1] : NULL, is_group);
}

/* What could not be written is not done. Whoever reads no further, as "head", knows that. */
static int check_output(int status)
{
    struct pollfd reader = { .fd = STDOUT_FILENO };

    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (poll(&reader, 1, 0) == 0 || !(reader.revents & POLLERR))
        fputs("virga: standard output could not be written\n", stderr);
    return status ? status : 1;
}

int main(int argc, char **argv)
{
    struct session session = { .out_is_terminal = isatty(STDOUT_FILENO),
                               .err_is_terminal = isatty(STDERR_FILENO) };
    /* https://no-color.org */
    bool is_plain = !str_is_empty(getenv("NO_COLOR")) || str_equal(getenv("TERM"), "dumb");
    static char version[] = "version";
    int status;

    session.out_has_colour = session.out_is_terminal && !is_plain;
    session.err_has_colour = session.err_is_terminal && !is_plain;
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && str_equal(argv[1], "--version"))
        argv[1] = version;
    status = dispatch(&session, argc - 1, argv + 1);
    session_done(&session);
    return check_output(status);
}
