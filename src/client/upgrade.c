/* client/upgrade.c - see upgrade.h */
#include "client/upgrade.h"
#include "base/random.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum { SHA1_SIZE = 20, NONCE_SIZE = 16 };

static char *base64(void *bytes, unsigned size)
{
    gnutls_datum_t in = { bytes, size }, out;
    char *text;

    if (gnutls_base64_encode2(&in, &out) < 0)
        abort(); /* out of memory */
    text = str_dup_part((const char *)out.data, out.size);
    gnutls_free(out.data);
    return text;
}

void upgrade_key(char key[UPGRADE_KEY_LENGTH + 1])
{
    unsigned char nonce[NONCE_SIZE];

    if (gnutls_rnd(GNUTLS_RND_NONCE, nonce, sizeof nonce) < 0)
        abort();
    auto_free char *text = base64(nonce, sizeof nonce);
    memcpy(key, text, UPGRADE_KEY_LENGTH + 1);
}

char *upgrade_request(const char *host, const char *path, const char *key, const char *token)
{
    return str_printf("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                      path, host, key, token ? "Authorization: Bearer " : "", token ? token : "",
                      token ? "\r\n" : "");
}

static char *accept_of(const char *key)
{
    auto_free char *text = str_printf("%s" GUID, key);
    unsigned char digest[SHA1_SIZE];

    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, strlen(text), digest) < 0)
        abort();
    return base64(digest, sizeof digest);
}

/* The value of a header in a head that is NUL-terminated, trimmed. Owned, or NULL. */
static char *header(const char *head, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *value = line + length + 1;
            value += strspn(value, " \t");
            size_t size = strcspn(value, "\r");
            while (size && strchr(" \t", value[size - 1]))
                size--;
            return str_dup_part(value, size);
        }
    }
    return NULL;
}

static int check_accept(const char *head, const char *key, struct err *err)
{
    auto_free char *wanted = accept_of(key), *given = header(head, "Sec-WebSocket-Accept");
    auto_free char *protocol = header(head, "Upgrade");

    if (protocol && strcasecmp(protocol, "websocket") == 0 && str_equal(wanted, given))
        return 0;
    return err_set(err, ERR_UNAVAILABLE, "the server does not speak WebSocket as it should");
}

int upgrade_parse(const char *bytes, size_t size, const char *key,
                  struct upgrade_answer *ret_answer, struct err *err)
{
    const char *end = memmem(bytes, size, "\r\n\r\n", 4);
    struct upgrade_answer answer = { .content_length = -1 };

    if (!end && size < UPGRADE_HEAD_MAX)
        return 0;
    if (!end || size < 12 || !str_starts(bytes, "HTTP/1.") ||
        strspn(bytes + 9, "0123456789") != 3)
        return err_set(err, ERR_UNAVAILABLE, "the server does not answer in HTTP");
    answer.head_size = (size_t)(end - bytes) + 4;
    auto_free char *head = str_dup_part(bytes, answer.head_size);
    auto_free char *length = header(head, "Content-Length");
    answer.status = (int)strtol(bytes + 9, NULL, 10);
    if (length && length[0] && strlen(length) < 10 && strspn(length, "0123456789") == strlen(length))
        answer.content_length = strtol(length, NULL, 10);
    if (answer.status == 101 && check_accept(head, key, err) < 0)
        return -1;
    *ret_answer = answer;
    return 1;
}
