/* daemon/agent_file.h - files of the guest, through the QEMU guest agent's guest-file-* commands. */
#pragma once
#include "drivers/compute.h"

/* Reads the guest's file 'path' and writes it to 'take_fd' (a pipe or socket; closed at the end).
 * 'opened' is called once: with NULL when the file is open and bytes follow, or with the error. */
void agent_file_read(struct loop *loop, struct compute *compute, const char *uid, const char *path,
                     int take_fd, struct done opened);

/* Writes all of 'take_fd' (a regular file, read from its start; closed at the end) to 'path'. */
void agent_file_write(struct loop *loop, struct compute *compute, const char *uid, const char *path,
                      int take_fd, struct done done);
