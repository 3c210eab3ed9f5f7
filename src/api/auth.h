/* api/auth.h - who asks, and may they. */
#pragma once
#include "api/request.h"

enum { TOKEN_CACHE_MS = 1000 };

/* Finds out who sends the request: bearer token, else client certificate or unix peer; then
 * impersonation. Sets request->user. ERR_UNAUTHORIZED when there is no valid identity, unless the
 * route is open to everyone. */
int auth_identify(struct request *request, struct failure *failure);

/* What somebody wants to do; NULL and "" are "none". */
struct access {
    const char *verb, *group, *resource, *subresource, *namespace_name, *name;
};
/* The daemon's hook, or the default rule. '*ret_why' is static or NULL. */
bool auth_allows(struct api *api, const struct api_user *user, const struct access *access,
                 const char **ret_why);
/* The same for the request's own user and route; fills the 403. */
int auth_check(struct request *request, const char *verb, struct failure *failure);
