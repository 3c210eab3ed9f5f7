/* api/pki.c - a small certificate authority on GnuTLS. */
#include "api/pki.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SERIAL_SIZE = 16, KEY_ID_SIZE = 20, DAY_S = 24 * 3600 };

void pki_pair_done(struct pki_pair *pair)
{
    free(pair->certificate);
    if (pair->key)
        gnutls_memset(pair->key, 0, strlen(pair->key));
    free(pair->key);
    *pair = (struct pki_pair){ 0 };
}

void pki_pair_done_auto(struct pki_pair *pair) { pki_pair_done(pair); }

static int gnutls_failed(struct err *err, const char *what, int code)
{
    return err_set(err, ERR_INTERNAL, "%s: %s", what, gnutls_strerror(code));
}

/* --- handles that clean up --- */

static void key_done(gnutls_x509_privkey_t *key)
{
    if (*key)
        gnutls_x509_privkey_deinit(*key);
}

static void crt_done(gnutls_x509_crt_t *crt)
{
    if (*crt)
        gnutls_x509_crt_deinit(*crt);
}
#define auto_key __attribute__((cleanup(key_done)))
#define auto_crt __attribute__((cleanup(crt_done)))

static gnutls_datum_t datum_of(const char *text)
{
    return (gnutls_datum_t){ (unsigned char *)text, (unsigned)strlen(text) };
}

static int import_crt(const char *pem, gnutls_x509_crt_t *ret_crt, struct err *err)
{
    gnutls_datum_t datum = datum_of(pem);
    int code = gnutls_x509_crt_init(ret_crt);

    if (code >= 0)
        code = gnutls_x509_crt_import(*ret_crt, &datum, GNUTLS_X509_FMT_PEM);
    return code < 0 ? gnutls_failed(err, "read certificate", code) : 0;
}

static int import_key(const char *pem, gnutls_x509_privkey_t *ret_key, struct err *err)
{
    gnutls_datum_t datum = datum_of(pem);
    int code = gnutls_x509_privkey_init(ret_key);

    if (code >= 0)
        code = gnutls_x509_privkey_import(*ret_key, &datum, GNUTLS_X509_FMT_PEM);
    return code < 0 ? gnutls_failed(err, "read private key", code) : 0;
}

static int generate_key(gnutls_x509_privkey_t *ret_key, struct err *err)
{
    int code = gnutls_x509_privkey_init(ret_key);

    if (code >= 0)
        code = gnutls_x509_privkey_generate(*ret_key, GNUTLS_PK_ECDSA,
                                            GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    return code < 0 ? gnutls_failed(err, "generate private key", code) : 0;
}

/* --- building a certificate --- */

static int set_serial(gnutls_x509_crt_t crt)
{
    unsigned char serial[SERIAL_SIZE];
    int code = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);

    serial[0] &= 0x7f; /* positive: RFC 5280, 4.1.2.2 */
    serial[0] |= 0x40; /* and never with leading zeros */
    return code < 0 ? code : gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
}

static int set_life(gnutls_x509_crt_t crt, int64_t seconds)
{
    time_t now = time(NULL);
    int code = gnutls_x509_crt_set_activation_time(crt, now - PKI_BACKDATE_S);

    return code < 0 ? code : gnutls_x509_crt_set_expiration_time(crt, now + (time_t)seconds);
}

static int set_key_id(gnutls_x509_crt_t crt)
{
    unsigned char id[KEY_ID_SIZE];
    size_t size = sizeof id;
    int code = gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA1, id, &size);

    return code < 0 ? code : gnutls_x509_crt_set_subject_key_id(crt, id, size);
}

static int set_name(gnutls_x509_crt_t crt, const char *oid, const char *text)
{
    return gnutls_x509_crt_set_dn_by_oid(crt, oid, 0, text, (unsigned)strlen(text));
}

/* Subject key, serial, life, CN; what every certificate has. */
static int start_crt(gnutls_x509_crt_t *crt, gnutls_x509_privkey_t key, const char *common_name,
                     int64_t seconds)
{
    int code = gnutls_x509_crt_init(crt);

    if (code >= 0)
        code = gnutls_x509_crt_set_version(*crt, 3);
    if (code >= 0)
        code = gnutls_x509_crt_set_key(*crt, key);
    if (code >= 0)
        code = set_serial(*crt);
    if (code >= 0)
        code = set_life(*crt, seconds);
    if (code >= 0)
        code = set_name(*crt, GNUTLS_OID_X520_COMMON_NAME, common_name);
    return code < 0 ? code : set_key_id(*crt);
}

static int export_pair(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, struct pki_pair *ret_pair,
                       struct err *err)
{
    gnutls_datum_t crt_pem, key_pem;
    int code = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &crt_pem);

    if (code < 0)
        return gnutls_failed(err, "write certificate", code);
    code = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                             &key_pem);
    if (code < 0) {
        gnutls_free(crt_pem.data);
        return gnutls_failed(err, "write private key", code);
    }
    ret_pair->certificate = str_dup_part((char *)crt_pem.data, crt_pem.size);
    ret_pair->key = str_dup_part((char *)key_pem.data, key_pem.size);
    gnutls_free(crt_pem.data);
    gnutls_memset(key_pem.data, 0, key_pem.size);
    gnutls_free(key_pem.data);
    return 0;
}

/* --- the authority --- */

static int make_ca(struct pki_pair *ret_ca, struct err *err)
{
    auto_key gnutls_x509_privkey_t key = NULL;
    auto_crt gnutls_x509_crt_t crt = NULL;
    int code;

    if (generate_key(&key, err) < 0)
        return -1;
    code = start_crt(&crt, key, "virga", (int64_t)PKI_CA_DAYS * DAY_S);
    if (code >= 0)
        code = gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
    if (code >= 0)
        code = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
    if (code >= 0)
        code = gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
    if (code < 0)
        return gnutls_failed(err, "make certificate authority", code);
    return export_pair(crt, key, ret_ca, err);
}

static int sign(gnutls_x509_crt_t crt, const struct pki_pair *ca, struct err *err)
{
    auto_key gnutls_x509_privkey_t key = NULL;
    auto_crt gnutls_x509_crt_t issuer = NULL;
    unsigned char id[KEY_ID_SIZE];
    size_t size = sizeof id;
    int code;

    if (import_crt(ca->certificate, &issuer, err) < 0 || import_key(ca->key, &key, err) < 0)
        return -1;
    code = gnutls_x509_crt_get_subject_key_id(issuer, id, &size, NULL);
    if (code >= 0)
        code = gnutls_x509_crt_set_authority_key_id(crt, id, size);
    if (code >= 0)
        code = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
    if (code >= 0)
        code = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (code >= 0)
        code = gnutls_x509_crt_sign2(crt, issuer, key, GNUTLS_DIG_SHA256, 0);
    return code < 0 ? gnutls_failed(err, "sign certificate", code) : 0;
}

/* --- files --- */

static int read_pem(const char *directory, const char *name, char **ret_text, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", directory, name);
    struct buf text = { 0 };

    if (file_read(path, PKI_FILE_SIZE_MAX, &text, err) < 0) {
        buf_done(&text);
        return -1;
    }
    *ret_text = buf_take(&text);
    return 0;
}

static int write_pem(const char *directory, const char *name, const char *text, mode_t mode,
                     struct err *err)
{
    auto_free char *path = str_printf("%s/%s", directory, name);

    return file_write_atomic(path, text, strlen(text), mode, err);
}

static int read_pair(const char *directory, const char *stem, struct pki_pair *ret_pair,
                     struct err *err)
{
    auto_free char *crt = str_printf("%s.crt", stem);
    auto_free char *key = str_printf("%s.key", stem);

    if (read_pem(directory, crt, &ret_pair->certificate, err) < 0)
        return -1;
    if (read_pem(directory, key, &ret_pair->key, err) == 0)
        return 0;
    pki_pair_done(ret_pair);
    return -1;
}

/* The key first: a certificate without its key is found and made anew, a key alone is harmless. */
static int write_pair(const char *directory, const char *stem, const struct pki_pair *pair,
                      struct err *err)
{
    auto_free char *crt = str_printf("%s.crt", stem);
    auto_free char *key = str_printf("%s.key", stem);

    if (write_pem(directory, key, pair->key, 0600, err) < 0)
        return -1;
    return write_pem(directory, crt, pair->certificate, 0644, err);
}

int pki_ca(const char *directory, struct pki_pair *ret_ca, struct err *err)
{
    struct pki_pair ca = { 0 };

    if (dir_make(directory, 0700, err) < 0)
        return -1;
    if (read_pair(directory, "ca", &ca, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return err_wrap(err, "certificate authority");
        if (make_ca(&ca, err) < 0 || write_pair(directory, "ca", &ca, err) < 0) {
            pki_pair_done(&ca);
            return -1;
        }
    }
    *ret_ca = ca;
    return 0;
}

/* --- the server's certificate --- */

static bool is_address(const char *name, unsigned char octets[16], unsigned *ret_size)
{
    if (inet_pton(AF_INET, name, octets) == 1)
        return *ret_size = 4, true;
    if (inet_pton(AF_INET6, name, octets) == 1)
        return *ret_size = 16, true;
    return false;
}

static int add_alternative_name(gnutls_x509_crt_t crt, const char *name)
{
    unsigned char octets[16];
    unsigned size;

    if (is_address(name, octets, &size))
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, octets, size,
                                                    GNUTLS_FSAN_APPEND);
    return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
                                                (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

static int make_server(const struct pki_pair *ca, const char *const *names,
                       struct pki_pair *ret_server, struct err *err)
{
    auto_key gnutls_x509_privkey_t key = NULL;
    auto_crt gnutls_x509_crt_t crt = NULL;
    int code;

    if (generate_key(&key, err) < 0)
        return -1;
    code = start_crt(&crt, key, "virgad", (int64_t)PKI_SERVER_DAYS * DAY_S);
    for (; code >= 0 && *names; names++)
        code = add_alternative_name(crt, *names);
    if (code >= 0)
        code = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
    if (code < 0)
        return gnutls_failed(err, "make server certificate", code);
    if (sign(crt, ca, err) < 0)
        return -1;
    return export_pair(crt, key, ret_server, err);
}

static bool covers(gnutls_x509_crt_t crt, const char *name)
{
    unsigned char octets[16];
    unsigned size;

    if (is_address(name, octets, &size))
        return gnutls_x509_crt_check_ip(crt, octets, size, 0);
    return gnutls_x509_crt_check_hostname2(crt, name, GNUTLS_VERIFY_DO_NOT_ALLOW_WILDCARDS);
}

static bool is_fresh(gnutls_x509_crt_t crt)
{
    time_t begin = gnutls_x509_crt_get_activation_time(crt);
    time_t end = gnutls_x509_crt_get_expiration_time(crt);
    time_t now = time(NULL);

    return now >= begin && now < begin + (end - begin) / 3 * 2;
}

static bool is_usable(const struct pki_pair *server, const struct pki_pair *ca,
                      const char *const *names)
{
    auto_crt gnutls_x509_crt_t crt = NULL, issuer = NULL;
    auto_key gnutls_x509_privkey_t key = NULL;
    struct err err;
    unsigned problems = 0;

    if (import_crt(server->certificate, &crt, &err) < 0 ||
        import_key(server->key, &key, &err) < 0 || import_crt(ca->certificate, &issuer, &err) < 0)
        return false;
    if (gnutls_x509_crt_verify(crt, &issuer, 1, 0, &problems) < 0 || problems || !is_fresh(crt))
        return false;
    for (; *names; names++)
        if (!covers(crt, *names))
            return false;
    return true;
}

int pki_server(const char *directory, const struct pki_pair *ca, const char *const *names,
               struct pki_pair *ret_server, bool *ret_renewed, struct err *err)
{
    struct pki_pair server = { 0 };
    bool is_there = read_pair(directory, "server", &server, err) == 0;
    bool renews = !is_there || !is_usable(&server, ca, names);

    if (!is_there && err->code != ERR_NOT_FOUND)
        return err_wrap(err, "server certificate");
    if (renews) {
        pki_pair_done(&server);
        if (make_server(ca, names, &server, err) < 0 ||
            write_pair(directory, "server", &server, err) < 0) {
            pki_pair_done(&server);
            return -1;
        }
    }
    if (ret_renewed)
        *ret_renewed = renews;
    *ret_server = server;
    return 0;
}

/* --- clients --- */

enum { NAME_LENGTH_MAX = 64 }; /* RFC 5280: ub-common-name, ub-organization-name */

int pki_client(const struct pki_pair *ca, const char *user, const char *const *groups,
               int64_t seconds, struct pki_pair *ret_client, struct err *err)
{
    auto_key gnutls_x509_privkey_t key = NULL;
    auto_crt gnutls_x509_crt_t crt = NULL;
    int code;

    if (str_is_empty(user) || strlen(user) > NAME_LENGTH_MAX)
        return err_set(err, ERR_BAD_REQUEST, "user: must have 1 to %d bytes", NAME_LENGTH_MAX);
    for (size_t i = 0; groups && groups[i]; i++)
        if (!groups[i][0] || strlen(groups[i]) > NAME_LENGTH_MAX)
            return err_set(err, ERR_BAD_REQUEST, "groups[%zu]: must have 1 to %d bytes", i,
                           NAME_LENGTH_MAX);
    if (seconds < 1 || seconds > (int64_t)PKI_CA_DAYS * DAY_S)
        return err_set(err, ERR_BAD_REQUEST, "ttl: must be from 1s to %dh", PKI_CA_DAYS * 24);
    if (generate_key(&key, err) < 0)
        return -1;
    code = start_crt(&crt, key, user, seconds);
    for (; code >= 0 && groups && *groups; groups++)
        code = set_name(crt, GNUTLS_OID_X520_ORGANIZATION_NAME, *groups);
    if (code >= 0)
        code = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT, 0);
    if (code < 0)
        return gnutls_failed(err, "make client certificate", code);
    if (sign(crt, ca, err) < 0)
        return -1;
    return export_pair(crt, key, ret_client, err);
}
