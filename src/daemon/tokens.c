/* daemon/tokens.c - who a bearer token belongs to. */
#include "daemon/tokens.h"
#include "base/quantity.h"
#include "base/str.h"
#include "store/object.h"
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *decode(const json_t *secret, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(secret, "data"), key));
    gnutls_datum_t base64 = { (unsigned char *)text, text ? (unsigned)strlen(text) : 0 }, bytes;
    char *copy;

    if (!text || !text[0] || gnutls_base64_decode2(&base64, &bytes) < 0)
        return NULL;
    copy = str_dup_part((char *)bytes.data, bytes.size);
    gnutls_free(bytes.data);
    return copy;
}

static void digest_hex(const char *token, char hex[65])
{
    unsigned char bytes[32];

    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, token, strlen(token), bytes) < 0)
        abort();
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

/* An end that is there but cannot be read has passed. */
static bool has_expired(const json_t *secret)
{
    auto_free char *expires = decode(secret, "expires");
    int64_t wall_ms;
    struct err err;

    if (!json_object_get(json_object_get(secret, "data"), "expires"))
        return false;
    return !expires || time_parse(expires, &wall_ms, &err) < 0 || wall_ms / 1000 <= time(NULL);
}

static bool matches(const json_t *secret, const char hex[65])
{
    auto_free char *stored = decode(secret, "sha256");

    return str_equal(json_text_at(secret, "type", NULL), TOKEN_SECRET_TYPE) && stored &&
           strlen(stored) == 64 && gnutls_memcmp(stored, hex, 64) == 0 && !has_expired(secret);
}

/* NULL when the token names no user: groups alone are nobody's. */
static json_t *user_of(const json_t *secret)
{
    auto_free char *user = decode(secret, "user");
    auto_free char *groups = decode(secret, "groups");
    char *rest = groups, *group;
    json_t *list;

    if (str_is_empty(user))
        return NULL;
    list = json_array();

    while (rest && (group = strsep(&rest, ",")))
        if (group[0])
            json_array_append_new(list, json_string_repaired(group, strlen(group)));
    return json_pack("{s:o,s:o}", "name", json_string_repaired(user, strlen(user)), "groups", list);
}

json_t *token_user(struct store *store, const char *token)
{
    auto_free char *prefix = object_key("", "secrets", TOKEN_NAMESPACE, NULL);
    json_t *user = NULL;
    char hex[65];
    size_t count;
    struct record **records = store->ops->list(store, prefix, NULL, 0, &count, NULL);

    digest_hex(token, hex);
    for (size_t i = 0; i < count && !user; i++) {
        auto_json json_t *secret = object_decode(records[i]);
        if (matches(secret, hex))
            user = user_of(secret);
    }
    record_list_free(records, count);
    return user;
}
