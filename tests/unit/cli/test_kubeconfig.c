#include "check.h"
#include "base/auto.h"
#include "cli/kubeconfig.h"
#include "cli/manifest.h"
#include <string.h>

static int read_text(const char *text, const char *context, struct kubeconfig *ret_config,
                     struct err *err)
{
    auto_json json_t *documents = yaml_parse(text, strlen(text), err);

    CHECK(documents != NULL);
    return kubeconfig_read(json_array_get(documents, 0), "/etc/kube", context, ret_config, err);
}

#define CLUSTERS                                                                                   \
    "clusters:\n- {name: one, cluster: {server: 'https://a:1', certificate-authority: ca.pem}}\n"   \
    "- {name: two, cluster: {server: 'https://b:2', certificate-authority-data: Y2E=}}\n"           \
    "contexts:\n- {name: x, context: {cluster: one, user: tom}}\n"                                  \
    "- {name: y, context: {cluster: two, user: ann, namespace: lab}}\n"                             \
    "- {name: z, context: {cluster: none, user: ann}}\n"                                            \
    "- {name: e, context: {cluster: one, user: exe}}\n"                                             \
    "users:\n- {name: tom, user: {tokenFile: /run/token}}\n"                                        \
    "- {name: ann, user: {client-certificate-data: Y3J0, client-key: keys/ann.key}}\n"              \
    "- {name: exe, user: {exec: {command: aws}}}\n"

TEST(what_we_write_we_can_read)
{
    struct kubeconfig_parts parts = { .server = "https://h:7443", .user = "admin", .ca = "CA\n",
                                      .cert = "CRT\n", .key = "KEY\n" };
    auto_json json_t *file = kubeconfig_make(&parts);
    struct kubeconfig config;
    struct err err;

    CHECK_OK(kubeconfig_read(file, ".", NULL, &config, &err), &err);
    CHECK_STR(config.server, "https://h:7443");
    CHECK_STR(config.namespace_name, "default");
    CHECK_STR(config.ca, "CA\n");
    CHECK_STR(config.cert, "CRT\n");
    CHECK_STR(config.key, "KEY\n");
    CHECK_STR(config.token, NULL);
    kubeconfig_done(&config);
}

TEST(files_are_found_beside_the_kubeconfig)
{
    struct kubeconfig config;
    struct err err;

    CHECK_OK(read_text("current-context: x\n" CLUSTERS, NULL, &config, &err), &err);
    CHECK_STR(config.server, "https://a:1");
    CHECK_STR(config.ca_file, "/etc/kube/ca.pem");
    CHECK_STR(config.token_file, "/run/token");
    CHECK_STR(config.namespace_name, NULL);
    kubeconfig_done(&config);
    CHECK_OK(read_text("current-context: x\n" CLUSTERS, "y", &config, &err), &err);
    CHECK_STR(config.ca, "ca");
    CHECK_STR(config.cert, "crt");
    CHECK_STR(config.key_file, "/etc/kube/keys/ann.key");
    CHECK_STR(config.namespace_name, "lab");
    kubeconfig_done(&config);
}

TEST(what_is_missing_is_named)
{
    struct kubeconfig config;
    struct err err;

    CHECK_FAILS(read_text(CLUSTERS, NULL, &config, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "current-context is missing");
    CHECK_FAILS(read_text(CLUSTERS, "q", &config, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "there is no context \"q\"");
    CHECK_FAILS(read_text(CLUSTERS, "z", &config, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "context \"z\" has no cluster with a server");
    CHECK_FAILS(read_text(CLUSTERS, "e", &config, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "its user logs in with a program, which virga does not");
    CHECK_FAILS(read_text("- 1\n", NULL, &config, &err), &err, ERR_BAD_REQUEST);
}
