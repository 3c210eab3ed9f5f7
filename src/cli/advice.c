/* cli/advice.c - the causes of a Status know the field, its details the kind. */
#include "cli/advice.h"
#include "base/str.h"
#include <string.h>

/* As "virga explain" writes it: without indices. Owned. */
static char *plain_field(const char *field)
{
    auto_buf struct buf plain = { 0 };

    while (*field) {
        size_t length = strcspn(field, "[");

        buf_add(&plain, field, length);
        field += length;
        if (*field)
            field += strcspn(field, "]") + (strchr(field, ']') != NULL);
    }
    return buf_take(&plain);
}

static char *advice_on_field(const char *kind, const char *field)
{
    auto_free char *plain = plain_field(field);

    return str_printf("\"virga explain %s.%s\" tells what it takes", kind, plain);
}

char *advice_of(const json_t *details)
{
    const json_t *causes = json_object_get(details, "causes");
    const char *kind = json_text_at(details, "kind", ""), *name = json_text_at(details, "name", "");
    const char *field = json_text_at(json_array_get(causes, 0), "field", "");

    if (!kind[0])
        return NULL;
    if (strncmp(field, "spec.", strlen("spec.")) == 0)
        return advice_on_field(kind, field);
    if (causes || !name[0])
        return NULL;
    return str_printf("\"virga get %s\" lists what there is", kind);
}
