#include "check.h"
#include "control/balancer.h"
#include "pair.h"
#include "base/str.h"
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

/* The certificate, or the key, of a pair in base64. */
static char *part(const char *pem, bool key)
{
    const char *start = strstr(pem, "-----BEGIN PRIVATE");
    gnutls_datum_t from = { (unsigned char *)(uintptr_t)(key ? start : pem),
                            (unsigned)(key ? strlen(start) : (size_t)(start - pem)) };
    gnutls_datum_t to;

    CHECK_EQ(gnutls_base64_encode2(&from, &to), 0);
    char *text = str_dup_part((const char *)to.data, to.size);
    gnutls_free(to.data);
    return text;
}

static json_t *secret(const char *certificate_of, const char *key_of)
{
    auto_free char *certificate = part(certificate_of, false), *key = part(key_of, true);

    return json_pack("{s:{s:s,s:s}}", "data", "tls.crt", certificate, "tls.key", key);
}

TEST(a_certificate_and_its_key_become_one_text)
{
    auto_free char *pair = pair_make("shop.example.org");
    auto_json json_t *object = secret(pair, pair);
    struct err err;
    char *pem = certificate_of_secret(object, &err);

    CHECK_STR(pem, pair);
    certificate_free(pem);
}

TEST(what_is_no_pair_is_refused_by_name)
{
    auto_free char *one = pair_make("one.example.org"), *other = pair_make("other.example.org");
    auto_json json_t *mixed = secret(one, other);
    auto_json json_t *bare = secret(one, one);
    auto_json json_t *rubbish =
        json_pack("{s:{s:s,s:s}}", "data", "tls.crt", "eA==", "tls.key", "eA==");
    struct err err;

    CHECK(!certificate_of_secret(mixed, &err));
    CHECK_STR(err.text, "tls.key is not the key of the certificate in tls.crt");
    CHECK(!certificate_of_secret(rubbish, &err));
    CHECK_CONTAINS(err.text, "not usable");
    json_object_del(json_object_get(bare, "data"), "tls.key");
    CHECK(!certificate_of_secret(bare, &err));
    CHECK_STR(err.text, "has no tls.key");
}
