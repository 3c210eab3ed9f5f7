/* api/tls.h - the server's side of TLS: credentials, renewal, and who a client certificate names.
 */
#pragma once
#include "api/user.h"
#include <gnutls/gnutls.h>
#include <microhttpd.h>

struct certificates;

enum { TLS_OPTIONS_MAX = 5, TLS_RENEWAL_CHECK_MS = 12 * 3600 * 1000 };

/* Reads or makes the CA and the server certificate in options->tls_dir. */
struct certificates *tls_open(struct loop *loop, const struct api_options *options,
                              struct err *err);
void tls_close(struct certificates *certificates); /* NULL is fine */

/* Options for MHD_start_daemon(); borrowed texts. */
void tls_daemon_options(const struct certificates *certificates,
                        struct MHD_OptionItem options[TLS_OPTIONS_MAX]);
/* Gives a new session the current certificate, so that a renewal needs no restart. */
void tls_session_started(struct certificates *certificates, gnutls_session_t session);

/* The user a verified client certificate names. NULL: ERR_NOT_FOUND when the client showed none,
 * ERR_UNAUTHORIZED when it does not verify, saying why. */
struct user *tls_client(gnutls_session_t session, const char *peer, struct err *err);
