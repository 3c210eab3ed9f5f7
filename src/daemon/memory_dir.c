/* daemon/memory_dir.c - where the memory of frozen machines lies. */
#include "daemon/memory_dir.h"
#include "base/files.h"
#include "base/log.h"
#include "base/str.h"
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

/* One per state directory: "/dev/shm/virga-var-lib-virga". */
static char *path_of(const struct config *config)
{
    char *path;

    if (config->memory_dir)
        return str_dup(config->memory_dir);
    path = str_printf("/dev/shm/virga%s", config->state_dir);
    for (char *c = path + sizeof "/dev/shm/virga" - 1; *c; c++)
        if (*c == '/')
            *c = '-';
    return path;
}

static bool has_tmpfs(void)
{
    struct statfs found;

    return statfs("/dev/shm", &found) == 0 && found.f_type == TMPFS_MAGIC;
}

/* Everybody may make folders in /dev/shm. */
static bool is_private(const char *path)
{
    struct stat found;

    return lstat(path, &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == geteuid() &&
           (found.st_mode & 077) == 0;
}

char *memory_dir_make(const struct config *config)
{
    auto_free char *path = path_of(config);
    struct err err;

    if (!config->memory_dir && !has_tmpfs())
        return NULL;
    if (dir_make(path, 0700, &err) == 0 && is_private(path))
        return take_pointer(path);
    log_warning("%s is not a directory of ours alone: the memory of frozen machines lies in the run directory", path);
    return NULL;
}

void memory_dir_remove(const struct config *config)
{
    auto_free char *path = path_of(config);
    struct err err;

    if (is_private(path) && !config->memory_dir && dir_remove(path, &err) < 0)
        log_warning("%s: %s", path, err.text);
}
