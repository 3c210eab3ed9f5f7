/* cli/yaml_write.c - JSON values as block-style YAML. */
#include "cli/manifest.h"
#include "cli/yaml_scalar.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What YAML 1.1, which many still read, takes for booleans and times. */
static bool is_of_yaml_1_1(const char *text)
{
    static const char *const words[] = { "y", "n", "yes", "no", "on", "off" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return *text >= '0' && *text <= '9' && strpbrk(text, ":-_") != NULL;
}

/* The code point that the 'size' bytes of UTF-8 at 'at' are; below U+10000. */
static unsigned code_point(const char *at, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)at;

    return size == 1   ? bytes[0]
           : size == 2 ? (bytes[0] & 31u) << 6 | (bytes[1] & 63u)
                       : (bytes[0] & 15u) << 12 | (bytes[1] & 63u) << 6 | (bytes[2] & 63u);
}

/* Control characters, line breaks beyond ASCII's and byte order marks: YAML folds them or
 * refuses them where JSON takes them as they are. */
static bool needs_escape(unsigned code)
{
    return (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029 || code == 0xfeff ||
           code == 0xfffe || code == 0xffff;
}

static bool has_escapes(const char *text, size_t length)
{
    size_t size;

    for (size_t i = 0; i < length && (size = str_utf8_size(text + i, length - i)); i += size)
        if (size < 4 && needs_escape(code_point(text + i, size)))
            return true;
    return false;
}

/* Whether the text means itself without quotes. Strict: what is not surely safe is quoted. */
static bool is_safe_plain(const char *text, size_t length)
{
    const char *why;
    bool is_text;

    if (strlen(text) != length || has_escapes(text, length) || !*text || is_of_yaml_1_1(text) || strchr("-?:,[]{}#&*!|>'\"%@` ", *text) ||
        text[length - 1] == ' ' || text[length - 1] == ':')
        return false;
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            return false;
    if (strstr(text, ": ") || strstr(text, " #"))
        return false;

    auto_json json_t *value = yaml_plain_scalar(text, &why);
    is_text = json_is_string(value);
    return is_text;
}

/* JSON's text is YAML's double-quoted scalar, but for a few characters. */
static void write_quoted(const json_t *value, struct buf *to)
{
    auto_buf struct buf text = { 0 };
    size_t size;

    json_write(value, &text);
    for (size_t i = 0; i < text.size && (size = str_utf8_size(text.bytes + i, text.size - i)); i += size)
        if (size < 4 && needs_escape(code_point(text.bytes + i, size)))
            buf_printf(to, "\\u%04x", code_point(text.bytes + i, size));
        else
            buf_add(to, text.bytes + i, size);
}

static void write_scalar(const json_t *value, struct buf *to)
{
    if (json_is_string(value) && is_safe_plain(json_string_value(value), json_string_length(value)))
        buf_add_text(to, json_string_value(value));
    else
        write_quoted(value, to);
}

static void write_key(const char *key, struct buf *to)
{
    auto_json json_t *text = json_string(key);

    write_scalar(text, to);
    buf_add_char(to, ':');
}

static bool is_block(const json_t *value)
{
    return json_object_size(value) > 0 || json_array_size(value) > 0;
}

static void write_block(const json_t *value, int indent, bool is_at_start, struct buf *to);

static void write_below(const json_t *value, int indent, struct buf *to)
{
    if (is_block(value)) {
        buf_add_char(to, '\n');
        write_block(value, json_is_array(value) ? indent : indent + 2, false, to);
        return;
    }
    buf_add_char(to, ' ');
    write_scalar(value, to);
    buf_add_char(to, '\n');
}

static void write_indent(int indent, bool *is_at_start, struct buf *to)
{
    if (!*is_at_start)
        buf_printf(to, "%*s", indent, "");
    *is_at_start = false;
}

static void write_map(const json_t *map, int indent, bool is_at_start, struct buf *to)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)map, key, value) {
        write_indent(indent, &is_at_start, to);
        write_key(key, to);
        write_below(value, indent, to);
    }
}

static void write_block(const json_t *value, int indent, bool is_at_start, struct buf *to)
{
    size_t i;
    json_t *item;

    if (json_is_object(value)) {
        write_map(value, indent, is_at_start, to);
        return;
    }
    json_array_foreach(value, i, item) {
        write_indent(indent, &is_at_start, to);
        buf_add_text(to, "- ");
        if (is_block(item)) {
            write_block(item, indent + 2, true, to);
        } else {
            write_scalar(item, to);
            buf_add_char(to, '\n');
        }
    }
}

void yaml_write(const json_t *value, struct buf *to)
{
    if (is_block(value)) {
        write_block(value, 0, false, to);
        return;
    }
    write_scalar(value, to);
    buf_add_char(to, '\n');
}
