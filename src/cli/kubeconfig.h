/* cli/kubeconfig.h - kubeconfig files: what we need of them, and ours for others. Pure. */
#pragma once
#include "base/json.h"

/* Texts are PEM bytes or paths, never both; owned, or NULL. */
struct kubeconfig {
    char *server, *namespace_name;
    char *ca, *cert, *key, *token;                 /* the bytes themselves */
    char *ca_file, *cert_file, *key_file, *token_file; /* absolute, or below 'folder' */
};
void kubeconfig_done(struct kubeconfig *config);

/* Context 'context' of a kubeconfig (NULL: its current one). Paths in it are relative to 'folder'.
 * ERR_BAD_REQUEST names what is missing; logging in with exec plugins is not offered. */
int kubeconfig_read(const json_t *file, const char *folder, const char *context,
                    struct kubeconfig *ret_config, struct err *err);

struct kubeconfig_parts {
    const char *server, *user, *namespace_name; /* namespace NULL: "default" */
    const char *ca, *cert, *key;                /* PEM */
};
/* A whole kubeconfig whose one context is called "virga". Owned. */
json_t *kubeconfig_make(const struct kubeconfig_parts *parts);
