/* base/files.h - small file work that must not be half done. Blocking: worker jobs and start-up. */
#pragma once
#include "err.h"
#include "str.h"
#include <sys/stat.h>
#include <sys/types.h>

/* The whole file into 'ret_text' (emptied first). ERR_TOO_LARGE above 'size_max' bytes. */
int file_read(const char *path, size_t size_max, struct buf *ret_text, struct err *err);
/* Writes the neighbour "PATH.new", fsyncs, renames it over 'path', fsyncs the directory. A
 * crash leaves the old file or the new one, and at most that neighbour, which the next write
 * replaces. One writer per path at a time. */
int file_write_atomic(const char *path, const void *bytes, size_t size, mode_t mode,
                      struct err *err);
/* One write(2), for /proc, /sys and cgroup files. */
int file_write_text(const char *path, const char *text, struct err *err);
/* mkdir -p; parents 0755, the last one 'mode', whatever the umask. Existing is fine and keeps
 * its mode. */
int dir_make(const char *path, mode_t mode, struct err *err);
/* rm -rf below and including 'path'; absent is fine; never follows symlinks; at most 64
 * folders deep. */
int dir_remove(const char *path, struct err *err);
/* All of file 'from' into the empty file 'to', both on a file system: by sharing blocks where it can,
 * else by copying, and holes stay holes. */
int file_copy(int from, int to, struct err *err);
/* As many write(2) as it takes, on a blocking descriptor. */
int write_all(int fd, const void *bytes, size_t size, struct err *err);
