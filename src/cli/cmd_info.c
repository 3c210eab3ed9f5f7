/* cli/cmd_info.c - help, completion, version. */
#include "cli/common.h"
#include <stdio.h>

COMMAND(cmd_help)
{
    auto_buf struct buf text = { 0 };
    const struct command *command;
    bool is_group = false;
    int words;

    command = command_find(arguments->operand_count, arguments->operands, &words, &is_group);
    if (command)
        command_help(command, &text);
    else if (arguments->operand_count && !is_group)
        return usage_error(session, err, "there is no command \"%s\"", arguments->operands[0]);
    else
        commands_help(is_group ? arguments->operands[0] : NULL, &text);
    fputs(text.bytes, stdout);
    return 0;
}

COMMAND(cmd_completion)
{
    auto_buf struct buf text = { 0 };

    if (!str_equal(arguments->operands[0], "bash"))
        return usage_error(session, err, "completion is there for bash only");
    commands_bash(&text);
    fputs(text.bytes, stdout);
    return 0;
}

COMMAND(cmd_version)
{
    printf("virga %s\n", VIRGA_VERSION);
    return 0;
}
