/* elastic/exposition.c - line by line; what is no sample of the metric is passed over. */
#include "elastic/exposition.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_SIZE_MAX = 64 };

/* The rest of a line. */
struct rest {
    const char *at, *end;
};

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static void skip_blanks(struct rest *rest)
{
    while (rest->at < rest->end && is_blank(*rest->at))
        rest->at++;
}

/* Takes 'word' when a blank, a '{' or the end follows it. */
static bool take_word(struct rest *rest, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(rest->end - rest->at) < length || memcmp(rest->at, word, length) != 0)
        return false;
    if (rest->at + length < rest->end && !is_blank(rest->at[length]) && rest->at[length] != '{')
        return false;
    rest->at += length;
    return true;
}

/* "{queue="a}\"b"}": braces may stand in quotes, and quotes behind backslashes. */
static bool skip_labels(struct rest *rest)
{
    bool in_quotes = false;

    if (rest->at == rest->end || *rest->at != '{')
        return true;
    for (rest->at++; rest->at < rest->end; rest->at++) {
        if (in_quotes && *rest->at == '\\')
            rest->at++;
        else if (*rest->at == '"')
            in_quotes = !in_quotes;
        else if (*rest->at == '}' && !in_quotes)
            return rest->at++, true;
    }
    rest->at = rest->end;
    return false;
}

static bool take_number(struct rest *rest, double *ret_value)
{
    char text[NUMBER_SIZE_MAX], *stop;
    size_t length = 0;

    skip_blanks(rest);
    while (rest->at < rest->end && !is_blank(*rest->at) && *rest->at != '\r' &&
           length < sizeof text - 1)
        text[length++] = *rest->at++;
    text[length] = '\0';
    *ret_value = strtod(text, &stop);
    return length > 0 && *stop == '\0' && isfinite(*ret_value);
}

/* "# TYPE NAME counter" */
static bool says_counter(struct rest rest, const char *name)
{
    if (!take_word(&rest, "#"))
        return false;
    skip_blanks(&rest);
    if (!take_word(&rest, "TYPE"))
        return false;
    skip_blanks(&rest);
    if (!take_word(&rest, name))
        return false;
    skip_blanks(&rest);
    return rest.end - rest.at >= 7 && memcmp(rest.at, "counter", 7) == 0;
}

static void read_line(struct rest rest, const char *name, struct exposed *exposed)
{
    double value;

    if (rest.at < rest.end && *rest.at == '#') {
        exposed->is_counter = exposed->is_counter || says_counter(rest, name);
        return;
    }
    skip_blanks(&rest);
    if (!take_word(&rest, name))
        return;
    skip_blanks(&rest);
    if (!skip_labels(&rest) || !take_number(&rest, &value)) {
        exposed->refused++;
        return;
    }
    exposed->sum += value;
    exposed->series++;
}

void exposition_add(const char *text, size_t size, const char *name, struct exposed *exposed)
{
    const char *end = text + size;

    for (const char *at = text; at < end && *name;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        read_line((struct rest){ at, stop ? stop : end }, name, exposed);
        at = stop ? stop + 1 : end;
    }
}

bool exposition_find(const char *text, size_t size, const char *name, struct exposed *ret_exposed)
{
    struct exposed exposed = { 0 };

    exposition_add(text, size, name, &exposed);
    if (exposed.series == 0 || !isfinite(exposed.sum))
        return false;
    *ret_exposed = exposed;
    return true;
}
