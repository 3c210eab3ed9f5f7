/* cli/help.c - help, all from the command table. */
#include "cli/command.h"
#include <string.h>

static void write_option(const struct option_row *row, struct buf *to)
{
    auto_buf struct buf left = { 0 };

    if (row->letter)
        buf_printf(&left, "-%c, ", row->letter);
    else
        buf_add_text(&left, "    ");
    buf_printf(&left, "--%s%s%s", row->name, row->value ? " " : "", row->value ? row->value : "");
    buf_printf(to, "  %-28s %s\n", left.bytes, row->doc);
}

static void write_options(const struct option_row *row, struct buf *to)
{
    for (; row && row->name; row++)
        write_option(row, to);
}

static void write_name(const struct command *command, struct buf *to)
{
    buf_add_text(to, command->name);
    if (command->sub)
        buf_printf(to, " %s", command->sub);
}

void command_help(const struct command *command, struct buf *to)
{
    buf_add_text(to, "usage: virga ");
    write_name(command, to);
    buf_printf(to, " [OPTIONS]%s%s\n\n%s\n", command->operands ? " " : "",
               command->operands ? command->operands : "", command->doc);
    if (command->options)
        buf_add_text(to, "\noptions:\n");
    write_options(command->options, to);
    buf_add_text(to, "\ncommon options:\n");
    write_options(common_options, to);
    buf_printf(to, "\nexample:\n  %s\n", command->example);
}

void commands_help(const char *group, struct buf *to)
{
    buf_printf(to, "usage: virga %s%sCOMMAND [OPTIONS] ...\n\n", group ? group : "",
               group ? " " : "");
    if (!group)
        buf_add_text(to, "Virga runs virtual machines. The commands:\n");
    for (const struct command *row = all_commands; row->name; row++) {
        auto_buf struct buf name = { 0 };

        if (row->is_hidden || (group && !str_equal(row->name, group)))
            continue;
        write_name(row, &name);
        buf_printf(to, "  %-20s %s\n", name.bytes, row->doc);
    }
    buf_printf(to, "\n\"virga %s%sCOMMAND --help\" tells more about one.\n", group ? group : "",
               group ? " " : "");
}
