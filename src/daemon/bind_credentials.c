/* daemon/bind_credentials.c - credentials: a client certificate for a user and groups.
 *
 * Whoever may ask for one may become anybody, so that only administrators may (api/auth.c). The
 * private key is made here, goes to the asker alone and is kept nowhere. */
#include "daemon/assemble.h"
#include "kinds/tables/tables.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

enum { TTL_S_DEFAULT = 365 * 24 * 3600, GROUPS_MAX = 64 };

/* Borrowed texts of a JSON list; 'to' has room for GROUPS_MAX and the end. */
static int read_groups(const json_t *list, const char **to, struct err *err)
{
    size_t count = json_array_size(list);

    if (list && !json_is_array(list))
        return err_set(err, ERR_BAD_REQUEST, "groups: must be a list of texts");
    if (count > GROUPS_MAX)
        return err_set(err, ERR_BAD_REQUEST, "groups: more than %d", GROUPS_MAX);
    for (size_t i = 0; i < count; i++) {
        to[i] = json_string_value(json_array_get(list, i));
        if (str_is_empty(to[i]))
            return err_set(err, ERR_BAD_REQUEST, "groups[%zu]: must be a text", i);
    }
    to[count] = NULL;
    return 0;
}

static int read_ttl(const json_t *body, int64_t *ret_seconds, struct err *err)
{
    const char *text = json_text_at(body, "ttl", NULL);
    int64_t ms;

    *ret_seconds = TTL_S_DEFAULT;
    if (!text)
        return 0;
    if (duration_parse(text, &ms, err) < 0)
        return err_wrap(err, "ttl");
    *ret_seconds = ms / 1000;
    return 0;
}

/* "https://127.0.0.1:7443": where this virgad listens, as far as one can say it from here. Owned. */
static char *address_of(const struct daemon *daemon)
{
    const char *listen = daemon->config.listen, *colon = strrchr(listen, ':');
    auto_free char *host = str_dup_part(listen, colon ? (size_t)(colon - listen) : strlen(listen));
    bool is_everywhere = str_is_empty(host) || str_equal(host, "0.0.0.0") || str_equal(host, "[::]") ||
                         str_equal(host, "*");

    return str_printf("https://%s:%u", is_everywhere ? "127.0.0.1" : host, api_port(daemon->api));
}

static json_t *issue(const struct daemon *daemon, const json_t *body, struct err *err)
{
    const char *user = json_text_at(body, "user", NULL), *groups[GROUPS_MAX + 1];
    auto_free char *tls = str_printf("%s/tls", daemon->config.state_dir);
    auto_free char *certificate = NULL, *key = NULL, *ca = NULL, *server = NULL;
    int64_t ttl_s;

    if (str_is_empty(user))
        return (void)err_set(err, ERR_BAD_REQUEST, "user: is required"), NULL;
    if (!api_port(daemon->api))
        return (void)err_set(err, ERR_CONFLICT, "virgad listens on no TCP port: its setting \"listen\" is none"),
               NULL;
    if (read_groups(json_object_get(body, "groups"), groups, err) < 0 || read_ttl(body, &ttl_s, err) < 0 ||
        api_issue_client(tls, user, groups, ttl_s, &certificate, &key, &ca, err) < 0)
        return NULL;
    server = address_of(daemon);
    return json_pack("{s:s,s:s,s:s,s:s}", "server", server, "ca", ca, "certificate", certificate, "key", key);
}

static void credentials(void *arg, struct api_call *call)
{
    struct daemon *daemon = arg;
    struct err err;
    json_t *answer = issue(daemon, api_call_body(call), &err);

    if (answer) {
        api_call_json(call, 201, answer);
        return;
    }
    if (err.code == ERR_INVALID)
        err.code = ERR_BAD_REQUEST;
    api_call_error(call, &err);
}

void bind_credentials(struct daemon *daemon)
{
    api_bind(daemon->api, &kind_host, "credentials", credentials, daemon);
}
