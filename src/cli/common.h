/* cli/common.h - what several commands do. */
#pragma once
#include "cli/command.h"

enum { MANIFEST_MAX = 16 * 1024 * 1024, WAIT_MS_DEFAULT = 10 * 60 * 1000 };

/* A kind by any of its names; a failure in how the command was called otherwise. NULL on error. */
const struct kind *find_kind(struct session *session, const char *name, struct err *err);
/* The kind of the operands "KIND/NAME" or "KIND NAME"; '*ret_name' is theirs. One word without a slash is
 * a name of kind 'alone', or a failure in how the command was called where that is NULL. */
const struct kind *find_named(struct session *session, const struct arguments *arguments, const char *alone,
                              const char **ret_name, struct err *err);
/* The whole of a file, or of standard input for "-". */
int read_input(const char *path, size_t size_max, struct buf *ret_text, struct err *err);
/* The path of an object in the session's namespace. Owned. */
char *object_path(const struct session *session, const struct kind *kind, const char *name,
                  const char *sub);
/* All of an object that people write: the rest moves by itself. Owned. */
json_t *object_wishes(const json_t *object);
/* "Instance vm-a" made by POST. 'ret_made' may be NULL. */
int create_object(struct session *session, const struct kind *kind, const json_t *object,
                  json_t **ret_made, struct err *err);
/* Whether it could be made; nothing is changed. */
int try_object(struct session *session, const struct kind *kind, const json_t *object, struct err *err);
int merge_patch(struct session *session, const struct kind *kind, const char *name,
                const json_t *patch, struct err *err);
/* '*ret_uid' (owned): of the object that is going; NULL when it is gone already. */
int delete_object(struct session *session, const struct kind *kind, const char *name,
                  char **ret_uid, struct err *err);
/* Deletes objects by name, and waits until they are gone when 'waits'. One that fails does not
 * keep the others: see each_name(). */
int delete_names(struct session *session, const struct kind *kind, char *const *names, int count,
                 bool waits, struct err *err);

/* Calls 'fn' for each name. A failure is printed at once and the next name tried; the result is
 * then -1 with an empty error, which main() does not print. */
typedef int name_fn(struct session *session, const char *name, void *arg, struct err *err);
int each_name(struct session *session, char *const *names, int count, name_fn *fn, void *arg,
              struct err *err);
/* {"apiVersion", "kind", "metadata":{"name"}, "spec":{}}. Owned; NULL, and a failure in how the
 * command was called, when the name is no UTF-8 text. */
json_t *new_object(struct session *session, const struct kind *kind, const char *name,
                   struct err *err);
/* Makes the object and, without --no-wait, waits until its phase is Ready. */
int create_and_wait(struct session *session, const struct kind *kind, const json_t *object,
                    const struct arguments *arguments, struct err *err);
/* 'path', a list or an object, as the server's table. Owned; NULL on error. */
json_t *fetch_table(struct session *session, const char *path, struct err *err);
/* Puts the rows of a table of the events at 'path' in the order in which they happened: the server lists by
 * name, which says nothing of events. */
int order_events(struct session *session, const char *path, json_t *table, struct err *err);
/* What happened to the object, below "events:"; "none" is said on standard error. */
int print_events(struct session *session, const json_t *object, struct err *err);
/* Puts an option of size (cpus, memory, max-cpus, max-memory) into the spec of an Instance. */
int add_size(json_t *spec, const char *option, const char *value, bool *ret_is_size, struct err *err);
/* -1, with what keeps the instance from running and what helps: see standing.h. */
int refuse_standing(struct session *session, const json_t *instance, struct err *err);
/* "instance/vm-a created" */
void print_done(const struct kind *kind, const char *name, const char *what);

/* Does it decide the size of groups? */
bool kind_is_scaler(const struct kind *kind);
/* Calls 'fn' for each object, of any such kind, that scales the group; the first failure ends it. */
typedef int scaler_fn(struct session *session, const struct kind *kind, const json_t *scaler, void *arg,
                      struct err *err);
int each_scaler(struct session *session, const char *group, scaler_fn *fn, void *arg, struct err *err);

/* Each waits, saying phases as they come on standard error, and fails after 'timeout_ms' or when
 * the object goes away. Until status.phase is 'wanted'; fails when it becomes Failed. */
int wait_for_phase(struct session *session, const struct kind *kind, const char *name,
                   const char *wanted, int64_t timeout_ms, struct err *err);
/* Until it runs again after the restart asked for with spec.restartAt 'restart_at'. */
int wait_for_restart(struct session *session, const struct kind *kind, const char *name,
                     const char *restart_at, int64_t timeout_ms, struct err *err);
/* Until the guest has what spec.cpus and spec.memory want, or needs no time to: it does not run. Fails
 * when only a restart can do it. */
int wait_for_size(struct session *session, const struct kind *kind, const char *name,
                  int64_t timeout_ms, struct err *err);
/* Until the condition is True. */
int wait_for_condition(struct session *session, const struct kind *kind, const char *name,
                       const char *condition, int64_t timeout_ms, struct err *err);
/* Until the object of that uid is gone, which may be so already. */
int wait_until_gone(struct session *session, const struct kind *kind, const char *name,
                    const char *uid, int64_t timeout_ms, struct err *err);

/* Prints what a request answers as it comes to 'fd'. */
int stream_to(struct session *session, const char *path, const char *accept, int fd,
              struct err *err);

/* Sends 'fd' to an image's content, with a progress bar on a terminal, and goes on by itself when the
 * connection breaks. 'size' -1: unknown. 'resumes': after what the server has already. */
int upload_image(struct session *session, const char *name, int fd, int64_t size, bool resumes,
                 struct err *err);
