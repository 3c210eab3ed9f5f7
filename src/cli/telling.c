/* cli/telling.c - see telling.h */
#include "cli/telling.h"
#include "base/str.h"
#include <stdlib.h>

void telling_done(struct telling *telling)
{
    free(telling->phase);
    free(telling->line);
    free(telling->brief);
}

static void replace(char **text, char *take_new)
{
    free(*text);
    *text = take_new;
}

const char *telling_hear(struct telling *telling, const char *name, const char *phase,
                         const char *detail)
{
    char *line = str_printf("%s: %s%s%s", name, phase, *detail ? ": " : "", detail);
    bool is_new_phase = !str_equal(phase, telling->phase);
    bool is_new = !str_equal(line, telling->line);

    replace(&telling->phase, str_dup(phase));
    replace(&telling->line, line);
    if (!is_new)
        return NULL;
    telling->ticks = 0;
    telling->said = telling->is_terminal || (is_new_phase && !*detail);
    if (telling->said)
        return telling->line;
    replace(&telling->brief, str_printf("%s: %s", name, phase));
    return is_new_phase ? telling->brief : NULL;
}

const char *telling_tick(struct telling *telling)
{
    if (!telling->line || telling->said || ++telling->ticks < TELLING_PATIENCE)
        return NULL;
    telling->said = true;
    return telling->line;
}
