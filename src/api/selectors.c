/* api/selectors.c - label and field selectors. */
#include "api/selectors.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

/* --- matching --- */

static bool is_among(const struct requirement *requirement, const char *value)
{
    for (size_t i = 0; i < requirement->value_count; i++)
        if (strcmp(requirement->values[i], value) == 0)
            return true;
    return false;
}

static bool requirement_holds(const struct requirement *requirement, const char *value)
{
    switch (requirement->test) {
    case SELECT_IN:
        return value && is_among(requirement, value);
    case SELECT_NOT_IN:
        return !value || !is_among(requirement, value);
    case SELECT_EXISTS:
        return value != NULL;
    case SELECT_ABSENT:
        return value == NULL;
    }
    return false;
}

bool selector_matches(const struct selector *selector, const void *object,
                      selector_value_fn *value_of)
{
    for (size_t i = 0; i < selector->count; i++)
        if (!requirement_holds(&selector->items[i], value_of(object, selector->items[i].key)))
            return false;
    return true;
}

const char *selector_only_value(const struct selector *selector, const char *key)
{
    for (size_t i = 0; i < selector->count; i++) {
        const struct requirement *item = &selector->items[i];

        if (item->test == SELECT_IN && item->value_count == 1 && str_equal(item->key, key))
            return item->values[0];
    }
    return NULL;
}

void selector_done(struct selector *selector)
{
    for (size_t i = 0; i < selector->count; i++) {
        for (size_t j = 0; j < selector->items[i].value_count; j++)
            free(selector->items[i].values[j]);
        free(selector->items[i].values);
        free(selector->items[i].key);
    }
    free(selector->items);
    *selector = (struct selector){ 0 };
}

static struct requirement *add_requirement(struct selector *selector)
{
    selector->items =
        mem_resize(selector->items, (selector->count + 1) * sizeof selector->items[0]);
    selector->items[selector->count] = (struct requirement){ 0 };
    return &selector->items[selector->count++];
}

static void add_value(struct requirement *requirement, char *take_value)
{
    size_t count = requirement->value_count + 1;

    requirement->values = mem_resize(requirement->values, count * sizeof requirement->values[0]);
    requirement->values[requirement->value_count++] = take_value;
}

/* --- labels --- */

struct reader {
    const char *text;
    const char *at;
};

static int unexpected(const struct reader *reader, const char *wanted, struct err *err)
{
    if (!*reader->at)
        return err_set(
            err, ERR_BAD_REQUEST,
            "unable to parse requirement: the selector \"%.128s\" ends where %s is wanted",
            reader->text, wanted);
    return err_set(err, ERR_BAD_REQUEST,
                   "unable to parse requirement: found '%.16s' in the selector \"%.128s\" where %s "
                   "is wanted",
                   reader->at, reader->text, wanted);
}

static void skip_space(struct reader *reader)
{
    while (*reader->at == ' ' || *reader->at == '\t')
        reader->at++;
}

/* Owned; NULL when there is no word here. */
static char *read_word(struct reader *reader)
{
    size_t length;

    skip_space(reader);
    length = strcspn(reader->at, " \t=!,()<>");
    reader->at += length;
    return length ? str_dup_part(reader->at - length, length) : NULL;
}

static bool read_char(struct reader *reader, char c)
{
    skip_space(reader);
    if (*reader->at != c)
        return false;
    reader->at++;
    return true;
}

static int read_set(struct reader *reader, struct requirement *requirement, struct err *err)
{
    if (!read_char(reader, '('))
        return unexpected(reader, "'('", err);
    do {
        char *value = read_word(reader);

        if (requirement->value_count == SELECTOR_COUNT_MAX) {
            free(value);
            return err_set(err, ERR_BAD_REQUEST, "more than %d values in a selector",
                           SELECTOR_COUNT_MAX);
        }
        add_value(requirement, value ? value : str_dup(""));
    } while (read_char(reader, ','));
    return read_char(reader, ')') ? 0 : unexpected(reader, "',' or ')'", err);
}

static int read_word_operator(struct reader *reader, struct requirement *requirement,
                              struct err *err)
{
    const char *at = reader->at;
    auto_free char *word = read_word(reader);

    if (str_equal(word, "in"))
        requirement->test = SELECT_IN;
    else if (str_equal(word, "notin"))
        requirement->test = SELECT_NOT_IN;
    else {
        reader->at = at;
        skip_space(reader);
        return unexpected(reader, "one of '=', '!=', 'in', 'notin' or ','", err);
    }
    return read_set(reader, requirement, err);
}

static int read_equality(struct reader *reader, struct requirement *requirement,
                         enum selector_test test)
{
    char *value = read_word(reader);

    requirement->test = test;
    add_value(requirement, value ? value : str_dup(""));
    return 0;
}

static int read_requirement(struct reader *reader, struct selector *selector, struct err *err)
{
    struct requirement *requirement = add_requirement(selector);
    bool is_negated = read_char(reader, '!');

    requirement->key = read_word(reader);
    requirement->test = is_negated ? SELECT_ABSENT : SELECT_EXISTS;
    if (!requirement->key)
        return unexpected(reader, "a label key", err);
    skip_space(reader);
    if (is_negated || !*reader->at || *reader->at == ',')
        return 0;
    if (read_char(reader, '!'))
        return read_char(reader, '=') ? read_equality(reader, requirement, SELECT_NOT_IN)
                                      : unexpected(reader, "'='", err);
    if (read_char(reader, '=')) {
        if (*reader->at == '=')
            reader->at++;
        return read_equality(reader, requirement, SELECT_IN);
    }
    return read_word_operator(reader, requirement, err);
}

int selector_parse_labels(const char *text, struct selector *ret_selector, struct err *err)
{
    struct reader reader = { text, text };

    *ret_selector = (struct selector){ 0 };
    if (str_is_empty(text))
        return 0;
    do {
        if (ret_selector->count == SELECTOR_COUNT_MAX)
            return err_set(err, ERR_BAD_REQUEST, "more than %d requirements in a selector",
                           SELECTOR_COUNT_MAX);
        if (read_requirement(&reader, ret_selector, err) < 0)
            return -1;
    } while (read_char(&reader, ','));
    return *reader.at ? unexpected(&reader, "','", err) : 0;
}

/* --- fields --- */

static bool is_selectable(const struct kind *kind, const char *field)
{
    if (str_equal(field, "metadata.name") ||
        (str_equal(field, "metadata.namespace") && (kind->flags & KIND_NAMESPACED)))
        return true;
    for (const char *const *known = kind->selectable; known && *known; known++)
        if (str_equal(*known, field))
            return true;
    return false;
}

/* Field values escape ',', '=' and '\' with a backslash. */
static char *unescape(const char *text, size_t length)
{
    char *copy = str_dup_part(text, length), *to = copy;

    for (const char *from = copy; *from; from++) {
        if (*from == '\\' && from[1])
            from++;
        *to++ = *from;
    }
    *to = 0;
    return copy;
}

static size_t term_length(const char *text)
{
    size_t length = 0;

    while (text[length] && text[length] != ',')
        length += text[length] == '\\' && text[length + 1] ? 2 : 1;
    return length;
}

static int read_term(const char *term, size_t length, const struct kind *kind,
                     struct selector *selector, struct err *err)
{
    const char *equals = memchr(term, '=', length);
    size_t key_length = equals ? (size_t)(equals - term) : 0;
    struct requirement *requirement;
    const char *value;

    if (!equals || !key_length)
        return err_set(err, ERR_BAD_REQUEST,
                       "invalid field selector: \"%.*s\": must be FIELD=VALUE or FIELD!=VALUE",
                       (int)(length > 128 ? 128 : length), term);
    value = equals + 1;
    requirement = add_requirement(selector);
    requirement->test = SELECT_IN;
    if (term[key_length - 1] == '!') {
        requirement->test = SELECT_NOT_IN;
        key_length--;
    } else if ((size_t)(value - term) < length && *value == '=') {
        value++;
    }
    requirement->key = str_dup_part(term, key_length);
    add_value(requirement, unescape(value, length - (size_t)(value - term)));
    if (!is_selectable(kind, requirement->key))
        return err_set(err, ERR_BAD_REQUEST, "field label not supported: %.128s", requirement->key);
    return 0;
}

int selector_parse_fields(const char *text, const struct kind *kind, struct selector *ret_selector,
                          struct err *err)
{
    *ret_selector = (struct selector){ 0 };
    while (!str_is_empty(text)) {
        size_t length = term_length(text);

        if (ret_selector->count == SELECTOR_COUNT_MAX)
            return err_set(err, ERR_BAD_REQUEST, "more than %d requirements in a selector",
                           SELECTOR_COUNT_MAX);
        if (length && read_term(text, length, kind, ret_selector, err) < 0)
            return -1;
        text += length + (text[length] == ',');
    }
    return 0;
}
