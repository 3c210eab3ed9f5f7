/* cli/cmd_explain.c - explain: kinds and fields, from the tables; no server is asked. */
#include "cli/common.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[FIELD_TYPE_COUNT] = {
    [FIELD_TEXT] = "text",        [FIELD_NAME] = "name",       [FIELD_SUBDOMAIN] = "name",
    [FIELD_INT] = "integer",      [FIELD_BOOL] = "boolean",    [FIELD_NUMBER] = "number",
    [FIELD_ENUM] = "one of",      [FIELD_QUANTITY] = "size",   [FIELD_DURATION] = "duration",
    [FIELD_TIME] = "time",        [FIELD_IP] = "IP address",   [FIELD_IPV4] = "IPv4 address",
    [FIELD_IPV6] = "IPv6 address", [FIELD_PREFIX4] = "IPv4 prefix", [FIELD_PREFIX6] = "IPv6 prefix",
    [FIELD_MAC] = "MAC address",  [FIELD_PORT] = "port",       [FIELD_URL] = "URL",
    [FIELD_PATH] = "path",        [FIELD_BASE64] = "base64",   [FIELD_OBJECT] = "object",
    [FIELD_LIST] = "list",        [FIELD_MAP] = "map",         [FIELD_ANY] = "any value",
    [FIELD_SHARE] = "integer or per cent",
};

static void print_type(const struct field *field)
{
    printf("<%s", type_names[field->type]);
    if ((field->type == FIELD_LIST || field->type == FIELD_MAP) && field->item)
        printf(" of %s", type_names[field->item->type]);
    for (size_t i = 0; field->values && field->values[i]; i++)
        printf("%s%s", i ? "|" : " ", field->values[i]);
    printf(">%s%s%s", field->flags & FIELD_REQUIRED ? " required" : "",
           field->flags & FIELD_IMMUTABLE ? " immutable" : "",
           field->flags & FIELD_GROWS ? " grows only" : "");
    if (field->fallback)
        printf(" default %s", field->fallback);
    putchar('\n');
}

static const struct field *fields_of(const struct field *field)
{
    return field->fields ? field->fields : field->item ? field->item->fields : NULL;
}

static void print_fields(const struct field *field)
{
    for (; field && field->name; field++) {
        printf("\n  %s ", field->name);
        print_type(field);
        printf("    %s\n", field->doc ? field->doc : "");
    }
}

static int print_kinds(void)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        printf("%-24s %-14s %s\n", (*kind)->plural, kind_api_version(*kind), (*kind)->doc);
    return 0;
}

COMMAND(cmd_explain)
{
    auto_free char *path = str_dup(arguments->operand_count ? arguments->operands[0] : NULL);
    const struct kind *kind;
    const struct field *field;
    char *dot = path ? strchr(path, '.') : NULL;

    if (!path)
        return print_kinds();
    if (dot)
        *dot++ = '\0';
    if (!(kind = find_kind(session, path, err)))
        return -1;
    if (!dot) {
        printf("%s (%s)\n%s\n", kind->name, kind_api_version(kind), kind->doc);
        print_fields(kind->fields);
        return 0;
    }
    if (!(field = kind_field(kind, dot))) {
        session_hint(session, "\"virga explain %s\" lists the first fields", kind->singular);
        return usage_error(session, err, "%s has no field \"%s\"", kind->singular, dot);
    }
    printf("%s.%s ", kind->singular, dot);
    print_type(field);
    printf("%s\n", field->doc ? field->doc : "");
    print_fields(fields_of(field));
    return 0;
}
