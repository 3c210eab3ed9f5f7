/* drivers/network/netns/namespaces.h - network namespaces kept by a bind mount on a file, and
 * being in one for a while. For worker threads and open(): threads change one by one. */
#pragma once
#include "base/err.h"
#include <stdbool.h>

/* Opens the namespace mounted on 'path'. ERR_NOT_FOUND: no file, or nothing mounted on it. */
int namespace_open(const char *path, int *ret_fd, struct err *err);
/* The namespace the calling thread is in. */
int namespace_open_own(int *ret_fd, struct err *err);
/* Makes a new one and mounts it on 'path', which is created; what is there already stays and is
 * fine. '*ret_created' says whether it is new. */
int namespace_create(const char *path, bool *ret_created, struct err *err);
/* Unmounts and removes 'path'; absent is fine. The kernel tears the namespace down later, when
 * nobody holds it any more. */
int namespace_remove(const char *path, struct err *err);

struct namespace_visit {
    int origin_fd; /* where to go back to */
};
/* From here to namespace_leave() the calling thread is in the namespace behind 'fd'. */
int namespace_enter(int fd, struct namespace_visit *ret_visit, struct err *err);
/* Back again. Cannot fail: a thread astray would work on the wrong network, so it aborts. */
void namespace_leave(struct namespace_visit *visit);

/* Writes a setting below /proc/sys/net of the namespace the thread is in, when it differs.
 * "ipv4/ip_forward". ERR_NOT_FOUND: this kernel has no such setting. */
int sysctl_set(const char *name, const char *value, struct err *err);
/* The same where absence is as good as "off". */
int sysctl_set_if_there(const char *name, const char *value, struct err *err);
/* The first character of a setting, or 0 when it can't be read. */
char sysctl_get(const char *name);
