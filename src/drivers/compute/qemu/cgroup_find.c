/* drivers/compute/qemu/cgroup_find.c - where this host lets us make groups.
 *
 * For each controller: a version 1 mount that lists it, else the version 2 mount when its
 * root offers it, else nothing. */
#include "base/files.h"
#include "base/str.h"
#include "drivers/compute/qemu/cgroup.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 256 * 1024 };

struct mount_line {
    char root[CGROUP_PATH_SIZE];  /* which part of the hierarchy is mounted */
    char point[CGROUP_PATH_SIZE]; /* where */
    char options[256];            /* of the super block: the controllers of version 1 */
    bool is_v2;
};

/* --- the texts --- */

/* "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu" */
static bool parse_mount(const char *line, size_t length, struct mount_line *ret_mount)
{
    auto_free char *text = str_dup_part(line, length);
    const char *tail = strstr(text, " - ");
    char type[32];

    *ret_mount = (struct mount_line){ 0 };
    if (!tail || sscanf(tail, " - %31s %*s %255s", type, ret_mount->options) != 2 ||
        sscanf(text, "%*s %*s %*s %255s %255s", ret_mount->root, ret_mount->point) != 2)
        return false;
    ret_mount->is_v2 = strcmp(type, "cgroup2") == 0;
    return ret_mount->is_v2 || strcmp(type, "cgroup") == 0;
}

static bool lists(const char *options, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = options; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || !at[length]))
            return true;
    }
    return false;
}

static bool find_mount(const char *mountinfo, const char *controller, bool v2,
                       struct mount_line *ret_mount)
{
    for (const char *line = mountinfo; *line;) {
        size_t length = strcspn(line, "\n");

        if (parse_mount(line, length, ret_mount) && ret_mount->is_v2 == v2 &&
            (v2 || lists(ret_mount->options, controller)))
            return true;
        line += length + (line[length] == '\n');
    }
    return false;
}

/* The daemon's own group in the hierarchy of 'controller' (NULL: version 2), from
 * "4:memory:/a/b" or "0::/a/b". */
static void find_self(const char *self, const char *controller, char to[CGROUP_PATH_SIZE])
{
    snprintf(to, CGROUP_PATH_SIZE, "/");
    for (const char *line = self; *line;) {
        size_t length = strcspn(line, "\n");
        auto_free char *text = str_dup_part(line, length);
        char *names = strchr(text, ':');
        char *path = names ? strchr(names + 1, ':') : NULL;

        line += length + (line[length] == '\n');
        if (!path)
            continue;
        *path++ = '\0';
        names++;
        if (controller ? lists(names, controller) : !*names && text[0] == '0')
            snprintf(to, CGROUP_PATH_SIZE, "%s", path);
    }
}

/* --- places --- */

struct search {
    struct cgroups *cgroups;
    const char *root, *mountinfo, *self; /* texts */
};

/* Where machines' groups go: "virga" in 'group' of the hierarchy. 'to' has no '/' at its end. */
static int join(char to[CGROUP_PATH_SIZE], const char *root, const struct mount_line *mount,
                const char *group, struct err *err)
{
    size_t hidden = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
    const char *below = hidden && strncmp(group, mount->root, hidden) == 0 ? group + hidden : group;
    int length = snprintf(to, CGROUP_PATH_SIZE, "%s%s%s%svirga", root, mount->point, below,
                          str_ends(below, "/") ? "" : "/");

    if (length >= CGROUP_PATH_SIZE)
        return err_set(err, ERR_TOO_LARGE, "the path of our group is too long");
    return 0;
}

static struct cgroup_base *base_at(struct cgroups *cgroups, const char *path, bool is_v2)
{
    for (unsigned i = 0; i < cgroups->base_count; i++) {
        if (str_equal(cgroups->bases[i].path, path))
            return &cgroups->bases[i];
    }
    struct cgroup_base *base = &cgroups->bases[cgroups->base_count++];
    *base = (struct cgroup_base){ .is_v2 = is_v2 };
    snprintf(base->path, sizeof base->path, "%s", path);
    return base;
}

static int try_group(const char *path, struct err *err)
{
    auto_free char *probe = str_printf("%s/probe", path);

    if (dir_make(probe, 0755, err) < 0)
        return -1;
    (void)rmdir(probe);
    (void)rmdir(path); /* made again with the first machine */
    return 0;
}

static int use_v1(const struct search *search, const char *name, unsigned bit, struct err *err)
{
    char own[CGROUP_PATH_SIZE], base[CGROUP_PATH_SIZE];
    struct mount_line mount;

    if (!find_mount(search->mountinfo, name, /*v2=*/false, &mount))
        return err_set(err, ERR_NOT_FOUND, "not mounted");
    find_self(search->self, name, own);
    if (join(base, search->root, &mount, own, err) < 0 || try_group(base, err) < 0)
        return -1;
    base_at(search->cgroups, base, /*is_v2=*/false)->controllers |= bit;
    return 0;
}

static int enable_in(const char *path, size_t length, const char *name, struct err *err)
{
    auto_free char *file = str_printf("%.*s/cgroup.subtree_control", (int)length, path);
    auto_free char *enable = str_printf("+%s", name);

    return file_write_text(file, enable, err);
}

/* Hands the controller down from the mount point, 'top' characters of 'path', to the
 * children of 'path'. */
static int enable_v2(const char *path, size_t top, const char *name, struct err *err)
{
    for (size_t length = top;;) {
        if (enable_in(path, length, name, err) < 0)
            return -1;
        if (!path[length])
            return 0;
        length += 1 + strcspn(path + length + 1, "/");
    }
}

static int use_v2(const struct search *search, const char *name, unsigned bit, struct err *err)
{
    char own[CGROUP_PATH_SIZE], base[CGROUP_PATH_SIZE];
    struct mount_line mount;
    int result;

    if (!find_mount(search->mountinfo, NULL, /*v2=*/true, &mount))
        return err_set(err, ERR_NOT_FOUND, "not mounted");
    find_self(search->self, NULL, own);
    char *last = strrchr(own, '/');
    if (last)
        *last = '\0'; /* beside our own group */
    if (join(base, search->root, &mount, own, err) < 0 || dir_make(base, 0755, err) < 0)
        return -1;
    result = enable_v2(base, strlen(search->root) + strlen(mount.point), name, err);
    (void)rmdir(base); /* made again with the first machine */
    if (result == 0)
        base_at(search->cgroups, base, /*is_v2=*/true)->controllers |= bit;
    return result;
}

/* --- the summary --- */

static void add_list(struct buf *text, const struct cgroups *cgroups, bool is_v2)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < cgroups->base_count; i++)
        bits |= cgroups->bases[i].is_v2 == is_v2 ? cgroups->bases[i].controllers : 0;
    if (!(bits & (CGROUP_CPU | CGROUP_MEMORY)))
        return;
    buf_printf(text, "%sv%d: %s%s%s", text->size ? "; " : "", is_v2 ? 2 : 1,
               bits & CGROUP_CPU ? "cpu" : "",
               (bits & CGROUP_CPU) && (bits & CGROUP_MEMORY) ? ", " : "",
               bits & CGROUP_MEMORY ? "memory" : "");
}

void cgroups_find(struct cgroups *ret_cgroups, const char *root, const char *mountinfo,
                  const char *self)
{
    static const struct {
        const char *name; /* of version 1 */
        const char *name_v2;
        unsigned bit;
        bool is_limit;
    } rows[] = { { "cpu", "cpu", CGROUP_CPU, true },
                 { "cpuacct", "cpu", CGROUP_CPUACCT, false },
                 { "memory", "memory", CGROUP_MEMORY, true } };
    const struct search search = { ret_cgroups, root, mountinfo, self };
    auto_buf struct buf missing = { 0 };
    auto_buf struct buf summary = { 0 };

    *ret_cgroups = (struct cgroups){ 0 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err;

        if (use_v1(&search, rows[i].name, rows[i].bit, &err) == 0 ||
            use_v2(&search, rows[i].name_v2, rows[i].bit, &err) == 0)
            continue;
        if (rows[i].is_limit)
            buf_printf(&missing, "; no %s limit: %s", rows[i].name, err.text);
    }
    add_list(&summary, ret_cgroups, /*is_v2=*/false);
    add_list(&summary, ret_cgroups, /*is_v2=*/true);
    if (missing.size)
        buf_add_text(&summary, missing.bytes + (summary.size ? 0 : 2));
    snprintf(ret_cgroups->summary, sizeof ret_cgroups->summary, "%s",
             summary.size ? summary.bytes : "");
}

void cgroups_find_here(struct cgroups *ret_cgroups)
{
    auto_buf struct buf mountinfo = { 0 };
    auto_buf struct buf self = { 0 };
    struct err err;

    /* Without /proc there is nothing to find, and the summary says "not mounted". */
    (void)file_read("/proc/self/mountinfo", TEXT_MAX, &mountinfo, &err);
    (void)file_read("/proc/self/cgroup", TEXT_MAX, &self, &err);
    cgroups_find(ret_cgroups, "", mountinfo.size ? mountinfo.bytes : "",
                 self.size ? self.bytes : "");
}
