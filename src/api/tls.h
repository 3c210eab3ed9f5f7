/* api/tls.h - the server's side of TLS: credentials, renewal, and who a client certificate names.
 */
#pragma once
#include "api/user.h"
#include <gnutls/gnutls.h>

struct certificates;

enum { TLS_RENEWAL_CHECK_MS = 12 * 3600 * 1000 };

/* Reads or makes the CA and the server certificate in options->tls_dir. */
struct certificates *tls_open(struct loop *loop, const struct api_options *options,
                              struct err *err);
void tls_close(struct certificates *certificates); /* NULL is fine */

/* A server session on 'fd' with the current certificate: after a renewal new sessions get the new
 * one, without a restart. Freed with gnutls_deinit(). */
gnutls_session_t tls_session_new(struct certificates *certificates, int fd);

/* The user a verified client certificate names. NULL: ERR_NOT_FOUND when the client showed none,
 * ERR_UNAUTHORIZED when it does not verify, saying why. */
struct user *tls_client(gnutls_session_t session, const char *peer, struct err *err);
