/* daemon/tokens.h - bearer tokens: Secrets of type virga.dev/token in namespace virga-system.
 *
 * Only the SHA-256 of a token is stored: data.sha256 (hex), data.user, data.groups (joined by
 * commas) and optionally data.expires (RFC 3339), each base64 as in every Secret. */
#pragma once
#include "base/json.h"
#include "store/store.h"

#define TOKEN_NAMESPACE "virga-system"
#define TOKEN_SECRET_TYPE "virga.dev/token"

/* {"name":USER,"groups":[...]} of a valid token, owned; NULL when it is unknown or has expired. */
json_t *token_user(struct store *store, const char *token);
