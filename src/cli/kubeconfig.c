/* cli/kubeconfig.c - see kubeconfig.h */
#include "cli/kubeconfig.h"
#include "cli/base64.h"
#include <stdlib.h>
#include <string.h>

#define CONTEXT "virga"

void kubeconfig_done(struct kubeconfig *config)
{
    char **texts[] = { &config->server,  &config->namespace_name, &config->ca,       &config->cert,
                       &config->key,     &config->token,          &config->ca_file,  &config->cert_file,
                       &config->key_file, &config->token_file };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        free(*texts[i]);
        *texts[i] = NULL;
    }
}

/* clusters[name=NAME].cluster and their like. NULL when there is none. */
static const json_t *named(const json_t *file, const char *list_name, const char *item_name,
                           const char *name)
{
    const json_t *list = json_object_get(file, list_name);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (str_equal(json_text_at(item, "name", NULL), name))
            return json_object_get(item, item_name);
    }
    return NULL;
}

static char *path_of(const json_t *from, const char *name, const char *folder)
{
    const char *path = json_text_at(from, name, NULL);

    if (!path || path[0] == '/')
        return str_dup(path);
    return str_printf("%s/%s", folder, path);
}

/* NAME-data wins over NAME, as in kubectl. */
static void read_pem(const json_t *from, const char *name, const char *folder, char **ret_bytes,
                     char **ret_file)
{
    auto_free char *data_name = str_printf("%s-data", name);
    const char *data = json_text_at(from, data_name, NULL);
    struct buf bytes = { 0 };

    if (data) {
        base64_decode(data, &bytes);
        *ret_bytes = buf_take(&bytes);
    } else {
        *ret_file = path_of(from, name, folder);
    }
}

static int read_user(const json_t *user, const char *folder, struct kubeconfig *config,
                     struct err *err)
{
    read_pem(user, "client-certificate", folder, &config->cert, &config->cert_file);
    read_pem(user, "client-key", folder, &config->key, &config->key_file);
    config->token = str_dup(json_text_at(user, "token", NULL));
    if (!config->token)
        config->token_file = path_of(user, "tokenFile", folder);
    if (!config->cert && !config->cert_file && !config->token && !config->token_file &&
        json_object_get(user, "exec"))
        return err_set(err, ERR_BAD_REQUEST, "its user logs in with a program, which virga does not");
    return 0;
}

int kubeconfig_read(const json_t *file, const char *folder, const char *context,
                    struct kubeconfig *ret_config, struct err *err)
{
    const char *name = context ? context : json_text_at(file, "current-context", NULL);
    const json_t *found = name ? named(file, "contexts", "context", name) : NULL;
    const json_t *cluster =
        named(file, "clusters", "cluster", json_text_at(found, "cluster", ""));
    const json_t *user = named(file, "users", "user", json_text_at(found, "user", ""));
    struct kubeconfig config = { 0 };

    if (str_is_empty(name))
        return err_set(err, ERR_BAD_REQUEST, "current-context is missing");
    if (!found)
        return err_set(err, ERR_BAD_REQUEST, "there is no context \"%s\"", name);
    if (!json_text_at(cluster, "server", NULL))
        return err_set(err, ERR_BAD_REQUEST, "context \"%s\" has no cluster with a server", name);
    if (read_user(user, folder, &config, err) < 0) {
        kubeconfig_done(&config);
        return -1;
    }
    read_pem(cluster, "certificate-authority", folder, &config.ca, &config.ca_file);
    config.server = str_dup(json_text_at(cluster, "server", NULL));
    config.namespace_name = str_dup(json_text_at(found, "namespace", NULL));
    *ret_config = config;
    return 0;
}

static json_t *base64_of(const char *text)
{
    auto_free char *encoded = base64_encode(text, strlen(text));

    return json_string(encoded);
}

json_t *kubeconfig_make(const struct kubeconfig_parts *parts)
{
    return json_pack(
        "{s:s,s:s,s:[{s:s,s:{s:s,s:o}}],s:[{s:s,s:{s:s,s:s,s:s}}],s:s,s:{},s:[{s:s,s:{s:o,s:o}}]}",
        "apiVersion", "v1", "kind", "Config",                                            /**/
        "clusters", "name", CONTEXT, "cluster", "server", parts->server,                 /**/
        "certificate-authority-data", base64_of(parts->ca),                              /**/
        "contexts", "name", CONTEXT, "context", "cluster", CONTEXT, "user", parts->user, /**/
        "namespace", parts->namespace_name ? parts->namespace_name : "default",          /**/
        "current-context", CONTEXT, "preferences",                                       /**/
        "users", "name", parts->user, "user", "client-certificate-data",
        base64_of(parts->cert), "client-key-data", base64_of(parts->key));
}
