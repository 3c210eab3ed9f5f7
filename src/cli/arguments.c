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

static int check_count(const struct command *command, const struct arguments *arguments,
                       struct err *err)
{
    if (arguments->operand_count < command->operand_min)
        return err_set(err, ERR_BAD_REQUEST, "%s is missing",
                       command->operands ? command->operands : "an operand");
    if (command->operand_max >= 0 && arguments->operand_count > command->operand_max)
        return err_set(err, ERR_BAD_REQUEST, "\"%s\" is one word too many",
                       arguments->operands[command->operand_max]);
    return 0;
}

int command_parse(const struct command *command, int argc, char **argv,
                  struct arguments *ret_arguments, bool *ret_help, struct err *err)
{
    struct syntax syntax = { .letters = ":" };
    struct arguments arguments = { 0 };
    int found;

    *ret_help = false;
    add_rows(&syntax, command->options);
    add_rows(&syntax, common_options);
    optind = 0; /* glibc: start anew */
    while ((found = getopt_long(argc, argv, syntax.letters, syntax.longs, NULL)) != -1) {
        const struct option_row *row = found == '?' || found == ':' ? NULL : row_of(&syntax, found);

        if (!row)
            return err_set(err, ERR_BAD_REQUEST, found == ':' ? "%s needs a value" : "unknown option %s",
                           argv[optind - 1]);
        if (str_equal(row->name, "help"))
            *ret_help = true;
        if (arguments.option_count == ARGUMENT_OPTIONS_MAX)
            return err_set(err, ERR_BAD_REQUEST, "more than %d options", ARGUMENT_OPTIONS_MAX);
        arguments.options[arguments.option_count].name = row->name;
        arguments.options[arguments.option_count++].value = row->value ? optarg : "";
    }
    arguments.operands = argv + optind;
    arguments.operand_count = argc - optind;
    *ret_arguments = arguments;
    return *ret_help ? 0 : check_count(command, &arguments, err);
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
