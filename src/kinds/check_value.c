/* kinds/check_value.c - formats and bounds of single values. */
#include "kinds/check_value.h"
#include "kinds/names.h"
#include "base/netaddr.h"
#include "base/quantity.h"
#include "base/str.h"
#include <inttypes.h>
#include <string.h>

enum { TEXT_LENGTH_MAX = 4096 };

const char *field_type_name(enum field_type type)
{
    switch (type) {
    case FIELD_INT:
    case FIELD_PORT:
        return "integer";
    case FIELD_BOOL:
        return "boolean";
    case FIELD_NUMBER:
        return "number";
    case FIELD_OBJECT:
    case FIELD_MAP:
        return "object";
    case FIELD_LIST:
        return "array";
    case FIELD_ANY:
        return "any value";
    default:
        return "string";
    }
}

static bool has_bounds(const struct field *field) { return field->min != field->max; }

static void check_integer(const struct field *field, const json_t *value, const char *path,
                          struct causes *causes)
{
    int64_t min = field->type == FIELD_PORT ? 1 : field->min;
    int64_t max = field->type == FIELD_PORT ? 65535 : field->max;
    int64_t number = json_integer_value(value);

    if (min != max && (number < min || number > max))
        causes_invalid(causes, path, value, "must be from %" PRId64 " to %" PRId64, min, max);
}

static void check_share(const struct field *field, const json_t *value, const char *path, struct causes *causes)
{
    int ignored;

    if (json_is_integer(value))
        check_integer(field, value, path, causes);
    else if (!json_is_string(value) || !text_is_percent(json_string_value(value), &ignored))
        causes_invalid(causes, path, value, "must be an integer, or of 0%% to 100%% a text such as \"25%%\"");
}

static void check_number(const struct field *field, const json_t *value, const char *path,
                         struct causes *causes)
{
    double number = json_number_value(value);

    if (has_bounds(field) && (number < (double)field->min || number > (double)field->max))
        causes_invalid(causes, path, value, "must be from %" PRId64 " to %" PRId64, field->min,
                       field->max);
}

static void check_quantity_bounds(const struct field *field, const json_t *value, int64_t number,
                                  const char *path, struct causes *causes)
{
    char min[32], max[32];

    if (!has_bounds(field) ? number >= 0 : number >= field->min && number <= field->max)
        return;
    quantity_format_bytes(field->min, min, sizeof min);
    quantity_format_bytes(field->max, max, sizeof max);
    if (!has_bounds(field))
        causes_invalid(causes, path, value, "must not be negative");
    else
        causes_invalid(causes, path, value, "must be from %s to %s", min, max);
}

static void check_quantity(const struct field *field, const json_t *value, const char *path,
                           struct causes *causes)
{
    struct err err;
    int64_t number = 0;

    if (json_is_integer(value)) {
        number = json_integer_value(value);
    } else if (!json_is_string(value)) {
        causes_invalid(causes, path, value,
                       "must be a quantity such as \"512Mi\", \"2Gi\" or \"500m\"");
        return;
    } else if (quantity_parse(json_string_value(value), &number, &err) < 0) {
        causes_invalid(causes, path, value, "%s", err.text);
        return;
    }
    check_quantity_bounds(field, value, number, path, causes);
}

static void check_enum(const struct field *field, const json_t *value, const char *path,
                       struct causes *causes)
{
    auto_buf struct buf allowed = { 0 };

    for (const char *const *text = field->values; *text; text++) {
        if (str_equal(*text, json_string_value(value)))
            return;
        buf_printf(&allowed, "%s\"%s\"", allowed.size ? ", " : "", *text);
    }
    auto_free char *shown = json_text(value);
    causes_add(causes, "FieldValueNotSupported", path,
               "Unsupported value: %s: supported values: %s", shown, allowed.bytes);
}

static void check_text_length(const struct field *field, const json_t *value, const char *path,
                              struct causes *causes)
{
    size_t length = strlen(json_string_value(value));
    int64_t max = field->max ? field->max : TEXT_LENGTH_MAX;

    if ((int64_t)length > max)
        causes_add(causes, "FieldValueTooLong", path,
                   "Too long: may not be more than %" PRId64 " bytes", max);
    else if ((int64_t)length < field->min)
        causes_invalid(causes, path, value, "must be at least %" PRId64 " characters", field->min);
}

static bool is_url(const char *text)
{
    return (str_starts(text, "http://") && text[7] > ' ' && text[7] != '/') ||
           (str_starts(text, "https://") && text[8] > ' ' && text[8] != '/');
}

static bool is_clean_path(const char *text)
{
    return text[0] == '/' && !strstr(text, "/../") && !str_ends(text, "/..") &&
           strlen(text) < 4096;
}

static bool has_control_or_space(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return true;
    return false;
}

static int check_address(enum field_type type, const char *text, struct err *err)
{
    struct ip_addr addr;
    struct ip_prefix prefix;
    struct mac_addr mac;
    bool want4 = type == FIELD_IPV4 || type == FIELD_PREFIX4;
    uint8_t family;

    if (type == FIELD_MAC)
        return mac_parse(text, &mac, err);
    if (type == FIELD_PREFIX4 || type == FIELD_PREFIX6) {
        if (ip_prefix_parse(text, &prefix, err) < 0)
            return -1;
        family = prefix.addr.family;
    } else {
        if (ip_parse(text, &addr, err) < 0)
            return -1;
        family = addr.family;
    }
    if (type != FIELD_IP && family != (want4 ? 4 : 6))
        return err_set(err, ERR_INVALID, "must be IPv%d, such as %s%s", want4 ? 4 : 6,
                       want4 ? "10.0.0." : "fd00::",
                       type == FIELD_PREFIX4   ? "0/24"
                       : type == FIELD_PREFIX6 ? "/64"
                                               : "1");
    return 0;
}

/* The rule that 'text' breaks, or NULL. 'err' is room for a parser's own words. */
static const char *broken_rule(enum field_type type, const char *text, struct err *err)
{
    int64_t ignored;

    switch (type) {
    case FIELD_NAME:
        return name_is_label(text) ? NULL : NAME_LABEL_RULE;
    case FIELD_SUBDOMAIN:
        return name_is_subdomain(text) ? NULL : NAME_SUBDOMAIN_RULE;
    case FIELD_DURATION:
        return duration_parse(text, &ignored, err) < 0 ? err->text : NULL;
    case FIELD_TIME:
        return time_parse(text, &ignored, err) < 0 ? err->text : NULL;
    case FIELD_IP:
    case FIELD_IPV4:
    case FIELD_IPV6:
    case FIELD_PREFIX4:
    case FIELD_PREFIX6:
    case FIELD_MAC:
        return check_address(type, text, err) < 0 ? err->text : NULL;
    case FIELD_URL:
        return is_url(text) && !has_control_or_space(text)
                   ? NULL
                   : "must be an http:// or https:// address";
    case FIELD_PATH:
        return is_clean_path(text) ? NULL : "must be an absolute path without \"..\"";
    case FIELD_BASE64:
        return text_is_base64(text) ? NULL : "must be base64 (RFC 4648)";
    default:
        return NULL;
    }
}

static void check_duration_bounds(const struct field *field, const json_t *value, const char *path,
                                  struct causes *causes)
{
    int64_t ms;
    struct err err;
    char min[32], max[32];

    if (!has_bounds(field) || duration_parse(json_string_value(value), &ms, &err) < 0 ||
        (ms >= field->min && ms <= field->max))
        return;
    duration_format(field->min, min, sizeof min);
    duration_format(field->max, max, sizeof max);
    causes_invalid(causes, path, value, "must be from %s to %s", min, max);
}

static void check_text(const struct field *field, const json_t *value, const char *path,
                       struct causes *causes)
{
    struct err err;
    const char *rule = broken_rule(field->type, json_string_value(value), &err);

    if (rule)
        causes_invalid(causes, path, value, "%s", rule);
    else if (field->type == FIELD_ENUM)
        check_enum(field, value, path, causes);
    else if (field->type == FIELD_DURATION)
        check_duration_bounds(field, value, path, causes);
    else if (field->type == FIELD_TEXT || field->type == FIELD_URL)
        check_text_length(field, value, path, causes);
}

void check_scalar(const struct field *field, const json_t *value, const char *path,
                  struct causes *causes)
{
    const char *wanted = field_type_name(field->type);

    if (field->type == FIELD_QUANTITY)
        check_quantity(field, value, path, causes);
    else if (field->type == FIELD_SHARE)
        check_share(field, value, path, causes);
    else if (str_equal(wanted, "integer") && json_is_integer(value))
        check_integer(field, value, path, causes);
    else if (field->type == FIELD_NUMBER && json_is_number(value))
        check_number(field, value, path, causes);
    else if (str_equal(wanted, "string") && json_is_string(value))
        check_text(field, value, path, causes);
    else if (!(field->type == FIELD_BOOL && json_is_boolean(value)) && field->type != FIELD_ANY)
        causes_invalid(causes, path, value, "must be of type %s", wanted);
}
