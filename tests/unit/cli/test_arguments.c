#include "check.h"
#include "cli/command.h"
#include "cli/nearest.h"
#include <string.h>

/* The table's row of a command line, parsed. */
static int parse(char **argv, struct arguments *ret_arguments, bool *ret_help, struct err *err)
{
    int argc = 0, words;
    bool is_group;

    while (argv[argc])
        argc++;
    const struct command *command = command_find(argc, argv, &words, &is_group);
    CHECK(command != NULL);
    return command_parse(command, argc - words + 1, argv + words - 1, ret_arguments, ret_help, err);
}
/* getopt wants what argv is; no text is written to. */
#define WORDS(...) ((char **)(const char *[]){ __VA_ARGS__, NULL })

TEST(options_may_stand_anywhere_among_operands)
{
    struct arguments arguments;
    bool help;
    struct err err;

    CHECK_OK(parse(WORDS("get", "-o", "json", "instance", "--watch", "web", "-nlab"), &arguments, &help,
                   &err), &err);
    CHECK_EQ(arguments.operand_count, 2);
    CHECK_STR(arguments.operands[0], "instance");
    CHECK_STR(arguments.operands[1], "web");
    CHECK_STR(argument(&arguments, "output"), "json");
    CHECK_STR(argument(&arguments, "namespace"), "lab");
    CHECK(argument_given(&arguments, "watch"));
}

TEST(the_words_of_a_guests_command_are_no_options)
{
    struct arguments arguments;
    bool help;
    struct err err;

    CHECK_OK(parse(WORDS("exec", "web", "-t", "5s", "uname", "-a", "--help"), &arguments, &help, &err),
             &err);
    CHECK(!help);
    CHECK_EQ(arguments.operand_count, 4);
    CHECK_STR(arguments.operands[3], "--help");
    CHECK_STR(argument(&arguments, "timeout"), "5s");
}

TEST(after_two_dashes_nothing_is_an_option)
{
    struct arguments arguments;
    bool help;
    struct err err;

    CHECK_OK(parse(WORDS("exec", "web", "--", "-x", "--", "y"), &arguments, &help, &err), &err);
    CHECK_EQ(arguments.operand_count, 4);
    CHECK_STR(arguments.operands[1], "-x");
    CHECK_STR(arguments.operands[2], "--");
}

TEST(the_last_of_an_options_values_counts)
{
    struct arguments arguments;
    bool help;
    struct err err;

    CHECK_OK(parse(WORDS("ls", "-o", "json", "--output=yaml"), &arguments, &help, &err), &err);
    CHECK_STR(argument(&arguments, "output"), "yaml");
}

TEST(what_is_wrong_is_named)
{
    struct arguments arguments;
    bool help;
    struct err err;

    CHECK_FAILS(parse(WORDS("run"), &arguments, &help, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "IMAGE is missing");
    CHECK_FAILS(parse(WORDS("cp", "x"), &arguments, &help, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "TO is missing");
    CHECK_FAILS(parse(WORDS("exec", "web", "--"), &arguments, &help, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "COMMAND... is missing");
    CHECK_FAILS(parse(WORDS("ls", "more"), &arguments, &help, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "\"more\" is one word too many");
    CHECK_FAILS(parse(WORDS("ls", "--bogus"), &arguments, &help, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "unknown option --bogus");
    CHECK_FAILS(parse(WORDS("ls", "-AZ"), &arguments, &help, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "unknown option -Z");
    CHECK_FAILS(parse(WORDS("ls", "-o"), &arguments, &help, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "-o needs a value");
    CHECK_FAILS(parse(WORDS("ls", "--watch=1"), &arguments, &help, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "--watch=1 takes no value");
}

TEST(help_asks_for_no_operands)
{
    struct arguments arguments;
    bool help;
    struct err err;

    CHECK_OK(parse(WORDS("run", "--help"), &arguments, &help, &err), &err);
    CHECK(help);
}

TEST(common_options_may_come_before_the_command)
{
    CHECK_EQ(options_before_command(3, WORDS("-n", "lab", "ls")), 2);
    CHECK_EQ(options_before_command(3, WORDS("-nlab", "--socket=/x", "ls")), 2);
    CHECK_EQ(options_before_command(1, WORDS("ls")), 0);
    CHECK_EQ(options_before_command(1, WORDS("-n")), 1);
    CHECK_EQ(options_before_command(2, WORDS("--namespaces", "x")), 0);
}

TEST(every_command_has_an_example_that_parses)
{
    for (const struct command *row = all_commands; row->name; row++) {
        auto_free char *line = str_dup(row->example);
        char *words[32], *rest = line, *word;
        int count = 0;
        struct arguments arguments;
        bool help;
        struct err err;

        if (!str_starts(line, "virga "))
            continue;
        strsep(&rest, " ");
        while (count < 31 && (word = strsep(&rest, " ")))
            words[count++] = word;
        words[count] = NULL;
        CHECK_OK(parse(words, &arguments, &help, &err), &err);
    }
}

TEST(a_slip_of_the_finger_is_understood)
{
    CHECK_STR(nearest_command("imgae"), "image");
    CHECK_STR(nearest_command("decsribe"), "describe");
    CHECK_STR(nearest_command("zzzz"), NULL);
    CHECK_STR(nearest_command(""), NULL);
    CHECK_STR(nearest_kind("instnces"), "instances");
    CHECK_STR(nearest_kind("an_endless_word_that_no_command_is_as_long_as_by_far"), NULL);
}
