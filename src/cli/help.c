/* cli/help.c - help and completion, all from the command table. */
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
    buf_printf(to, " [OPTIONS]%s%s\n\n%s\n\noptions:\n", command->operands ? " " : "",
               command->operands ? command->operands : "", command->doc);
    write_options(command->options, to);
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
        buf_printf(to, "  %-16s %s\n", name.bytes, row->doc);
    }
    buf_printf(to, "\n\"virga %s%sCOMMAND --help\" tells more about one.\n", group ? group : "",
               group ? " " : "");
}

/* --- completion --- */

static void write_words(const struct option_row *row, struct buf *to)
{
    for (; row && row->name; row++)
        buf_printf(to, " --%s", row->name);
}

static void write_subs(const char *name, struct buf *to)
{
    for (const struct command *row = all_commands; row->name; row++)
        if (row->sub && str_equal(row->name, name))
            buf_printf(to, " %s", row->sub);
}

static bool is_first_of_name(const struct command *row)
{
    return row == all_commands || !str_equal(row[-1].name, row->name);
}

static void write_case(const struct command *row, struct buf *to)
{
    buf_add_text(to, "    '");
    write_name(row, to);
    buf_add_text(to, "') words='");
    write_words(row->options, to);
    write_words(common_options, to);
    buf_add_text(to, "' ;;\n");
}

static void write_kinds(struct buf *to)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        buf_printf(to, " %s", (*kind)->plural);
}

void commands_bash(struct buf *to)
{
    buf_add_text(to, "# bash completion for virga: source <(virga completion bash)\n_virga() {\n"
                     "    local cur=${COMP_WORDS[COMP_CWORD]} first=${COMP_WORDS[1]:-}\n"
                     "    local second=${COMP_WORDS[2]:-} words='' groups=' ");
    for (const struct command *row = all_commands; row->name; row++)
        if (row->sub && is_first_of_name(row))
            buf_printf(to, "%s ", row->name);
    buf_add_text(to, "'\n    if [ \"$COMP_CWORD\" = 1 ]; then\n        words='");
    for (const struct command *row = all_commands; row->name; row++)
        if (is_first_of_name(row) && !row->is_hidden)
            buf_printf(to, " %s", row->name);
    buf_add_text(to, "'\n        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n        return\n"
                     "    fi\n    if [ \"$COMP_CWORD\" = 2 ]; then\n        case $first in\n");
    for (const struct command *row = all_commands; row->name; row++)
        if (row->sub && is_first_of_name(row)) {
            buf_printf(to, "        %s) words='", row->name);
            write_subs(row->name, to);
            buf_add_text(to, "' ;;\n");
        }
    buf_add_text(to, "        get|describe|explain|delete) words='");
    write_kinds(to);
    buf_add_text(to, "' ;;\n        start|stop|pause|resume|restart|rm|exec|logs|screenshot)\n"
                     "            words=$(virga get instances -o name 2>/dev/null | sed 's,.*/,,') ;;\n"
                     "        esac\n        [[ $cur == -* ]] || { COMPREPLY=($(compgen -W \"$words\" "
                     "-- \"$cur\")); return; }\n    fi\n"
                     "    [[ $groups == *\" $first \"* ]] && first=\"$first $second\"\n"
                     "    case $first in\n");
    for (const struct command *row = all_commands; row->name; row++)
        write_case(row, to);
    buf_add_text(to, "    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
                     "complete -o default -F _virga virga\n");
}
