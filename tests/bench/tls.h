/* tests/bench/tls.h - TLS for load clients and for the server they are compared with. */
#pragma once
#include <gnutls/gnutls.h>
#include <stddef.h>

_Noreturn void bench_fail(const char *what, const char *why); /* why NULL: errno */
double bench_now_s(void);

/* An administrator's certificate of the authority in 'tls_dir', made anew. */
gnutls_certificate_credentials_t bench_client_credentials(const char *tls_dir);
/* The certificate of the server itself. */
gnutls_certificate_credentials_t bench_server_credentials(const char *tls_dir);

/* Connects to 127.0.0.1:'port', shakes hands and leaves the socket non-blocking. */
gnutls_session_t bench_connect(unsigned port, gnutls_certificate_credentials_t credentials,
                               int *ret_fd);
/* Sends all, waiting when it must. */
void bench_send(gnutls_session_t session, int fd, const void *bytes, size_t size);
/* As many descriptors as the hard limit allows. */
void bench_raise_limit(void);
