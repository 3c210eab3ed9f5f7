/* daemon/memory_dir.c - where the memory of frozen machines lies. */
#include "daemon/memory_dir.h"
#include "base/str.h"
#include <linux/magic.h>
#include <sys/vfs.h>

#define SHARED_MEMORY "/dev/shm"

static bool has_tmpfs(void)
{
    struct statfs found;

    return statfs(SHARED_MEMORY, &found) == 0 && found.f_type == TMPFS_MAGIC;
}

/* One per state directory: "/dev/shm/virga-var-lib-virga". */
char *memory_dir_of(const struct config *config)
{
    char *path;

    if (config->memory_dir)
        return str_dup(config->memory_dir);
    if (!has_tmpfs())
        return NULL;
    path = str_printf(SHARED_MEMORY "/virga%s", config->state_dir);
    for (char *c = path + sizeof SHARED_MEMORY; *c; c++)
        if (*c == '/')
            *c = '-';
    return path;
}
