/* api/handshake.h - the opening handshake of a WebSocket (RFC 6455, section 4.2). Pure. */
#pragma once
#include "api/request.h"

/* Browsers send certificates along with whatever a page asks for, but they tell whose page it is:
 * false when it is another server's. */
bool origin_is_ours(const struct request_headers *headers);
/* Version, key, and that a browser's page comes from this server. ERR_BAD_REQUEST, ERR_FORBIDDEN.
 */
int handshake_check(const struct request_headers *headers, struct err *err);
/* Sec-WebSocket-Accept for a key. Owned. */
char *handshake_accept(const char *key);
/* The subprotocol to name in the answer: the first offered that carries no token. Owned or NULL. */
char *handshake_protocol(const char *offered);
