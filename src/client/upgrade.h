/* client/upgrade.h - the opening handshake of a WebSocket (RFC 6455, section 4.1). Pure. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum { UPGRADE_KEY_LENGTH = 24, UPGRADE_HEAD_MAX = 64 * 1024 };

/* A fresh Sec-WebSocket-Key. */
void upgrade_key(char key[UPGRADE_KEY_LENGTH + 1]);
/* The request's head; 'token' may be NULL. Owned. */
char *upgrade_request(const char *host, const char *path, const char *key, const char *token);

struct upgrade_answer {
    int status;            /* HTTP status */
    size_t head_size;      /* the empty line included */
    long content_length;   /* -1: none */
};
/* 1: the head in 'bytes' is whole and in '*ret_answer'; 0: there is more to come; -1: it is no HTTP,
 * or a 101 that does not belong to 'key'. */
int upgrade_parse(const char *bytes, size_t size, const char *key,
                  struct upgrade_answer *ret_answer, struct err *err);
