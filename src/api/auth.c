/* api/auth.c - who asks, and may they. */
#include "api/auth.h"
#include "api/base64url.h"
#include "api/handshake.h"
#include "api/internal.h"
#include "base/mem.h"
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BEARER_PROTOCOL "base64url.bearer.authorization.k8s.io."

enum { TOKEN_LENGTH_MAX = 8 * 1024 };

/* --- tokens --- */

static struct user *cached_user(struct connection *connection, const char *token)
{
    int64_t age_ms = loop_now_ms(connection->api->loop) - connection->token_ms;

    if (!connection->token || age_ms >= TOKEN_CACHE_MS ||
        strlen(connection->token) != strlen(token) ||
        gnutls_memcmp(connection->token, token, strlen(token)) != 0)
        return NULL;
    return user_ref(connection->token_user);
}

static void cache_user(struct connection *connection, const char *token, struct user *user)
{
    user_unref(connection->token_user);
    free(connection->token);
    connection->token = str_dup(token);
    connection->token_user = user_ref(user);
    connection->token_ms = loop_now_ms(connection->api->loop);
}

/* Owned; NULL when the token is nobody's. */
static struct user *user_of_token(struct request *request, const char *token)
{
    const struct api_options *options = &request->api->options;
    struct user *user = cached_user(request->connection, token);

    if (user || !options->token || strlen(token) > TOKEN_LENGTH_MAX)
        return user;
    auto_json json_t *value = options->token(options->hook_arg, token);
    user = user_from_json(value, request->connection->peer);
    if (user)
        cache_user(request->connection, token, user);
    return user;
}

/* Browsers can't set headers on a WebSocket: the token comes as a subprotocol. Owned or NULL. */
static char *token_of_protocol(const char *protocols)
{
    const char *found = protocols ? strstr(protocols, BEARER_PROTOCOL) : NULL;
    char *token;
    size_t size;

    if (!found)
        return NULL;
    found += strlen(BEARER_PROTOCOL);
    token = base64url_decode(found, strcspn(found, ", "), &size);
    return token ? token : str_dup("");
}

/* The token the request carries, owned; NULL when it carries none, "" when it is unusable. */
static char *token_of(const struct request *request)
{
    const char *header = request->headers.authorization;

    if (str_is_empty(header))
        return token_of_protocol(request->headers.websocket_protocol);
    if (strncasecmp(header, "Bearer ", 7) != 0)
        return str_dup("");
    header += 7;
    return str_dup(header + strspn(header, " "));
}

/* --- identity --- */

static bool is_open(const struct request *request)
{
    return request->route.type == ROUTE_HEALTH || request->route.type == ROUTE_VERSION;
}

static int unauthorized(const struct request *request, struct failure *failure)
{
    const char *problem = request->connection->identity_problem;

    if (problem)
        return failure_set(failure, ERR_UNAUTHORIZED, "Unauthorized: %s", problem);
    return failure_set(failure, ERR_UNAUTHORIZED,
                       "Unauthorized: give a client certificate or a bearer token");
}

static int identify(struct request *request, struct failure *failure)
{
    struct connection *connection = request->connection;
    auto_free char *token = token_of(request);

    if (token) {
        request->user = user_of_token(request, token);
        return request->user ? 0
                             : failure_set(failure, ERR_UNAUTHORIZED,
                                           "Unauthorized: the bearer token is not valid");
    }
    if (connection->user)
        request->user = user_ref(connection->user);
    return request->user || is_open(request) ? 0 : unauthorized(request, failure);
}

/* --- impersonation --- */

static int may_impersonate(struct request *request, const char *resource, const char *name,
                           struct failure *failure)
{
    struct access access = { "impersonate", "", resource, NULL, NULL, name };
    const char *why = NULL;

    if (auth_allows(request->api, &request->user->view, &access, &why))
        return 0;
    return failure_set(failure, ERR_FORBIDDEN,
                       "%s \"%s\" is forbidden: User \"%s\" cannot impersonate resource \"%s\" in "
                       "API group \"\" at the cluster scope",
                       resource, name, request->user->view.name, resource);
}

static int impersonate(struct request *request, struct failure *failure)
{
    const struct request_headers *headers = &request->headers;
    auto_json json_t *wanted = NULL;
    size_t index;
    json_t *group;

    if (!headers->impersonate_user && !headers->impersonate_groups && !headers->impersonates_more)
        return 0;
    if (!request->user)
        return unauthorized(request, failure);
    if (str_is_empty(headers->impersonate_user) || headers->impersonates_more)
        return failure_set(failure, ERR_FORBIDDEN,
                           "only Impersonate-User, and Impersonate-Group beside it, are supported");
    if (may_impersonate(request, "users", headers->impersonate_user, failure) < 0)
        return -1;
    json_array_foreach (headers->impersonate_groups, index, group)
        if (may_impersonate(request, "groups", json_string_value(group), failure) < 0)
            return -1;
    wanted = json_object();
    json_object_set_new(wanted, "name", json_printf("%s", headers->impersonate_user));
    json_object_set(wanted, "groups", headers->impersonate_groups);
    request->impersonator = str_dup(request->user->view.name);
    user_unref(request->user);
    request->user = user_from_json(wanted, request->connection->peer);
    return 0;
}

/* A page of another server could otherwise have a browser's certificate stop machines: a POST
 * without a body needs nobody's consent. */
static int check_origin(const struct request *request, struct failure *failure)
{
    bool reads = request->method == METHOD_GET || request->method == METHOD_HEAD;

    if (reads || origin_is_ours(&request->headers))
        return 0;
    return failure_set(failure, ERR_FORBIDDEN, "requests from pages of another origin are refused");
}

int auth_identify(struct request *request, struct failure *failure)
{
    if (check_origin(request, failure) < 0)
        return -1;
    if (identify(request, failure) < 0)
        return -1;
    return impersonate(request, failure);
}

/* --- authorization --- */

static bool default_rule(const struct api_user *user, const struct access *access)
{
    bool asks_about_self =
        str_equal(access->verb, "create") && (str_starts(access->resource, "selfsubject"));

    return user_is_in(user, USER_MASTERS) || asks_about_self;
}

bool auth_allows(struct api *api, const struct api_user *user, const struct access *access,
                 const char **ret_why)
{
    const struct api_options *options = &api->options;

    *ret_why = NULL;
    if (!options->authorize)
        return default_rule(user, access);
    return options->authorize(options->hook_arg, user, access->verb, access->group,
                              access->resource, access->subresource ? access->subresource : "",
                              access->namespace_name ? access->namespace_name : "",
                              access->name ? access->name : "", ret_why);
}

static char *scope_text(const char *namespace_name)
{
    if (str_is_empty(namespace_name))
        return str_dup("at the cluster scope");
    return str_printf("in the namespace \"%s\"", namespace_name);
}

int auth_check(struct request *request, const char *verb, struct failure *failure)
{
    const struct route *route = &request->route;
    const struct kind *kind = route->kind;
    struct access access = {
        verb, kind->group, kind->plural, route->subresource, route->namespace_name, route->name
    };
    const char *why;

    if (auth_allows(request->api, &request->user->view, &access, &why))
        return 0;
    auto_free char *scope = scope_text(route->namespace_name);
    return failure_forbidden(failure, kind, route->name,
                             "User \"%s\" cannot %s resource \"%s%s%s\" in API group \"%s\" %s%s%s",
                             request->user->view.name, verb, kind->plural,
                             route->subresource ? "/" : "",
                             route->subresource ? route->subresource : "", kind->group, scope,
                             why ? ": " : "", why ? why : "");
}
