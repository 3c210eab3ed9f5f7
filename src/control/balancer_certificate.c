/* control/balancer_certificate.c - certificate and key from a Secret, and whether they fit. */
#include "control/balancer.h"
#include "base/str.h"
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

enum { PEM_MAX = 96 * 1024 };

void certificate_free(char *pem)
{
    if (pem)
        explicit_bzero(pem, strlen(pem));
    free(pem);
}

/* Text of a value that the API has checked to be base64. */
static char *decoded(const json_t *secret, const char *key, struct err *err)
{
    const char *text = json_string_value(json_object_get(json_object_get(secret, "data"), key));
    gnutls_datum_t from = { (unsigned char *)(uintptr_t)text, text ? (unsigned)strlen(text) : 0 },
                   to;
    char *copy;

    if (!text || from.size == 0) {
        (void)err_set(err, ERR_INVALID, "has no %s", key);
        return NULL;
    }
    if (from.size > PEM_MAX || gnutls_base64_decode2(&from, &to) < 0) {
        (void)err_set(err, ERR_INVALID, "%s is not readable or too large", key);
        return NULL;
    }
    copy = str_dup_part((const char *)to.data, strnlen((const char *)to.data, to.size));
    explicit_bzero(to.data, to.size);
    gnutls_free(to.data);
    return copy;
}

static int check_pair(const char *chain, const char *key, struct err *err)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t chain_text = { (unsigned char *)(uintptr_t)chain, (unsigned)strlen(chain) };
    gnutls_datum_t key_text = { (unsigned char *)(uintptr_t)key, (unsigned)strlen(key) };
    int result;

    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        return err_set(err, ERR_EXHAUSTED, "no memory for credentials");
    result = gnutls_certificate_set_x509_key_mem(credentials, &chain_text, &key_text,
                                                 GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    if (result == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return err_set(err, ERR_INVALID, "tls.key is not the key of the certificate in tls.crt");
    if (result < 0)
        return err_set(err, ERR_INVALID, "tls.crt and tls.key are not usable: %s",
                       gnutls_strerror(result));
    return 0;
}

char *certificate_of_secret(const json_t *secret, struct err *err)
{
    char *chain = decoded(secret, "tls.crt", err);
    char *key = chain ? decoded(secret, "tls.key", err) : NULL;
    char *both = NULL;

    if (chain && key && check_pair(chain, key, err) == 0)
        both = str_printf("%s%s%s", chain, str_ends(chain, "\n") ? "" : "\n", key);
    certificate_free(chain);
    certificate_free(key);
    return both;
}
