/* cli/progress.h - what is under way, on standard error: one line that changes on a terminal,
 * lines elsewhere. */
#pragma once
#include "cli/command.h"

/* Shows 'text': cut to the terminal's width. Elsewhere it is a line of its own. */
void progress_show(const struct session *session, const char *text);
/* Takes the line away again before something else is printed. */
void progress_clear(const struct session *session);
/* "[######----]  40% of 1.2Gi, 12Mi/s"; 'total' 0 or less: unknown. Owned. Pure. */
char *progress_bar(int64_t done, int64_t total, int64_t elapsed_ms);
/* Of a clock that only goes on. */
int64_t monotonic_ms(void);
