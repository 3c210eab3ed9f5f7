/* api/listen.h - sockets to listen on. */
#pragma once
#include "base/err.h"

enum { LISTEN_BACKLOG = 1024 };

/* A listening unix socket, mode 0660. A stale one is replaced; ERR_CONFLICT when somebody answers
 * on it. The descriptor, or -1. */
int listen_unix(const char *path, struct err *err);
/* "127.0.0.1:8443", "[::]:8443"; port 0 takes a free one, told in '*ret_port'. ERR_CONFLICT when
 * it is taken. The descriptor, or -1. */
int listen_tcp(const char *address, unsigned *ret_port, struct err *err);
/* "127.0.0.1:41234" or "unix:uid=0" of a connected socket. Owned. */
char *listen_peer(int fd);
/* Finds out by itself when the other end is gone: watches send nothing for minutes. */
void listen_keep_alive(int fd);
/* Sends small pieces at once; libmicrohttpd leaves connections either way. */
void listen_no_delay(int fd);
