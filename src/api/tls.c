/* api/tls.c - the server's side of TLS. */
#include "api/tls.h"
#include "api/pki.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA"

enum { NAMES_MAX = 256, GROUPS_MAX = 64, DN_TEXT_SIZE = 256 };

struct certificates {
    struct loop *loop;
    struct loop_source *timer;
    char *directory;
    char **names; /* owned, NULL-terminated */
    size_t name_count;
    struct pki_pair ca, server;
    gnutls_certificate_credentials_t credentials; /* for new sessions */
    gnutls_certificate_credentials_t earlier;     /* sessions may still use it */
    gnutls_datum_t ticket_key;
    gnutls_priority_t priorities;
};

/* --- names --- */

static void add_name(struct certificates *certificates, const char *name)
{
    for (size_t i = 0; i < certificates->name_count; i++)
        if (str_equal(certificates->names[i], name))
            return;
    if (str_is_empty(name) || certificates->name_count == NAMES_MAX)
        return;
    certificates->names[certificates->name_count++] = str_dup(name);
}

static void add_interface(struct certificates *certificates, const struct ifaddrs *entry)
{
    char text[INET6_ADDRSTRLEN];
    const struct sockaddr *address = entry->ifa_addr;
    const void *octets;

    if (!address || !(entry->ifa_flags & IFF_UP))
        return;
    if (address->sa_family == AF_INET)
        octets = &((const struct sockaddr_in *)address)->sin_addr;
    else if (address->sa_family == AF_INET6)
        octets = &((const struct sockaddr_in6 *)address)->sin6_addr;
    else
        return;
    if (inet_ntop(address->sa_family, octets, text, sizeof text) && !str_starts(text, "fe80:"))
        add_name(certificates, text);
}

/* Listening on all addresses, the host can be called by any of them. */
static void add_interfaces(struct certificates *certificates)
{
    struct ifaddrs *list;

    if (getifaddrs(&list) < 0)
        return;
    for (const struct ifaddrs *entry = list; entry; entry = entry->ifa_next)
        add_interface(certificates, entry);
    freeifaddrs(list);
}

static void add_listen_address(struct certificates *certificates, const char *listen)
{
    const char *colon = strrchr(listen, ':');
    auto_free char *host = str_dup_part(listen, colon ? (size_t)(colon - listen) : 0);
    char *bare = host;

    if (bare[0] == '[') {
        bare++;
        bare[strcspn(bare, "]")] = 0;
    }
    if (!*bare || str_equal(bare, "0.0.0.0") || str_equal(bare, "::"))
        add_interfaces(certificates);
    else
        add_name(certificates, bare);
}

static void collect_names(struct certificates *certificates, const struct api_options *options)
{
    static const char *const always[] = { "localhost", "127.0.0.1", "::1", "virga" };

    certificates->names = mem_array(NAMES_MAX + 1, sizeof certificates->names[0]);
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        add_name(certificates, always[i]);
    add_name(certificates, options->host_name);
    add_listen_address(certificates, options->listen);
    for (const char *const *name = options->server_names; name && *name; name++)
        add_name(certificates, *name);
}

/* --- credentials --- */

static gnutls_datum_t datum_of(const char *text)
{
    return (gnutls_datum_t){ (unsigned char *)text, (unsigned)strlen(text) };
}

static int load_credentials(struct certificates *certificates, struct err *err)
{
    gnutls_datum_t ca = datum_of(certificates->ca.certificate);
    gnutls_datum_t crt = datum_of(certificates->server.certificate);
    gnutls_datum_t key = datum_of(certificates->server.key);
    gnutls_certificate_credentials_t credentials;
    int code = gnutls_certificate_allocate_credentials(&credentials);

    if (code < 0)
        return err_set(err, ERR_INTERNAL, "TLS credentials: %s", gnutls_strerror(code));
    code = gnutls_certificate_set_x509_trust_mem(credentials, &ca, GNUTLS_X509_FMT_PEM);
    if (code >= 0)
        code = gnutls_certificate_set_x509_key_mem(credentials, &crt, &key, GNUTLS_X509_FMT_PEM);
    if (code < 0) {
        gnutls_certificate_free_credentials(credentials);
        return err_set(err, ERR_INTERNAL, "TLS credentials: %s", gnutls_strerror(code));
    }
    if (certificates->earlier)
        gnutls_certificate_free_credentials(certificates->earlier);
    certificates->earlier = certificates->credentials;
    certificates->credentials = credentials;
    return 0;
}

static int load_server(struct certificates *certificates, bool *ret_renewed, struct err *err)
{
    struct pki_pair server;

    if (pki_server(certificates->directory, &certificates->ca,
                   (const char *const *)certificates->names, &server, ret_renewed, err) < 0)
        return -1;
    pki_pair_done(&certificates->server);
    certificates->server = server;
    return 0;
}

/* Twice a day is far more often than two thirds of a year demand. Sessions of the certificate
 * before the last one have ended long since: a renewal is months away from the next. */
static void check_renewal(void *arg)
{
    struct certificates *certificates = arg;
    bool renewed = false;
    struct err err;

    if (load_server(certificates, &renewed, &err) < 0 ||
        (renewed && load_credentials(certificates, &err) < 0))
        log_warning("server certificate: %s", err.text);
    loop_timer_again(certificates->timer, TLS_RENEWAL_CHECK_MS);
}

static int prepare_sessions(struct certificates *certificates, struct err *err)
{
    int code = gnutls_session_ticket_key_generate(&certificates->ticket_key);

    if (code >= 0)
        code = gnutls_priority_init(&certificates->priorities, PRIORITIES, NULL);
    return code < 0 ? err_set(err, ERR_INTERNAL, "sessions: %s", gnutls_strerror(code)) : 0;
}

struct certificates *tls_open(struct loop *loop, const struct api_options *options, struct err *err)
{
    struct certificates *certificates = mem_new(struct certificates);

    certificates->loop = loop;
    certificates->directory = str_dup(options->tls_dir);
    collect_names(certificates, options);
    if (pki_ca(certificates->directory, &certificates->ca, err) < 0 ||
        load_server(certificates, NULL, err) < 0 || load_credentials(certificates, err) < 0 ||
        prepare_sessions(certificates, err) < 0) {
        (void)err_wrap(err, "TLS");
        tls_close(certificates);
        return NULL;
    }
    certificates->timer = loop_timer(loop, TLS_RENEWAL_CHECK_MS, check_renewal, certificates);
    return certificates;
}

void tls_close(struct certificates *certificates)
{
    if (!certificates)
        return;
    loop_source_free(certificates->timer);
    if (certificates->credentials)
        gnutls_certificate_free_credentials(certificates->credentials);
    if (certificates->earlier)
        gnutls_certificate_free_credentials(certificates->earlier);
    if (certificates->ticket_key.data)
        gnutls_memset(certificates->ticket_key.data, 0, certificates->ticket_key.size);
    gnutls_free(certificates->ticket_key.data);
    if (certificates->priorities)
        gnutls_priority_deinit(certificates->priorities);
    pki_pair_done(&certificates->ca);
    pki_pair_done(&certificates->server);
    for (size_t i = 0; i < certificates->name_count; i++)
        free(certificates->names[i]);
    free(certificates->names);
    free(certificates->directory);
    free(certificates);
}

gnutls_session_t tls_session_new(struct certificates *certificates, int fd)
{
    static const gnutls_datum_t protocol = { (unsigned char *)"http/1.1", 8 };
    gnutls_session_t session;

    if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        abort(); /* out of memory */
    gnutls_priority_set(session, certificates->priorities);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, certificates->credentials);
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    gnutls_alpn_set_protocols(session, &protocol, 1, 0);
    /* A client that comes back, as those that close after each request do, is spared the
     * certificates. The key changes with every start of the daemon. */
    gnutls_session_ticket_enable_server(session, &certificates->ticket_key);
    gnutls_transport_set_int(session, fd);
    return session;
}

/* --- clients --- */

static int verify(gnutls_session_t session, struct err *err)
{
    gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID,
                                      (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0 };
    gnutls_datum_t text;
    unsigned problems = 0;
    int code = gnutls_certificate_verify_peers(session, &purpose, 1, &problems);

    if (code < 0)
        return err_set(err, ERR_UNAUTHORIZED, "the client certificate can't be verified: %s",
                       gnutls_strerror(code));
    if (!problems)
        return 0;
    if (problems & GNUTLS_CERT_EXPIRED)
        return err_set(err, ERR_UNAUTHORIZED, "the client certificate has expired");
    if (problems & GNUTLS_CERT_NOT_ACTIVATED)
        return err_set(err, ERR_UNAUTHORIZED, "the client certificate is not valid yet");
    if (gnutls_certificate_verification_status_print(problems, GNUTLS_CRT_X509, &text, 0) < 0)
        return err_set(err, ERR_UNAUTHORIZED, "the client certificate is not valid");
    err_set(err, ERR_UNAUTHORIZED, "the client certificate is not one of this server's: %s",
            text.data);
    gnutls_free(text.data);
    return -1;
}

/* The 'index'th value of a name part, owned; NULL when there is none. */
static char *name_part(gnutls_x509_crt_t crt, const char *oid, unsigned index)
{
    char text[DN_TEXT_SIZE];
    size_t size = sizeof text;

    if (gnutls_x509_crt_get_dn_by_oid(crt, oid, index, 0, text, &size) < 0)
        return NULL;
    return str_dup_part(text, strnlen(text, size));
}

static struct user *user_of(gnutls_x509_crt_t crt, const char *peer, struct err *err)
{
    auto_free char *name = name_part(crt, GNUTLS_OID_X520_COMMON_NAME, 0);
    char *groups[GROUPS_MAX + 1] = { NULL };
    struct user *user = NULL;

    if (str_is_empty(name)) {
        err_set(err, ERR_UNAUTHORIZED, "the client certificate names no user");
        return NULL;
    }
    for (unsigned i = 0; i < GROUPS_MAX; i++)
        if (!(groups[i] = name_part(crt, GNUTLS_OID_X520_ORGANIZATION_NAME, i)))
            break;
    user = user_new(name, (const char *const *)groups, peer);
    for (unsigned i = 0; groups[i]; i++)
        free(groups[i]);
    return user;
}

struct user *tls_client(gnutls_session_t session, const char *peer, struct err *err)
{
    const gnutls_datum_t *chain;
    unsigned count = 0;
    gnutls_x509_crt_t crt;
    struct user *user = NULL;

    chain = gnutls_certificate_get_peers(session, &count);
    if (!chain || !count) {
        err_set(err, ERR_NOT_FOUND, "no client certificate");
        return NULL;
    }
    if (verify(session, err) < 0)
        return NULL;
    if (gnutls_x509_crt_init(&crt) < 0) {
        err_set(err, ERR_INTERNAL, "client certificate");
        return NULL;
    }
    if (gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER) < 0)
        err_set(err, ERR_UNAUTHORIZED, "the client certificate can't be read");
    else
        user = user_of(crt, peer, err);
    gnutls_x509_crt_deinit(crt);
    return user;
}

int api_issue_client(const char *tls_dir, const char *user, const char *const *groups,
                     int64_t ttl_s, char **ret_certificate, char **ret_key, char **ret_ca,
                     struct err *err)
{
    auto_pki_pair struct pki_pair ca = { 0 };
    struct pki_pair client;

    if (pki_ca(tls_dir, &ca, err) < 0 || pki_client(&ca, user, groups, ttl_s, &client, err) < 0)
        return -1;
    *ret_certificate = client.certificate;
    *ret_key = client.key;
    *ret_ca = take_pointer(ca.certificate);
    return 0;
}
