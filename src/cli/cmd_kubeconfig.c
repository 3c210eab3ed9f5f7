/* cli/cmd_kubeconfig.c - kubeconfig: a file with which kubectl and virga reach this server. */
#include "cli/common.h"
#include "cli/kubeconfig.h"
#include "cli/manifest.h"
#include "base/files.h"
#include <stdio.h>
#include <unistd.h>

#define ADMIN_GROUP "system:masters"

static json_t *request_body(const struct arguments *arguments)
{
    const char *user = argument(arguments, "user"), *ttl = argument(arguments, "ttl");
    json_t *groups = json_array();

    for (size_t i = 0; i < arguments->option_count; i++)
        if (str_equal(arguments->options[i].name, "group"))
            json_array_append_new(groups, json_string(arguments->options[i].value));
    /* A user of its own name gets no more than what is asked for. */
    if (!user && json_array_size(groups) == 0)
        json_array_append_new(groups, json_string(ADMIN_GROUP));
    json_t *body = json_pack("{s:s,s:o}", "user", user ? user : "admin", "groups", groups);
    if (ttl)
        json_set_at(body, "ttl", json_string(ttl));
    return body;
}

/* The server's own Host: whose name is asked for does not matter to the certificate. */
static char *host_name(struct session *session, struct err *err)
{
    auto_free char *path = client_path(kind_find_name("hosts"), NULL, NULL, NULL);
    struct client *client = session_client(session, err);
    auto_json json_t *hosts = NULL;
    const char *name;

    if (!client || client_get(client, path, &hosts, err) < 0)
        return NULL;
    name = json_text_at(hosts, "items[0].metadata.name", NULL);
    if (!name)
        (void)err_set(err, ERR_NOT_FOUND, "the server has no host yet");
    return str_dup(name);
}

static json_t *issue(struct session *session, const struct arguments *arguments, struct err *err)
{
    auto_free char *host = host_name(session, err);
    auto_json json_t *body = request_body(arguments), *answer = NULL;

    if (!host)
        return NULL;
    auto_free char *path = client_path(kind_find_name("hosts"), NULL, host, "credentials");
    if (!body) {
        (void)usage_error(session, err, "--user and --group must be UTF-8 texts");
        return NULL;
    }
    if (client_send(session->client,
                    &(struct client_request){ .method = "POST", .path = path, .body = body }, &answer,
                    err) < 0)
        return NULL;
    return take_pointer(answer);
}

/* Only the user may read a private key. */
static int write_out(const char *file, const struct buf *text, struct err *err)
{
    if (!file) {
        fwrite(text->bytes, 1, text->size, stdout);
        return 0;
    }
    if (file_write_atomic(file, text->bytes, text->size, 0600, err) < 0)
        return err_wrap(err, "%s", file);
    fprintf(stderr, "wrote %s; \"kubectl --kubeconfig %s get instances\" uses it\n", file, file);
    return 0;
}

COMMAND(cmd_kubeconfig)
{
    const char *user = argument(arguments, "user"), *address = argument(arguments, "address");
    auto_json json_t *issued = issue(session, arguments, err);
    auto_buf struct buf text = { 0 };

    if (!issued)
        return -1;
    auto_free char *server = address ? str_printf("https://%s", address) : NULL;
    struct kubeconfig_parts parts = { .server = server ? server : json_text_at(issued, "server", ""),
                                      .user = user ? user : "admin",
                                      .namespace_name = session->namespace_name,
                                      .ca = json_text_at(issued, "ca", ""),
                                      .cert = json_text_at(issued, "certificate", ""),
                                      .key = json_text_at(issued, "key", "") };
    auto_json json_t *config = kubeconfig_make(&parts);
    yaml_write(config, &text);
    return write_out(argument(arguments, "output"), &text, err);
}
