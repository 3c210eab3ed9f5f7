/* tests/support/pair.h - certificates made on the spot, and a TLS client that says whose it met. */
#pragma once
#include <stdint.h>

/* PEM of a self-signed certificate for 'name' and its key; the caller frees it. */
char *pair_make(const char *name);

struct pair_client;
struct pair_client *pair_connect(uint16_t port); /* 127.0.0.1; NULL: no handshake */
/* Common name of the server's certificate, in 'to'. */
const char *pair_name(struct pair_client *client, char *to, unsigned size);
/* GET / on the connection, which stays open; the status, or -1. */
int pair_get(struct pair_client *client);
void pair_close(struct pair_client *client); /* NULL is fine */
