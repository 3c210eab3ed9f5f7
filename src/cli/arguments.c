/* cli/arguments.c - a command line against a command's row, by getopt_long. */
#include "cli/command.h"
#include <getopt.h>
#include <string.h>

enum { LONG_MAX_COUNT = 48, LETTER_BASE = 256 };

struct syntax {
    const struct option_row *rows[LONG_MAX_COUNT];
    struct option longs[LONG_MAX_COUNT];
    char letters[2 * LONG_MAX_COUNT + 2];
    int count;
};

static void add_rows(struct syntax *syntax, const struct option_row *row)
{
    size_t letters = strlen(syntax->letters);

    for (; row && row->name && syntax->count < LONG_MAX_COUNT - 1; row++) {
        syntax->rows[syntax->count] = row;
        syntax->longs[syntax->count] =
            (struct option){ row->name, row->value ? required_argument : no_argument, NULL,
                             LETTER_BASE + syntax->count };
        syntax->count++;
        if (row->letter) {
            syntax->letters[letters++] = row->letter;
            if (row->value)
                syntax->letters[letters++] = ':';
        }
    }
}

static const struct option_row *row_of(const struct syntax *syntax, int found)
{
    if (found >= LETTER_BASE)
        return syntax->rows[found - LETTER_BASE];
    for (int i = 0; i < syntax->count; i++)
        if (syntax->rows[i]->letter == found)
            return syntax->rows[i];
    return NULL;
}

/* "NAME" of "NAME -- COMMAND..." is what is missing when nothing was given. */
static int missing(const struct command *command, const struct arguments *arguments, struct err *err)
{
    const char *words = command->operands ? command->operands : "an operand";

    for (int i = 0; i < arguments->operand_count && strchr(words, ' '); i++)
        words = strchr(words, ' ') + 1;
    if (str_starts(words, "-- "))
        words += 3;
    return err_set(err, ERR_BAD_REQUEST, "%.*s is missing", (int)strcspn(words, " "), words);
}

static int check_count(const struct command *command, const struct arguments *arguments,
                       struct err *err)
{
    if (arguments->operand_count < command->operand_min)
        return missing(command, arguments, err);
    if (command->operand_max >= 0 && arguments->operand_count > command->operand_max)
        return err_set(err, ERR_BAD_REQUEST, "\"%s\" is one word too many",
                       arguments->operands[command->operand_max]);
    return 0;
}

static int add_option(struct arguments *arguments, const struct option_row *row, struct err *err)
{
    if (arguments->option_count == ARGUMENT_OPTIONS_MAX)
        return err_set(err, ERR_BAD_REQUEST, "more than %d options", ARGUMENT_OPTIONS_MAX);
    arguments->options[arguments->option_count].name = row->name;
    arguments->options[arguments->option_count++].value = row->value ? optarg : "";
    return 0;
}

static int bad_option(int found, const char *text, struct err *err)
{
    if (found != ':' && optopt && optopt < LETTER_BASE && !str_starts(text, "--"))
        return err_set(err, ERR_BAD_REQUEST, "unknown option -%c", optopt);
    return err_set(err, ERR_BAD_REQUEST,
                   found == ':'               ? "%s needs a value"
                   : optopt >= LETTER_BASE    ? "%s takes no value"
                                              : "unknown option %s",
                   text);
}

/* The operands go to the front of argv, in their order: getopt is done with those places. */
static int parse(const struct syntax *syntax, const struct command *command, int argc, char **argv,
                 struct arguments *arguments, struct err *err)
{
    int found;

    while ((found = getopt_long(argc, argv, syntax->letters, syntax->longs, NULL)) != -1) {
        const struct option_row *row = found == '?' || found == ':' ? NULL : row_of(syntax, found);

        if (found == 1) { /* an operand */
            arguments->operands[arguments->operand_count++] = optarg;
            if (arguments->operand_count == command->options_end)
                break;
        } else if (!row) {
            return bad_option(found, argv[optind - 1], err);
        } else if (add_option(arguments, row, err) < 0) {
            return -1;
        }
    }
    while (optind < argc)
        arguments->operands[arguments->operand_count++] = argv[optind++];
    return 0;
}

int command_parse(const struct command *command, int argc, char **argv,
                  struct arguments *ret_arguments, bool *ret_help, struct err *err)
{
    struct syntax syntax = { .letters = "-:" }; /* operands in their places */
    struct arguments arguments = { .operands = argv + 1 };

    *ret_help = false;
    add_rows(&syntax, command->options);
    add_rows(&syntax, common_options);
    optind = 0; /* glibc: start anew */
    if (parse(&syntax, command, argc, argv, &arguments, err) < 0)
        return -1;
    *ret_help = argument_given(&arguments, "help");
    *ret_arguments = arguments;
    return *ret_help ? 0 : check_count(command, &arguments, err);
}

/* How many words 'word' takes as an option that every command has; 0: it is none. */
static int common_option_words(const char *word)
{
    for (const struct option_row *row = common_options; row->name; row++) {
        size_t length = strlen(row->name);

        if (row->letter && word[0] == '-' && word[1] == row->letter)
            return row->value && !word[2] ? 2 : 1;
        if (str_starts(word, "--") && strncmp(word + 2, row->name, length) == 0 &&
            (!word[2 + length] || word[2 + length] == '='))
            return row->value && !word[2 + length] ? 2 : 1;
    }
    return 0;
}

int options_before_command(int argc, char **argv)
{
    int at = 0, words;

    while (at < argc && (words = common_option_words(argv[at])) > 0)
        at += words;
    return at < argc ? at : argc;
}

const char *argument(const struct arguments *arguments, const char *name)
{
    for (size_t i = arguments->option_count; i > 0; i--)
        if (str_equal(arguments->options[i - 1].name, name))
            return arguments->options[i - 1].value;
    return NULL;
}

bool argument_given(const struct arguments *arguments, const char *name)
{
    return argument(arguments, name) != NULL;
}

const struct command *command_find(int argc, char **argv, int *ret_words, bool *ret_is_group)
{
    *ret_is_group = false;
    for (const struct command *row = all_commands; row->name && argc > 0; row++) {
        if (!str_equal(row->name, argv[0]))
            continue;
        *ret_is_group |= row->sub != NULL;
        if (row->sub && (argc < 2 || !str_equal(row->sub, argv[1])))
            continue;
        *ret_words = row->sub ? 2 : 1;
        return row;
    }
    return NULL;
}
