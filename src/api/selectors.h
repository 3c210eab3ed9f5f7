/* api/selectors.h - label and field selectors. Pure. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "kinds/kind.h"

/* How a selector asks for an object's labels or fields; NULL means absent. */
typedef const char *selector_value_fn(const void *object, const char *key);

enum selector_test {
    SELECT_IN,     /* "=", "==" and "in" */
    SELECT_NOT_IN, /* "!=" and "notin"; also holds when absent */
    SELECT_EXISTS,
    SELECT_ABSENT,
};

struct requirement {
    char *key;
    enum selector_test test;
    size_t value_count;
    char **values;
};

/* All requirements must hold; none: everything matches. */
struct selector {
    struct requirement *items;
    size_t count;
};

enum { SELECTOR_COUNT_MAX = 256 };

/* "a=b,c in (x,y),!d". NULL and empty text select everything. ERR_BAD_REQUEST says where the
 * text goes wrong. Done with selector_done() in any case. */
int selector_parse_labels(const char *text, struct selector *ret_selector, struct err *err);
/* "metadata.name=web,status.phase!=Running". Fields that 'kind' does not list are refused with
 * ERR_BAD_REQUEST "field label not supported: ...". */
int selector_parse_fields(const char *text, const struct kind *kind, struct selector *ret_selector,
                          struct err *err);
bool selector_matches(const struct selector *selector, const void *object,
                      selector_value_fn *value_of);
/* The one value that 'key' must have, or NULL: lets a list look up a single name. */
const char *selector_only_value(const struct selector *selector, const char *key);
void selector_done(struct selector *selector);
