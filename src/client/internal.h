/* client/internal.h - what requests and WebSockets of one client share. */
#pragma once
#include "client/client.h"
#include <curl/curl.h>

struct client {
    CURL *curl;
    char *socket, *server, *ca, *cert, *key, *token;
    long last_status;
    json_t *last_failure;
};

/* Tells 'curl' where the server is and who we are to TLS. */
void client_aim(const struct client *client, CURL *curl, const char *path);
/* The error of an answer with status 'client->last_status' that is no success; keeps its body for
 * client_last_details(). Returns -1. */
int client_refused(struct client *client, const char *body, size_t size, struct err *err);
/* The error of a connection that failed. Returns -1. */
int client_unreached(struct client *client, CURL *curl, CURLcode code, struct err *err);
