/* kinds/kind.c - finding kinds and fields in the tables. */
#include "kinds/kind.h"
#include "kinds/tables/tables.h"
#include "base/str.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

const struct kind *kind_find(const char *group, const char *version, const char *plural)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        if (str_equal((*kind)->group, group) && str_equal((*kind)->version, version) &&
            str_equal((*kind)->plural, plural))
            return *kind;
    return NULL;
}

const struct kind *kind_find_object(const char *api_version, const char *kind_name)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        if (str_equal((*kind)->name, kind_name) && str_equal(kind_api_version(*kind), api_version))
            return *kind;
    return NULL;
}

static bool is_short_name(const struct kind *kind, const char *name)
{
    for (const char *const *text = kind->short_names; text && *text; text++)
        if (strcasecmp(*text, name) == 0)
            return true;
    return false;
}

const struct kind *kind_find_name(const char *name)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        if (strcasecmp((*kind)->name, name) == 0 || strcasecmp((*kind)->plural, name) == 0 ||
            strcasecmp((*kind)->singular, name) == 0 || is_short_name(*kind, name))
            return *kind;
    return NULL;
}

const char *kind_api_version(const struct kind *kind)
{
    static const struct {
        const char *group, *version, *text;
    } known[] = {
        { "", "v1", "v1" },
        { VIRGA_GROUP, VIRGA_API_V1, VIRGA_API_VERSION },
        { "metrics.k8s.io", "v1beta1", "metrics.k8s.io/v1beta1" },
        { "apiextensions.k8s.io", "v1", "apiextensions.k8s.io/v1" },
        { "autoscaling", "v2", "autoscaling/v2" },
        { "autoscaling", "v1", "autoscaling/v1" },
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (str_equal(known[i].group, kind->group) && str_equal(known[i].version, kind->version))
            return known[i].text;
    return kind->version;
}

void kind_resource_name(const struct kind *kind, char *to, size_t size)
{
    if (str_is_empty(kind->group))
        snprintf(to, size, "%s", kind->plural);
    else
        snprintf(to, size, "%s.%s", kind->plural, kind->group);
}

const struct connect *kind_find_connect(const struct kind *kind, const char *name)
{
    for (const struct connect *connect = kind->connects; connect && connect->name; connect++)
        if (str_equal(connect->name, name))
            return connect;
    return NULL;
}

const struct field *kind_metadata_fields(void) { return metadata_fields; }

const struct field *field_find(const struct field *fields, const char *name)
{
    for (const struct field *field = fields; field && field->name; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

static const struct field *find_part(const struct field *fields, const char *part, size_t length)
{
    for (const struct field *field = fields; field && field->name; field++)
        if (strlen(field->name) == length && memcmp(field->name, part, length) == 0)
            return field;
    return NULL;
}

/* The table below 'field': its own, or that of its items. */
static const struct field *fields_below(const struct field *field)
{
    while (field && (field->type == FIELD_LIST || field->type == FIELD_MAP))
        field = field->item;
    return field && field->type == FIELD_OBJECT ? field->fields : NULL;
}

const struct field *kind_field(const struct kind *kind, const char *path)
{
    const struct field *fields = kind->fields, *field = NULL;

    if (str_starts(path, "metadata.")) {
        fields = metadata_fields;
        path += strlen("metadata.");
    }
    while (*path) {
        size_t length = strcspn(path, ".");

        field = find_part(fields, path, length);
        if (!field)
            return NULL;
        fields = fields_below(field);
        path += length + (path[length] == '.');
    }
    return field;
}
