/* api/pki.h - a small certificate authority in a directory: ca.crt, ca.key, server.crt, server.key.
 * ECDSA P-256 throughout. Blocking: start-up and rare renewals; a certificate takes 0.2 ms. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    PKI_CA_DAYS = 3650,
    PKI_SERVER_DAYS = 365,
    PKI_FILE_SIZE_MAX = 64 * 1024,
    PKI_BACKDATE_S = 5 * 60 /* clocks of clients may be a little behind */
};

/* PEM texts, owned. */
struct pki_pair {
    char *certificate;
    char *key;
};
void pki_pair_done(struct pki_pair *pair);
void pki_pair_done_auto(struct pki_pair *pair);
#define auto_pki_pair __attribute__((cleanup(pki_pair_done_auto)))

/* Reads the directory's CA; makes it when there is none. */
int pki_ca(const char *directory, struct pki_pair *ret_ca, struct err *err);

/* The stored server certificate; a new one is made when there is none, when two thirds of its life
 * are over, when the CA is another, or when it lacks one of 'names' (host names and addresses,
 * NULL-terminated). '*ret_renewed' (may be NULL) tells. */
int pki_server(const char *directory, const struct pki_pair *ca, const char *const *names,
               struct pki_pair *ret_server, bool *ret_renewed, struct err *err);

/* A client certificate for CN 'user' and O 'groups' (NULL-terminated), valid for 'seconds'.
 * ERR_BAD_REQUEST names what is too long or out of range. */
int pki_client(const struct pki_pair *ca, const char *user, const char *const *groups,
               int64_t seconds, struct pki_pair *ret_client, struct err *err);
