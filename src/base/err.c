/* base/err.c - filling, wrapping and naming errors. */
#include "base/err.h"
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *reason;
    int http_status;
    bool is_retried;
} table[ERR_CODE_COUNT] = {
#define X(code, status, reason_text, again) [code] = { #code, reason_text, status, again },
    ERR_CODES(X)
#undef X
};

/* Shortens 'text' of 'length' bytes so that it does not end inside a UTF-8 character. */
static void cut_partial_character(char *text, size_t length)
{
    size_t start = length;
    unsigned char lead;

    while (start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    lead = (unsigned char)text[start - 1];
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (wanted > length - (start - 1))
        text[start - 1] = '\0';
}

/* Formats into 'to' of ERR_TEXT_MAX bytes, where 'used' are taken; returns the new length. */
static size_t append(char *to, size_t used, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static size_t append(char *to, size_t used, const char *format, va_list args)
{
    int length = vsnprintf(to + used, ERR_TEXT_MAX - used, format, args);

    if (length < 0)
        return used;
    if (used + (size_t)length < ERR_TEXT_MAX)
        return used + (size_t)length;
    cut_partial_character(to, ERR_TEXT_MAX - 1);
    return strlen(to);
}

static size_t append_text(char *to, size_t used, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static size_t append_text(char *to, size_t used, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    used = append(to, used, format, args);
    va_end(args);
    return used;
}

/* The text is made in a buffer of its own, because an argument may be err->text. */
int(err_set)(struct err *err, enum err_code code, const char *format, ...)
{
    char text[ERR_TEXT_MAX] = "";
    va_list args;

    assert(err && code > ERR_NONE && code < ERR_CODE_COUNT);
    va_start(args, format);
    append(text, 0, format, args);
    va_end(args);
    err->code = code;
    strcpy(err->text, text);
    return -1;
}

static enum err_code code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case EEXIST:
        return ERR_ALREADY_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_FORBIDDEN;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_IO;
    }
}

int(err_errno)(struct err *err, const char *format, ...)
{
    int number = errno;
    const char *description = strerrordesc_np(number);
    char text[ERR_TEXT_MAX] = "";
    size_t used;
    va_list args;

    assert(err);
    va_start(args, format);
    used = append(text, 0, format, args);
    va_end(args);
    if (description)
        append_text(text, used, ": %s", description);
    else
        append_text(text, used, ": error %d", number);
    err->code = code_of_errno(number);
    strcpy(err->text, text);
    return -1;
}

int(err_wrap)(struct err *err, const char *format, ...)
{
    char text[ERR_TEXT_MAX] = "";
    size_t used;
    va_list args;

    assert(err);
    va_start(args, format);
    used = append(text, 0, format, args);
    va_end(args);
    append_text(text, used, ": %s", err->text);
    strcpy(err->text, text);
    return -1;
}

void err_clear(struct err *err)
{
    err->code = ERR_NONE;
    err->text[0] = '\0';
}

int err_http_status(enum err_code code)
{
    assert(code < ERR_CODE_COUNT);
    return table[code].http_status;
}

const char *err_reason(enum err_code code)
{
    assert(code < ERR_CODE_COUNT);
    return table[code].reason;
}

bool err_is_retried(enum err_code code)
{
    assert(code < ERR_CODE_COUNT);
    return table[code].is_retried;
}

const char *err_code_name(enum err_code code)
{
    assert(code < ERR_CODE_COUNT);
    return table[code].name;
}
