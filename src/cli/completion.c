/* cli/completion.c - the completion script for bash, from the tables of commands, options and kinds.
 *
 * For each command the script knows its flags, what its options' values are ("--network:NETWORK"),
 * and what its operands are: a kind's plural (names of such objects, which it asks "virga get" for),
 * "KIND" (a kind, then names of it), or the words themselves. */
#include "cli/command.h"

static const char head[] =
    "# bash completion for virga: source <(virga completion bash)\n"
    "_virga_names() {\n"
    "    virga get \"$1\" ${2:+-n \"$2\"} -o name 2>/dev/null | sed 's,^[^/]*/,,'\n"
    "}\n";

/* 'flags', 'values' and 'operands' are of the command; the words before the cursor are walked so
 * that options and their values are no operands. */
static const char tail[] =
    "_virga() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local flags='' values='' operands='' words='' space='' kind='' value='' i word\n"
    "    local -a plain=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        [ \"$word\" = -- ] && return\n"
    "        _virga_command \"${plain[0]:-}\" \"${plain[1]:-}\"\n"
    "        if [[ $word != -* ]]; then\n"
    "            plain+=(\"$word\")\n"
    "        elif [[ \" $values \" == *\" $word:\"* ]]; then\n"
    "            [[ $word == -n || $word == --namespace ]] && space=${COMP_WORDS[i+1]}\n"
    "            ((i++))\n"
    "        fi\n"
    "    done\n"
    "    _virga_command \"${plain[0]:-}\" \"${plain[1]:-}\"\n"
    "    if [[ \" $values \" == *\" $prev:\"* ]]; then\n"
    "        value=${values##*\" $prev:\"}\n"
    "        case ${value%% *} in\n"
    "        NS) words=$(_virga_names namespaces) ;;\n"
    "        NETWORK) words=$(_virga_names networks \"$space\") ;;\n"
    "        VOLUME) words=$(_virga_names volumes \"$space\") ;;\n"
    "        POOL) words=$(_virga_names storagepools) ;;\n"
    "        FORMAT) words='table wide json yaml name' ;;\n"
    "        *'|'*) words=${value%% *} words=${words//|/ } ;;\n"
    "        *) return ;;\n"
    "        esac\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        words=$flags\n"
    "    elif [ ${#plain[@]} = 0 ]; then\n"
    "        words=$commands\n"
    "    elif [ ${#plain[@]} = 1 ] && [[ \" $groups \" == *\" ${plain[0]} \"* ]]; then\n"
    "        _virga_seconds \"${plain[0]}\"\n"
    "    else\n"
    "        i=1\n"
    "        [[ \" $groups \" == *\" ${plain[0]} \"* ]] && i=2\n"
    "        case $operands in\n"
    "        '') return ;;\n"
    "        KIND)\n"
    "            kind=${plain[$i]:-}\n"
    "            if [ -z \"$kind\" ]; then words=$kinds; else words=$(_virga_names \"$kind\" \"$space\"); fi ;;\n"
    "        =*) [ -n \"${plain[$i]:-}\" ] || words=${operands#=} ;;\n"
    "        *) words=$(_virga_names \"$operands\" \"$space\") ;;\n"
    "        esac\n"
    "    fi\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
    "}\n"
    "complete -o default -F _virga_all virga\n";

static bool is_first_of_name(const struct command *row)
{
    return row == all_commands || !str_equal(row[-1].name, row->name);
}

static void write_flags(const struct option_row *row, struct buf *to)
{
    for (; row && row->name; row++)
        buf_printf(to, " --%s", row->name);
}

static void write_values(const struct option_row *row, struct buf *to)
{
    for (; row && row->name; row++) {
        if (row->value)
            buf_printf(to, " --%s:%s", row->name, row->value);
        if (row->value && row->letter)
            buf_printf(to, " -%c:%s", row->letter, row->value);
    }
}

static void write_command(const struct command *row, struct buf *to)
{
    buf_printf(to, "    '%s%s%s')\n        flags='", row->name, row->sub ? " " : "",
               row->sub ? row->sub : "");
    write_flags(row->options, to);
    write_flags(common_options, to);
    buf_add_text(to, "'\n        values='");
    write_values(row->options, to);
    write_values(common_options, to);
    buf_printf(to, "'\n        operands='%s' ;;\n", row->completes ? row->completes : "");
}

static void write_commands(struct buf *to)
{
    buf_add_text(to, "_virga_command() {\n"
                     "    local name=$1\n"
                     "    [[ \" $groups \" == *\" $1 \"* ]] && name=\"$1 $2\"\n"
                     "    case $name in\n");
    for (const struct command *row = all_commands; row->name; row++)
        write_command(row, to);
    buf_add_text(to, "    *) flags=");
    buf_add_char(to, '\'');
    write_flags(common_options, to);
    buf_add_text(to, "' values='");
    write_values(common_options, to);
    buf_add_text(to, "' operands='' ;;\n    esac\n}\n");
}

static void write_seconds(struct buf *to)
{
    buf_add_text(to, "_virga_seconds() {\n    case $1 in\n");
    for (const struct command *row = all_commands; row->name; row++) {
        if (!row->sub || !is_first_of_name(row))
            continue;
        buf_printf(to, "    %s) words='", row->name);
        for (const struct command *each = row; str_equal(each->name, row->name); each++)
            buf_printf(to, " %s", each->sub);
        buf_add_text(to, "' ;;\n");
    }
    buf_add_text(to, "    esac\n}\n");
}

static void write_names(struct buf *to)
{
    buf_add_text(to, "_virga_all() {\n    local commands='");
    for (const struct command *row = all_commands; row->name; row++)
        if (is_first_of_name(row) && !row->is_hidden)
            buf_printf(to, " %s", row->name);
    buf_add_text(to, "' groups='");
    for (const struct command *row = all_commands; row->name; row++)
        if (row->sub && is_first_of_name(row))
            buf_printf(to, " %s", row->name);
    buf_add_text(to, "' kinds='");
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        buf_printf(to, " %s", (*kind)->plural);
    buf_add_text(to, "'\n    _virga\n}\n");
}

void commands_bash(struct buf *to)
{
    buf_add_text(to, head);
    write_commands(to);
    write_seconds(to);
    write_names(to);
    buf_add_text(to, tail);
}
