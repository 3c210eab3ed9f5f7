#include "pair.h"
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DAY_S = 24 * 3600 };

static void must(int result)
{
    if (result < 0) {
        fprintf(stderr, "gnutls: %s\n", gnutls_strerror(result));
        abort();
    }
}

char *pair_make(const char *name)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t key_text, certificate_text;
    char *both = NULL;

    must(gnutls_x509_privkey_init(&key));
    must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    must(gnutls_x509_crt_init(&certificate));
    must(gnutls_x509_crt_set_version(certificate, 3));
    must(gnutls_x509_crt_set_serial(certificate, "\1", 1));
    must(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                       (unsigned)strlen(name)));
    must(gnutls_x509_crt_set_activation_time(certificate, time(NULL) - DAY_S));
    must(gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + DAY_S));
    must(gnutls_x509_crt_set_key(certificate, key));
    must(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0));
    must(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &certificate_text));
    must(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, 0, &key_text));
    if (asprintf(&both, "%.*s%.*s", (int)certificate_text.size, certificate_text.data,
                 (int)key_text.size, key_text.data) < 0)
        abort();
    gnutls_free(certificate_text.data);
    gnutls_free(key_text.data);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
    return both;
}

struct pair_client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
};

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

struct pair_client *pair_connect(uint16_t port)
{
    int fd = connect_to(port), result;
    struct pair_client *client = fd < 0 ? NULL : calloc(1, sizeof *client);

    if (!client)
        return NULL;
    client->fd = fd;
    must(gnutls_certificate_allocate_credentials(&client->credentials));
    must(gnutls_init(&client->session, GNUTLS_CLIENT));
    must(gnutls_set_default_priority(client->session));
    must(gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials));
    gnutls_transport_set_int(client->session, fd);
    gnutls_handshake_set_timeout(client->session, 20000);
    do
        result = gnutls_handshake(client->session);
    while (result < 0 && !gnutls_error_is_fatal(result));
    if (result == 0)
        return client;
    pair_close(client);
    return NULL;
}

const char *pair_name(struct pair_client *client, char *to, unsigned size)
{
    unsigned count = 0;
    const gnutls_datum_t *chain =
        client ? gnutls_certificate_get_peers(client->session, &count) : NULL;
    gnutls_x509_crt_t certificate;
    size_t length = size;

    if (!chain || !count)
        return "nobody";
    must(gnutls_x509_crt_init(&certificate));
    must(gnutls_x509_crt_import(certificate, chain, GNUTLS_X509_FMT_DER));
    must(
        gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, to, &length));
    gnutls_x509_crt_deinit(certificate);
    return to;
}

int pair_get(struct pair_client *client)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
    char text[4096];
    size_t size = 0, wanted = 0;
    int status = -1;

    if (gnutls_record_send(client->session, request, sizeof request - 1) < 0)
        return -1;
    while (!wanted || size < wanted) {
        ssize_t got = gnutls_record_recv(client->session, text + size, sizeof text - 1 - size);
        if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)
            continue;
        if (got <= 0)
            return -1;
        size += (size_t)got;
        text[size] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (end && length)
            wanted = (size_t)(end + 4 - text) + strtoul(length + 15, NULL, 10);
    }
    return sscanf(text, "HTTP/1.1 %d", &status) == 1 ? status : -1;
}

void pair_close(struct pair_client *client)
{
    if (!client)
        return;
    gnutls_deinit(client->session);
    gnutls_certificate_free_credentials(client->credentials);
    close(client->fd);
    free(client);
}
