/* api/handshake.c - the opening handshake of a WebSocket. */
#include "api/handshake.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define BEARER "base64url.bearer.authorization.k8s.io."

enum { KEY_LENGTH = 24, SHA1_SIZE = 20 };

/* "https://host:port" against "host:port". */
static bool is_same_origin(const char *origin, const char *host)
{
    const char *scheme_end = strstr(origin, "://");

    return scheme_end && host && strcasecmp(scheme_end + 3, host) == 0;
}

bool origin_is_ours(const struct request_headers *headers)
{
    return !headers->origin || is_same_origin(headers->origin, headers->host);
}

int handshake_check(const struct request_headers *headers, struct err *err)
{
    if (!str_equal(headers->websocket_version, "13"))
        return err_set(err, ERR_BAD_REQUEST, "Sec-WebSocket-Version must be 13");
    if (!headers->websocket_key || strlen(headers->websocket_key) != KEY_LENGTH)
        return err_set(err, ERR_BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64");
    if (!origin_is_ours(headers))
        return err_set(err, ERR_FORBIDDEN, "WebSockets from pages of another origin are refused");
    return 0;
}

char *handshake_accept(const char *key)
{
    auto_free char *text = str_printf("%s" GUID, key);
    unsigned char digest[SHA1_SIZE];
    gnutls_datum_t in = { digest, sizeof digest }, out;
    char *accept;

    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, strlen(text), digest) < 0 ||
        gnutls_base64_encode2(&in, &out) < 0)
        abort();
    accept = str_dup_part((const char *)out.data, out.size);
    gnutls_free(out.data);
    return accept;
}

char *handshake_protocol(const char *offered)
{
    while (offered && *offered) {
        size_t length;

        offered += strspn(offered, ", \t");
        length = strcspn(offered, ", \t");
        if (length && strncmp(offered, BEARER, strlen(BEARER)) != 0)
            return str_dup_part(offered, length);
        offered += length;
    }
    return NULL;
}
