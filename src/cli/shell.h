/* cli/shell.h - words for other programs' command lines. Pure. */
#pragma once

/* One word for sh, whatever is in it. Owned. */
char *shell_quote(const char *word);
/* ssh expands % in ProxyCommand. Owned. */
char *ssh_escape(const char *command);
