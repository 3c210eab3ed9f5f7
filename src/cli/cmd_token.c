/* cli/cmd_token.c - token create, ls, rm: bearer tokens, which are Secrets of type virga.dev/token in
 * namespace virga-system. The server keeps a token's SHA-256 only. */
#include "cli/base64.h"
#include "cli/common.h"
#include "cli/table.h"
#include "base/quantity.h"
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMESPACE "virga-system"
#define SECRET_TYPE "virga.dev/token"

enum { TOKEN_BYTES = 32, DIGEST_BYTES = 32 };

static char *hex_of(const unsigned char *bytes, size_t size)
{
    struct buf text = { 0 };

    for (size_t i = 0; i < size; i++)
        buf_printf(&text, "%02x", bytes[i]);
    return buf_take(&text);
}

static char *make_token(void)
{
    unsigned char bytes[TOKEN_BYTES];

    if (gnutls_rnd(GNUTLS_RND_KEY, bytes, sizeof bytes) < 0)
        abort();
    auto_free char *hex = hex_of(bytes, sizeof bytes);
    return str_printf("virga_%s", hex);
}

static char *digest_of(const char *token)
{
    unsigned char bytes[DIGEST_BYTES];

    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, token, strlen(token), bytes) < 0)
        abort();
    return hex_of(bytes, sizeof bytes);
}

static void set_data(json_t *secret, const char *key, const char *value)
{
    auto_free char *text = base64_encode(value, strlen(value));
    json_t *data = json_object_get(secret, "data");

    json_object_set_new(data, key, json_string(text));
}

static char *get_data(const json_t *secret, const char *key)
{
    struct buf text = { 0 };
    const char *value = json_string_value(json_object_get(json_object_get(secret, "data"), key));

    base64_decode(value ? value : "", &text);
    return buf_take(&text);
}

/* --- create --- */

static int set_expiry(struct session *session, json_t *secret, const char *ttl, struct err *err)
{
    char text[TIME_TEXT_SIZE];
    int64_t ms;

    if (!ttl)
        return 0;
    if (duration_parse(ttl, &ms, err) < 0 || ms <= 0) {
        session->is_usage = true;
        return ms <= 0 ? err_set(err, ERR_BAD_REQUEST, "--ttl: must be longer than 0s")
                       : err_wrap(err, "--ttl");
    }
    time_format((int64_t)time(NULL) * 1000 + ms, text, sizeof text);
    set_data(secret, "expires", text);
    return 0;
}

static char *groups_of(const struct arguments *arguments)
{
    struct buf groups = { 0 };

    for (size_t i = 0; i < arguments->option_count; i++)
        if (str_equal(arguments->options[i].name, "group"))
            buf_printf(&groups, "%s%s", groups.size ? "," : "", arguments->options[i].value);
    return buf_take(&groups);
}

/* The namespace is made with the first token. */
static int make_namespace(struct session *session, struct err *err)
{
    const struct kind *kind = kind_find_name("namespaces");
    auto_free char *path = client_path(kind, NULL, NAMESPACE, NULL);
    struct client *client = session_client(session, err);

    if (!client)
        return -1;
    if (client_get(client, path, NULL, err) == 0)
        return 0;
    auto_json json_t *object = new_object(session, kind, NAMESPACE, err);
    json_object_del(object, "spec");
    return create_object(session, kind, object, NULL, err) < 0 && err->code != ERR_ALREADY_EXISTS ? -1
                                                                                                   : 0;
}

COMMAND(cmd_token_create)
{
    const char *name = arguments->operands[0], *user = argument(arguments, "user");
    auto_free char *token = make_token(), *digest = digest_of(token), *groups = groups_of(arguments);
    auto_json json_t *secret =
        json_pack("{s:s,s:s,s:{s:s},s:s,s:{}}", "apiVersion", "v1", "kind", "Secret", "metadata", "name",
                  name, "type", SECRET_TYPE, "data");

    session->namespace_name = NAMESPACE;
    if (!secret)
        return usage_error(session, err, "NAME: is no UTF-8 text");
    set_data(secret, "sha256", digest);
    set_data(secret, "user", user ? user : name);
    set_data(secret, "groups", groups);
    if (set_expiry(session, secret, argument(arguments, "ttl"), err) < 0 ||
        make_namespace(session, err) < 0 ||
        create_object(session, kind_find_name("secrets"), secret, NULL, err) < 0)
        return -1;
    puts(token);
    fprintf(stderr, "this is the only time the token is shown; \"virga token rm %s\" revokes it\n", name);
    return 0;
}

/* --- ls, rm --- */

static json_t *row_of(const json_t *secret)
{
    auto_free char *user = get_data(secret, "user"), *groups = get_data(secret, "groups");
    auto_free char *expires = get_data(secret, "expires");

    return json_pack("{s:[s,o,o,s,s]}", "cells", json_text_at(secret, "metadata.name", ""),
                     json_string_repaired(user, strlen(user)),
                     json_string_repaired(groups, strlen(groups)), *expires ? expires : "never",
                     json_text_at(secret, "metadata.creationTimestamp", ""));
}

COMMAND(cmd_token_ls)
{
    auto_free char *path = client_path(kind_find_name("secrets"), NAMESPACE, NULL, NULL);
    struct client *client = session_client(session, err);
    auto_json json_t *list = NULL, *rows = json_array();
    auto_buf struct buf text = { 0 };
    const json_t *items;

    if (!client || client_get(client, path, &list, err) < 0)
        return -1;
    items = json_object_get(list, "items");
    for (size_t i = 0; i < json_array_size(items); i++)
        if (str_equal(json_text_at(json_array_get(items, i), "type", ""), SECRET_TYPE))
            json_array_append_new(rows, row_of(json_array_get(items, i)));
    if (json_array_size(rows) == 0) {
        fputs("there are no tokens\n", stderr);
        return 0;
    }
    auto_json json_t *table =
        json_pack("{s:[{s:s},{s:s},{s:s},{s:s},{s:s}],s:O}", "columnDefinitions", "name", "Name", "name",
                  "User", "name", "Groups", "name", "Expires", "name", "Created", "rows", rows);
    table_write(table, &(struct table_style){ .has_colour = session->out_has_colour }, &text);
    fputs(text.bytes, stdout);
    return 0;
}

static int remove_token(struct session *session, const char *name, void *arg, struct err *err)
{
    const struct kind *kind = kind_find_name("secrets");
    auto_free char *path = client_path(kind, NAMESPACE, name, NULL), *uid = NULL;
    auto_json json_t *secret = NULL;
    struct client *client = session_client(session, err);

    if (!client || client_get(client, path, &secret, err) < 0 ||
        !str_equal(json_text_at(secret, "type", ""), SECRET_TYPE)) {
        session_hint(session, "\"virga token ls\" lists them");
        return secret ? err_set(err, ERR_NOT_FOUND, "there is no token \"%s\"", name) : -1;
    }
    if (delete_object(session, kind, name, &uid, err) < 0)
        return -1;
    printf("token/%s revoked\n", name);
    return 0;
}

COMMAND(cmd_token_rm)
{
    session->namespace_name = NAMESPACE;
    return each_name(session, arguments->operands, arguments->operand_count, remove_token, NULL, err);
}
