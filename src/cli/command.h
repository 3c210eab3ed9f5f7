/* cli/command.h - what a command of the client is: one row of a table. Help, parsing and shell
 * completion come from the row. */
#pragma once
#include "client/client.h"

struct option_row {
    const char *name;  /* "output"; NULL ends the table */
    char letter;       /* 'o', or 0 */
    const char *value; /* what help calls its value; NULL: a flag */
    const char *doc;
};

enum { ARGUMENT_OPTIONS_MAX = 64 };

/* A parsed command line; texts are borrowed from argv, whose order parsing changes. */
struct arguments {
    struct {
        const char *name, *value; /* value "" for flags */
    } options[ARGUMENT_OPTIONS_MAX];
    size_t option_count;
    char **operands;
    int operand_count;
};
/* The value of an option that was given (the last one), or NULL. */
const char *argument(const struct arguments *arguments, const char *name);
bool argument_given(const struct arguments *arguments, const char *name);

struct session {
    struct client_settings settings;
    const char *kubeconfig;      /* where the settings are from, or NULL */
    const char *context;         /* of it, or NULL: its current one */
    char *owned[8];              /* texts that settings point to; NULL after the last */
    struct client *client;       /* NULL until session_client() */
    const char *namespace_name;  /* never NULL */
    bool out_is_terminal, err_is_terminal;
    bool out_has_colour, err_has_colour;
    bool is_usage;               /* the failure is in how it was called: exit status 2 */
    int exit_status;             /* of a success */
    char hint[256];              /* what to do next, printed below an error */
};

/* Where the server is and what namespace is meant: from options and the environment. */
int session_set_up(struct session *session, const struct arguments *arguments, struct err *err);
void session_done(struct session *session);
/* The client, opened at the first call; borrowed. NULL on error. */
struct client *session_client(struct session *session, struct err *err);
/* A failure in how the command was called. Returns -1. */
int usage_error(struct session *session, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void session_hint(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints a failure with its causes and hint, and forgets the hint. */
void session_report(struct session *session, const struct err *err);

struct command {
    const char *name;      /* "image"; NULL ends the table */
    const char *sub;       /* "import", or NULL */
    const char *operands;  /* "NAME FILE|-|URL" */
    int operand_min, operand_max; /* max -1: any number */
    const char *doc;       /* one line */
    const char *example;   /* whole command line */
    const struct option_row *options; /* beside the common ones, or NULL */
    int (*run)(struct session *session, const struct arguments *arguments, struct err *err);
    int options_end; /* after that many operands nothing is an option any more; 0: anywhere */
    bool is_hidden;  /* for programs: not in help or completion */
    const char *completes; /* what operands are: a kind's plural, "KIND", or "=" and words; or NULL */
};

extern const struct command all_commands[];
extern const struct option_row common_options[];

/* The row that argv[0] and argv[1] name, or NULL. '*ret_words' is how many of them it took;
 * '*ret_is_group' whether argv[0] alone names commands with a second word. */
const struct command *command_find(int argc, char **argv, int *ret_words, bool *ret_is_group);
/* Parses what follows the command's words; argv[0] is skipped. '*ret_help': --help was given. */
int command_parse(const struct command *command, int argc, char **argv,
                  struct arguments *ret_arguments, bool *ret_help, struct err *err);
/* How many words from argv[0] on are common options before the command's name. */
int options_before_command(int argc, char **argv);
void command_help(const struct command *command, struct buf *to);
void commands_help(const char *group, struct buf *to); /* NULL: all */
void commands_bash(struct buf *to);                    /* completion script */

/* --- the commands; see commands.c --- */
#define COMMAND(name)                                                                              \
    int name(struct session *session, const struct arguments *arguments, struct err *err)
COMMAND(cmd_apply);
COMMAND(cmd_autoscaler_decisions);
COMMAND(cmd_autoscaler_replay);
COMMAND(cmd_autoscaler_samples);
COMMAND(cmd_completion);
COMMAND(cmd_console);
COMMAND(cmd_cp);
COMMAND(cmd_create);
COMMAND(cmd_delete);
COMMAND(cmd_audit_log);
COMMAND(cmd_audit_verify);
COMMAND(cmd_describe);
COMMAND(cmd_edit);
COMMAND(cmd_events);
COMMAND(cmd_exec);
COMMAND(cmd_explain);
COMMAND(cmd_fork);
COMMAND(cmd_get);
COMMAND(cmd_help);
COMMAND(cmd_host_ls);
COMMAND(cmd_host_shutdown);
COMMAND(cmd_image_build);
COMMAND(cmd_image_import);
COMMAND(cmd_image_ls);
COMMAND(cmd_image_rm);
COMMAND(cmd_kubeconfig);
COMMAND(cmd_logs);
COMMAND(cmd_ls);
COMMAND(cmd_metric_push);
COMMAND(cmd_network_create);
COMMAND(cmd_network_ls);
COMMAND(cmd_network_rm);
COMMAND(cmd_pause);
COMMAND(cmd_port_forward);
COMMAND(cmd_resize);
COMMAND(cmd_restart);
COMMAND(cmd_resume);
COMMAND(cmd_rm);
COMMAND(cmd_rollout_pause);
COMMAND(cmd_rollout_resume);
COMMAND(cmd_rollout_status);
COMMAND(cmd_rollout_undo);
COMMAND(cmd_run);
COMMAND(cmd_scale);
COMMAND(cmd_screenshot);
COMMAND(cmd_snapshot_create);
COMMAND(cmd_snapshot_ls);
COMMAND(cmd_snapshot_rm);
COMMAND(cmd_ssh);
COMMAND(cmd_start);
COMMAND(cmd_stdio_forward);
COMMAND(cmd_stop);
COMMAND(cmd_token_create);
COMMAND(cmd_token_ls);
COMMAND(cmd_token_rm);
COMMAND(cmd_top);
COMMAND(cmd_version);
COMMAND(cmd_volume_create);
COMMAND(cmd_volume_ls);
COMMAND(cmd_volume_rm);
COMMAND(cmd_why);
