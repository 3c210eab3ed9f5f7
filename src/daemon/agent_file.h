/* daemon/agent_file.h - files of the guest, through the QEMU guest agent's guest-file-* commands. */
#pragma once
#include "drivers/compute.h"

/* Reads the guest's file 'path'. 'opened' is called once: with a socket that brings its bytes, the
 * caller's, as soon as the first of them are there, or with the error. Reading from the socket ends
 * with the file, and fails with ECONNRESET when the rest could not be read. */
void agent_file_read(struct loop *loop, struct compute *compute, const char *uid, const char *path,
                     compute_fd_fn *opened, void *arg);

/* Writes all of 'take_fd' (a regular file, read from its start; closed at the end) to 'path'. */
void agent_file_write(struct loop *loop, struct compute *compute, const char *uid, const char *path,
                      int take_fd, struct done done);
