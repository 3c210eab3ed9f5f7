/* cli/shell.c - see shell.h */
#include "cli/shell.h"
#include "base/str.h"

char *shell_quote(const char *word)
{
    struct buf out = { 0 };

    buf_add_char(&out, '\'');
    for (; *word; word++)
        if (*word == '\'')
            buf_add_text(&out, "'\\''");
        else
            buf_add_char(&out, *word);
    buf_add_char(&out, '\'');
    return buf_take(&out);
}

char *ssh_escape(const char *command)
{
    struct buf out = { 0 };

    for (; *command; command++)
        buf_add_text(&out, (char[]){ *command, *command == '%' ? '%' : '\0', '\0' });
    return buf_take(&out);
}
