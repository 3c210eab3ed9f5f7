/* cli/base64.c - see base64.h */
#include "cli/base64.h"
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    struct buf out = { 0 };

    for (; size; at += 3) {
        size_t part = size < 3 ? size : 3;
        unsigned bits = (unsigned)at[0] << 16 | (part > 1 ? (unsigned)at[1] << 8 : 0) |
                        (part > 2 ? at[2] : 0u);

        for (size_t i = 0; i < 4; i++)
            buf_add_char(&out, i <= part ? digits[bits >> (18 - 6 * i) & 63] : '=');
        size -= part;
    }
    return buf_take(&out);
}

static int digit_of(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

void base64_decode(const char *text, struct buf *to)
{
    unsigned bits = 0;
    int count = 0, digit;

    for (; (digit = digit_of(*text)) >= 0; text++) {
        bits = (bits << 6 | (unsigned)digit) & 0xffffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_add_char(to, (char)(bits >> count & 0xff));
        }
    }
}
