/* base/json.c - jansson, held to the project's rules. */
#include "base/json.h"
#include "base/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARSE_FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
    WRITE_FLAGS = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15),
};

/* jansson then never fails for want of memory: what still fails is wrong input. */
__attribute__((constructor)) static void use_aborting_allocator(void)
{
    json_set_alloc_funcs(mem_alloc, free);
}

void json_decref_auto_(json_t **value) { json_decref(*value); }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct survey {
    size_t too_deep; /* offset of the bracket that nests deeper than JSON_DEPTH_MAX, or the size */
    bool has_real;
};

/* The end of the string whose text begins at 'i': its closing quote, or the size. */
static size_t skip_string(const char *text, size_t size, size_t i)
{
    while (i < size && text[i] != '"')
        i += text[i] == '\\' ? 2 : 1;
    return i < size ? i : size;
}

/* Looks the text over before it is parsed: a hostile body costs neither memory nor stack. */
static struct survey look_over(const char *text, size_t size)
{
    struct survey survey = { .too_deep = size };
    unsigned depth = 0;

    for (size_t i = 0; i < size; i++) {
        switch (text[i]) {
        case '"':
            i = skip_string(text, size, i + 1);
            break;
        case '{':
        case '[':
            if (++depth > JSON_DEPTH_MAX) {
                survey.too_deep = i;
                return survey;
            }
            break;
        case '}':
        case ']':
            depth -= depth > 0;
            break;
        case '.':
        case 'E':
        case 'e': /* but for the one in "true" and "false" */
            survey.has_real |= text[i] != 'e' || (i > 0 && is_digit(text[i - 1]));
            break;
        default:
            break;
        }
    }
    return survey;
}

/* With 15 digits the largest reals round up to what nobody can read back. */
static bool has_unwritable_real(const json_t *value)
{
    const char *name;
    json_t *child;
    size_t i;

    if (json_is_real(value))
        return json_real_value(value) >= 1.797693134862315e308 ||
               json_real_value(value) <= -1.797693134862315e308;
    json_array_foreach (value, i, child)
        if (has_unwritable_real(child))
            return true;
    json_object_foreach ((json_t *)value, name, child)
        if (has_unwritable_real(child))
            return true;
    return false;
}

/* Sets "line L, column C: nested deeper ..." for byte 'at', counting characters as jansson does. */
static void set_too_deep(const char *text, size_t at, struct err *err)
{
    int line = 1;
    int column = 1;

    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n')
            line++, column = 1;
        else if (((unsigned char)text[i] & 0xc0) != 0x80)
            column++;
    }
    err_set(err, ERR_BAD_REQUEST, "line %d, column %d: nested deeper than %d levels", line, column,
            JSON_DEPTH_MAX);
}

static void set_parse_error(const json_error_t *error, struct err *err)
{
    const char *text = error->text;

    switch (json_error_code(error)) {
    case json_error_null_character:
    case json_error_null_byte_in_key:
        text = "the character U+0000 is not allowed";
        break;
    case json_error_invalid_utf8:
        text = "not valid UTF-8";
        break;
    case json_error_numeric_overflow:
        text = "number out of range";
        break;
    default:
        break;
    }
    err_set(err, ERR_BAD_REQUEST, "line %d, column %d: %s", error->line, error->column, text);
}

json_t *json_parse(const char *text, size_t size, struct err *err)
{
    struct survey survey = look_over(text, size);
    json_error_t error;
    json_t *value;

    if (survey.too_deep < size) {
        set_too_deep(text, survey.too_deep, err);
        return NULL;
    }
    value = json_loadb(text, size, PARSE_FLAGS, &error);
    if (!value) {
        set_parse_error(&error, err);
    } else if (survey.has_real && has_unwritable_real(value)) {
        err_set(err, ERR_BAD_REQUEST, "number out of range");
        json_decref(value);
        value = NULL;
    }
    return value;
}

static int add_to_buf(const char *bytes, size_t size, void *buf)
{
    buf_add(buf, bytes, size);
    return 0;
}

/* Fails only on a value that contains itself, which only a bug can build. */
void json_write(const json_t *value, struct buf *to)
{
    int failed = json_dump_callback(value, add_to_buf, to, WRITE_FLAGS);

    assert(!failed);
    (void)failed;
}

char *json_text(const json_t *value)
{
    struct buf buf = { 0 };

    buf_reserve(&buf, 1000);
    json_write(value, &buf);
    return buf_take(&buf);
}

/* Follows "[3]" at '*path' into 'list'; NULL when there is no such item. */
static json_t *step_into_list(json_t *list, const char **path)
{
    char *end;
    unsigned long index;

    if (!is_digit((*path)[1]))
        return NULL;
    index = strtoul(*path + 1, &end, 10);
    if (*end != ']')
        return NULL;
    *path = end + 1;
    return json_array_get(list, index);
}

/* Follows "name" at '*path' into 'object'. */
static json_t *step_into_object(json_t *object, const char **path)
{
    const char *name = *path;
    size_t length = strcspn(name, ".[");

    *path = name + length;
    return json_object_getn(object, name, length);
}

json_t *json_at(const json_t *object, const char *path)
{
    json_t *value = (json_t *)object; /* jansson's getters for children give non-const too */
    bool is_first = true;

    while (value && *path) {
        if (*path == '[') {
            value = step_into_list(value, &path);
        } else if (is_first || *path == '.') {
            path += !is_first;
            value = step_into_object(value, &path);
        } else {
            return NULL;
        }
        is_first = false;
    }
    return value;
}

const char *json_text_at(const json_t *object, const char *path, const char *fallback)
{
    const json_t *value = json_at(object, path);

    return json_is_string(value) ? json_string_value(value) : fallback;
}

int64_t json_int_at(const json_t *object, const char *path, int64_t fallback)
{
    const json_t *value = json_at(object, path);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool json_bool_at(const json_t *object, const char *path, bool fallback)
{
    const json_t *value = json_at(object, path);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/* The object 'name' in 'object', made when it is missing or something else; NULL when
 * 'name' is no UTF-8. */
static json_t *make_object(json_t *object, const char *name, size_t length)
{
    json_t *child = json_object_getn(object, name, length);

    if (json_is_object(child))
        return child;
    child = json_object();
    return json_object_setn_new(object, name, length, child) == 0 ? child : NULL;
}

void json_set_at(json_t *object, const char *path, json_t *take_value)
{
    size_t length = strcspn(path, ".");

    assert(json_is_object(object) && path[0] && !strchr(path, '['));
    for (; object && path[length]; length = strcspn(path, ".")) {
        object = make_object(object, path, length);
        path += length + 1;
    }
    json_object_setn_new(object, path, length, take_value);
}

bool json_remove_at(json_t *object, const char *path)
{
    const char *last = strrchr(path, '.');

    if (!last)
        return json_object_del(object, path) == 0;
    auto_free char *parent = str_dup_part(path, (size_t)(last - path));
    return json_object_del(json_at(object, parent), last + 1) == 0;
}

json_t *json_printf(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    auto_free char *text = str_vprintf(format, args);
    va_end(args);
    return json_string_repaired(text, strlen(text));
}

json_t *json_string_repaired(const char *bytes, size_t size)
{
    json_t *string = json_stringn(bytes, size);
    auto_buf struct buf repaired = { 0 };

    if (string && !memchr(bytes, 0, size))
        return string;
    json_decref(string);
    for (size_t at = 0; at < size;) {
        size_t length = str_utf8_size(bytes + at, size - at);

        if (length && bytes[at])
            buf_add(&repaired, bytes + at, length);
        else
            buf_add_text(&repaired, "\xef\xbf\xbd");
        at += length ? length : 1;
    }
    return json_stringn(repaired.bytes, repaired.size);
}

/* Also those of ISO 6429 beyond ASCII, U+0080 to U+009F. */
static size_t control_size(const char *at)
{
    if ((unsigned char)*at < ' ' || *at == 0x7f)
        return 1;
    return (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] < 0xa0 ? 2 : 0;
}

json_t *json_string_plain(const char *text)
{
    auto_json json_t *repaired = json_string_repaired(text, strlen(text));
    auto_free char *plain = str_dup(json_string_value(repaired));
    size_t length = 0; /* without controls at the end */

    for (char *at = plain; *at;) {
        size_t size = control_size(at);

        memset(at, ' ', size);
        at += size ? size : 1;
        if (!size)
            length = (size_t)(at - plain);
    }
    return json_stringn(plain, length);
}
