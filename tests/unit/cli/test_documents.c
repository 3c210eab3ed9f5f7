#include "check.h"
#include "cli/command.h"
#include <string.h>

TEST(every_command_option_and_kind_stands_in_the_completion)
{
    auto_buf struct buf script = { 0 };

    commands_bash(&script);
    for (const struct command *row = all_commands; row->name; row++) {
        if (row->is_hidden)
            continue;
        CHECK(strlen(row->doc) > 0 && strlen(row->example) > 0);
        CHECK(str_starts(row->example, "virga ") || str_starts(row->example, "source <(virga "));
        CHECK_CONTAINS(script.bytes, row->name);
        for (const struct option_row *option = row->options; option && option->name; option++) {
            auto_free char *flag = str_printf("--%s", option->name);
            CHECK_CONTAINS(script.bytes, flag);
            CHECK(strlen(option->doc) > 0);
        }
    }
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        CHECK_CONTAINS(script.bytes, (*kind)->plural);
}

TEST(commands_of_one_name_are_neighbours)
{
    for (const struct command *row = all_commands; row->name; row++)
        for (const struct command *other = row + 2; row[1].name && other->name; other++)
            CHECK(!str_equal(row->name, other->name) || str_equal(row->name, other[-1].name));
}

TEST(help_of_every_command_has_an_example)
{
    for (const struct command *row = all_commands; row->name; row++) {
        auto_buf struct buf help = { 0 };

        command_help(row, &help);
        CHECK_CONTAINS(help.bytes, "\nexample:\n  ");
        CHECK_CONTAINS(help.bytes, "--help");
    }
}
