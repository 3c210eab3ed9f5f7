/* drivers/compute/qemu/sockets.h - unix sockets in a folder, however long its path is. */
#pragma once
#include "base/err.h"

/* Makes 'directory'/'name' anew and listens there; the descriptor is the caller's. */
int socket_listen(const char *directory, const char *name, int *ret_fd, struct err *err);
/* Connects without ever waiting; the descriptor is non-blocking. */
int socket_connect(const char *directory, const char *name, int *ret_fd, struct err *err);
