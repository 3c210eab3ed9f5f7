/* kinds/names.c - the naming rules of RFC 1123 and Kubernetes' labels. */
#include "kinds/names.h"
#include "base/str.h"
#include <string.h>

static bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

static bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

static bool is_label_part(const char *text, size_t length)
{
    if (length == 0 || length > 63)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_lower_alnum(text[i]) && text[i] != '-')
            return false;
    return text[0] != '-' && text[length - 1] != '-';
}

bool name_is_label(const char *text) { return is_label_part(text, strlen(text)); }

bool name_is_subdomain(const char *text)
{
    if (strlen(text) > 253)
        return false;
    for (;;) {
        size_t length = strcspn(text, ".");

        /* The whole is bounded, a single part of a subdomain is not (as in Kubernetes). */
        if (length == 0 || !is_lower_alnum(text[0]) || !is_lower_alnum(text[length - 1]))
            return false;
        for (size_t i = 0; i < length; i++)
            if (!is_lower_alnum(text[i]) && text[i] != '-')
                return false;
        if (!text[length])
            return true;
        text += length + 1;
    }
}

static bool is_name_part(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length > 63 || !is_alnum(text[0]) || !is_alnum(text[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_alnum(text[i]) && !strchr("-_.", text[i]))
            return false;
    return true;
}

bool name_is_qualified(const char *text)
{
    const char *slash = strchr(text, '/');
    char prefix[254];

    if (!slash)
        return is_name_part(text);
    if (slash == text || (size_t)(slash - text) >= sizeof prefix)
        return false;
    memcpy(prefix, text, (size_t)(slash - text));
    prefix[slash - text] = '\0';
    return name_is_subdomain(prefix) && is_name_part(slash + 1);
}

bool name_is_label_value(const char *text) { return !text[0] || is_name_part(text); }

bool text_is_path_and_query(const char *text)
{
    if (text[0] != '/')
        return false;
    for (; *text; text++)
        if (!is_alnum(*text) && !strchr("/-._~!&()*+,;=:@?", *text))
            return false;
    return true;
}

bool text_is_base64(const char *text)
{
    size_t length = strlen(text), padding = 0;

    if (length % 4 != 0)
        return false;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < length - padding; i++)
        if (!is_alnum(text[i]) && text[i] != '+' && text[i] != '/')
            return false;
    return true;
}

static void add_group(struct buf *text, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = (unsigned)bytes[0] << 16 | (size > 1 ? (unsigned)bytes[1] << 8 : 0) |
                    (size > 2 ? bytes[2] : 0);

    buf_add_char(text, digits[bits >> 18]);
    buf_add_char(text, digits[bits >> 12 & 63]);
    buf_add_char(text, size > 1 ? digits[bits >> 6 & 63] : '=');
    buf_add_char(text, size > 2 ? digits[bits & 63] : '=');
}

char *text_to_base64(const char *bytes, size_t size)
{
    struct buf text = { 0 };

    for (size_t at = 0; at < size; at += 3)
        add_group(&text, (const unsigned char *)bytes + at, size - at);
    return buf_take(&text);
}

bool text_is_percent(const char *text, int *ret_percent)
{
    size_t digits = strspn(text, "0123456789");
    int percent = 0;

    if (digits == 0 || digits > 3 || strcmp(text + digits, "%") != 0)
        return false;
    for (size_t i = 0; i < digits; i++)
        percent = percent * 10 + (text[i] - '0');
    if (percent > 100)
        return false;
    *ret_percent = percent;
    return true;
}
