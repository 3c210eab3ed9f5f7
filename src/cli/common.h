/* cli/common.h - what several commands do. */
#pragma once
#include "cli/command.h"

enum { MANIFEST_MAX = 16 * 1024 * 1024, WAIT_MS_DEFAULT = 10 * 60 * 1000 };

/* A kind by any of its names; a failure in how the command was called otherwise. NULL on error. */
const struct kind *find_kind(struct session *session, const char *name, struct err *err);
/* The whole of a file, or of standard input for "-". */
int read_input(const char *path, size_t size_max, struct buf *ret_text, struct err *err);
/* The path of an object in the session's namespace. Owned. */
char *object_path(const struct session *session, const struct kind *kind, const char *name,
                  const char *sub);
/* "Instance vm-a" made by POST. 'ret_made' may be NULL. */
int create_object(struct session *session, const struct kind *kind, const json_t *object,
                  json_t **ret_made, struct err *err);
int merge_patch(struct session *session, const struct kind *kind, const char *name,
                const json_t *patch, struct err *err);
int delete_object(struct session *session, const struct kind *kind, const char *name,
                  struct err *err);
/* {"apiVersion", "kind", "metadata":{"name"}, "spec":{}}. Owned. */
json_t *new_object(const struct kind *kind, const char *name);
/* Prints 'path', a list, as the server's table. */
int print_table(struct session *session, const char *path, bool wide, bool with_namespace,
                struct err *err);
/* "instance/vm-a created" */
void print_done(const struct kind *kind, const char *name, const char *what);

/* Waits until status.phase of an object is 'wanted'; says the phases as they come, on standard
 * error. Fails when it becomes Failed, goes away, or after 'timeout_ms'. */
int wait_for_phase(struct session *session, const struct kind *kind, const char *name,
                   const char *wanted, int64_t timeout_ms, struct err *err);

/* Prints what a request answers as it comes to 'fd'. */
int stream_to(struct session *session, const char *path, const char *accept, int fd,
              struct err *err);

/* Sends 'fd' to an image's content, with a progress line on a terminal. 'size' -1: unknown. */
int upload_image(struct session *session, const char *name, int fd, int64_t size, struct err *err);
