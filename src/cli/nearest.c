/* cli/nearest.c - by the number of letters to change, drop, add or swap with the next. */
#include "cli/nearest.h"
#include "cli/command.h"
#include <string.h>

enum { LENGTH_MAX = 40 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Damerau's distance, restricted: no letter is edited twice. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][LENGTH_MAX + 1], a_length = strlen(a), b_length = strlen(b);

    if (a_length > LENGTH_MAX || b_length > LENGTH_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i <= a_length; i++) {
        size_t *now = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b_length && i == 0; j++)
            now[j] = j;
        for (size_t j = 1; j <= b_length && i > 0; j++) {
            now[j] = least(least(above[j], now[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], above2[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

struct search {
    const char *word, *best;
    size_t best_distance;
};

static void consider(struct search *search, const char *candidate)
{
    size_t found = distance(search->word, candidate);

    if (found < search->best_distance && found <= (strlen(candidate) + 1) / 3) {
        search->best = candidate;
        search->best_distance = found;
    }
}

const char *nearest_command(const char *word)
{
    struct search search = { word, NULL, SIZE_MAX };

    for (const struct command *row = all_commands; row->name; row++)
        consider(&search, row->name);
    return search.best;
}

const char *nearest_kind(const char *word)
{
    struct search search = { word, NULL, SIZE_MAX };

    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        consider(&search, (*kind)->plural);
    return search.best;
}
