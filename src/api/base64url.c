/* api/base64url.c - base64 with the alphabet for URLs, on GnuTLS' base64. */
#include "api/base64url.h"
#include "base/str.h"
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

static void replace(char *text, char from, char to)
{
    for (; *text; text++)
        if (*text == from)
            *text = to;
}

char *base64url_encode(const void *bytes, size_t size)
{
    gnutls_datum_t in = { (unsigned char *)bytes, (unsigned)size }, out;
    char *text;

    if (!size || gnutls_base64_encode2(&in, &out) < 0)
        return str_dup("");
    text = str_dup_part((const char *)out.data, out.size);
    gnutls_free(out.data);
    text[strcspn(text, "=")] = 0;
    replace(text, '+', '-');
    replace(text, '/', '_');
    return text;
}

char *base64url_decode(const char *text, size_t length, size_t *ret_size)
{
    static const char *const padding[] = { "", "===", "==", "=" };
    auto_free char *bare = str_dup_part(text, length);
    gnutls_datum_t in, out;
    char *copy;

    bare[strcspn(bare, "=")] = 0;
    if (strcspn(bare, "+/\r\n \t") != strlen(bare))
        return NULL;
    replace(bare, '-', '+');
    replace(bare, '_', '/');
    auto_free char *padded = str_printf("%s%s", bare, padding[strlen(bare) % 4]);
    in = (gnutls_datum_t){ (unsigned char *)padded, (unsigned)strlen(padded) };
    if (!in.size || gnutls_base64_decode2(&in, &out) < 0)
        return NULL;
    copy = str_dup_part((const char *)out.data, out.size);
    *ret_size = out.size;
    gnutls_free(out.data);
    return copy;
}
