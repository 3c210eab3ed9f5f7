/* tests/bench/tls.c - TLS for load clients and for the server they are compared with. */
#include "tls.h"
#include "api/api.h"
#include "base/files.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { CERTIFICATE_DAYS = 1, PEM_SIZE_MAX = 64 * 1024 };

void bench_fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why ? why : strerror(errno));
    exit(1);
}

double bench_now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void must(int code)
{
    if (code < 0)
        bench_fail("TLS", gnutls_strerror(code));
}

static gnutls_certificate_credentials_t credentials_of(const char *certificate, const char *key,
                                                       const char *ca)
{
    gnutls_datum_t crt_text = { (unsigned char *)certificate, (unsigned)strlen(certificate) };
    gnutls_datum_t key_text = { (unsigned char *)key, (unsigned)strlen(key) };
    gnutls_datum_t ca_text = { (unsigned char *)ca, (unsigned)strlen(ca) };
    gnutls_certificate_credentials_t credentials;

    must(gnutls_certificate_allocate_credentials(&credentials));
    must(gnutls_certificate_set_x509_trust_mem(credentials, &ca_text, GNUTLS_X509_FMT_PEM));
    must(gnutls_certificate_set_x509_key_mem(credentials, &crt_text, &key_text,
                                             GNUTLS_X509_FMT_PEM));
    return credentials;
}

gnutls_certificate_credentials_t bench_client_credentials(const char *tls_dir)
{
    static const char *const masters[] = { "system:masters", NULL };
    auto_free char *certificate = NULL, *key = NULL, *ca = NULL;
    struct err err;

    if (api_issue_client(tls_dir, "bench", masters, CERTIFICATE_DAYS, &certificate, &key, &ca,
                         &err) < 0)
        bench_fail("certificate", err.text);
    return credentials_of(certificate, key, ca);
}

static char *read_pem(const char *tls_dir, const char *name)
{
    auto_free char *path = str_printf("%s/%s", tls_dir, name);
    struct buf text = { 0 };
    struct err err;

    if (file_read(path, PEM_SIZE_MAX, &text, &err) < 0)
        bench_fail("certificate", err.text);
    return buf_take(&text);
}

gnutls_certificate_credentials_t bench_server_credentials(const char *tls_dir)
{
    auto_free char *certificate = read_pem(tls_dir, "server.crt");
    auto_free char *key = read_pem(tls_dir, "server.key");
    auto_free char *ca = read_pem(tls_dir, "ca.crt");

    return credentials_of(certificate, key, ca);
}

static int connect_to(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        bench_fail("connect", NULL);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

gnutls_session_t bench_connect(unsigned port, gnutls_certificate_credentials_t credentials,
                               int *ret_fd)
{
    gnutls_session_t session;
    int code;

    *ret_fd = connect_to(port);
    must(gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK));
    must(gnutls_set_default_priority(session));
    must(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
    gnutls_session_set_verify_cert(session, "127.0.0.1", 0);
    gnutls_transport_set_int(session, *ret_fd);
    do
        code = gnutls_handshake(session);
    while (code < 0 && !gnutls_error_is_fatal(code));
    must(code);
    if (fcntl(*ret_fd, F_SETFL, O_NONBLOCK) < 0)
        bench_fail("fcntl", NULL);
    return session;
}

void bench_send(gnutls_session_t session, int fd, const void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t sent = gnutls_record_send(session, (const char *)bytes + at, size - at);
        struct pollfd poller = { .fd = fd, .events = POLLOUT };

        if (sent >= 0)
            at += (size_t)sent;
        else if (sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED)
            (void)poll(&poller, 1, -1);
        else
            bench_fail("send", gnutls_strerror((int)sent));
    }
}

void bench_raise_limit(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}
