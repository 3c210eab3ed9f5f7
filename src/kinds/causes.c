/* kinds/causes.c - what is wrong with an object, collected. */
#include "kinds/kind.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

enum { CAUSES_MAX = 64 };

static void add_owned(struct causes *causes, const char *reason, const char *field, char *message)
{
    if (causes->count >= CAUSES_MAX) {
        free(message);
        return;
    }
    causes->items = mem_resize(causes->items, (causes->count + 1) * sizeof causes->items[0]);
    causes->items[causes->count++] =
        (struct cause){ .reason = reason, .field = str_dup(field), .message = message };
}

void causes_add(struct causes *causes, const char *reason, const char *field, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_owned(causes, reason, field, str_vprintf(format, args));
    va_end(args);
}

void causes_invalid(struct causes *causes, const char *field, const json_t *value,
                    const char *format, ...)
{
    va_list args;

    va_start(args, format);
    auto_free char *why = str_vprintf(format, args);
    va_end(args);
    auto_free char *text = value ? json_text(value) : str_dup("null");
    enum { SHOWN_MAX = 200 };
    if (strlen(text) > SHOWN_MAX)
        text[SHOWN_MAX] = '\0';
    add_owned(causes, "FieldValueInvalid", field, str_printf("Invalid value: %s: %s", text, why));
}

void causes_done(struct causes *causes)
{
    for (size_t i = 0; i < causes->count; i++) {
        free(causes->items[i].field);
        free(causes->items[i].message);
    }
    free(causes->items);
    *causes = (struct causes){ 0 };
}

void causes_done_auto(struct causes *causes) { causes_done(causes); }
