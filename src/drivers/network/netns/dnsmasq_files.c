/* drivers/network/netns/dnsmasq_files.c - dnsmasq's configuration, port files and leases. */
#include "base/files.h"
#include "drivers/network/netns/dnsmasq_config.h"
#include "drivers/network/netns/dnsmasq_job.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL_FILE_MAX = 64 * 1024 };

static const char *const resolv_confs[] = { "/etc/resolv.conf",
                                            /* the real ones behind systemd-resolved's stub */
                                            "/run/systemd/resolve/resolv.conf" };

/* --- files that appear whole; nothing needs to survive a power cut: run_dir does not --- */

static bool file_is(const char *path, const struct buf *text)
{
    auto_buf struct buf now = { 0 };
    struct err unused;

    return file_read(path, SMALL_FILE_MAX, &now, &unused) == 0 && now.size == text->size &&
           memcmp(now.bytes, text->bytes, text->size) == 0;
}

static int write_new(const char *path, const struct buf *text, struct err *err)
{
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        return err_errno(err, "create %s", path);
    /* whatever the umask: dnsmasq's own user reads it */
    if (fchmod(fd, 0644) < 0)
        return err_errno(err, "permissions of %s", path);
    return write_all(fd, text->bytes, text->size, err);
}

/* What became of a file. */
enum fate { FATE_SAME, FATE_NEW, FATE_CHANGED };

/* By way of a name that dnsmasq passes over when it reads the folder. */
static int put_file(const char *folder, const char *name, const struct buf *text,
                    enum fate *ret_fate, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", folder, name);
    auto_free char *fresh = str_printf("%s/.%s", folder, name);
    bool was_there = access(path, F_OK) == 0;

    *ret_fate = FATE_SAME;
    if (was_there && file_is(path, text))
        return 0;
    if (write_new(fresh, text, err) < 0)
        return -1;
    if (rename(fresh, path) < 0)
        return err_errno(err, "rename %s", fresh);
    *ret_fate = was_there ? FATE_CHANGED : FATE_NEW;
    return 0;
}

static int remove_file(const char *folder, const char *name, enum fate *ret_fate, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", folder, name);

    *ret_fate = FATE_SAME;
    if (unlink(path) == 0)
        *ret_fate = FATE_CHANGED;
    else if (errno != ENOENT)
        return err_errno(err, "remove %s", path);
    return 0;
}

/* --- the configuration --- */

static const char *usable_resolv_conf(void)
{
    for (size_t i = 0; i < sizeof resolv_confs / sizeof resolv_confs[0]; i++) {
        auto_buf struct buf text = { 0 };
        struct err unused;

        if (file_read(resolv_confs[i], SMALL_FILE_MAX, &text, &unused) == 0 && text.size > 0 &&
            resolv_conf_is_usable(text.bytes))
            return resolv_confs[i];
    }
    return NULL;
}

static bool is_config_name(const char *name)
{
    return str_starts(name, "dnsmasq-") && str_ends(name, ".conf");
}

/* Those of before; a process that still runs with one has read it already. */
static void remove_other_configs(const char *folder, const char *keep)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (is_config_name(entry->d_name) && !str_equal(entry->d_name, keep))
            (void)unlinkat(dirfd(dir), entry->d_name, 0); /* the next round tries again */
    if (dir)
        closedir(dir);
}

int dnsmasq_write_config(const struct host *host, const struct segment *segment,
                         const struct network_config *config, char **ret_path, struct err *err)
{
    auto_free char *pid_file = str_printf("%s/dnsmasq.pid", segment->run_dir);
    auto_free char *hosts_dir = str_printf("%s/hosts", segment->run_dir);
    auto_free char *names_dir = str_printf("%s/names", segment->run_dir);
    auto_free char *lease_file = str_printf("%s/leases", segment->state_dir);
    struct dnsmasq_paths paths = { .user = host->dnsmasq_user,
                                   .pid_file = pid_file,
                                   .lease_file = lease_file,
                                   .hosts_dir = hosts_dir,
                                   .names_dir = names_dir,
                                   .resolv_conf = usable_resolv_conf() };
    auto_buf struct buf text = { 0 };
    enum fate fate;

    dnsmasq_config(config, &paths, &text);
    auto_free char *name =
        str_printf("dnsmasq-%016llx.conf", (unsigned long long)name_hash(text.bytes));
    if (put_file(segment->run_dir, name, &text, &fate, err) < 0)
        return -1;
    if (fate != FATE_SAME)
        remove_other_configs(segment->run_dir, name);
    *ret_path = str_printf("%s/%s", segment->run_dir, name);
    return 0;
}

/* --- ports --- */

static int put_or_remove(const char *folder, const char *name, const struct buf *text,
                         enum fate *ret_fate, struct err *err)
{
    if (!text || text->size == 0)
        return remove_file(folder, name, ret_fate, err);
    return put_file(folder, name, text, ret_fate, err);
}

/* Of new files inotify tells it. It would keep what changed or removed ones said before. */
static int put_both(const struct segment *segment, const char *tap, const struct buf *host,
                    const struct buf *names, const struct server_process *server, struct err *err)
{
    auto_free char *hosts_dir = str_printf("%s/hosts", segment->run_dir);
    auto_free char *names_dir = str_printf("%s/names", segment->run_dir);
    enum fate host_fate, names_fate;

    if (put_or_remove(hosts_dir, tap, host, &host_fate, err) < 0 ||
        put_or_remove(names_dir, tap, names, &names_fate, err) < 0)
        return -1;
    if (!server->pid || (host_fate != FATE_CHANGED && names_fate != FATE_CHANGED))
        return 0;
    return dnsmasq_reread(server, err);
}

int dnsmasq_put_port(const struct segment *segment, const char *tap, const struct port_config *port,
                     const struct server_process *server, struct err *err)
{
    auto_buf struct buf host = { 0 }, names = { 0 };

    dnsmasq_host(port, &host);
    dnsmasq_names(port, &names);
    return put_both(segment, tap, &host, &names, server, err);
}

int dnsmasq_remove_port(const struct segment *segment, const char *tap,
                        const struct server_process *server, struct err *err)
{
    return put_both(segment, tap, NULL, NULL, server, err);
}

int dnsmasq_make_folders(const struct segment *segment, bool afresh, struct err *err)
{
    static const char *const names[] = { "hosts", "names" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        auto_free char *folder = str_printf("%s/%s", segment->run_dir, names[i]);

        if (afresh && dir_remove(folder, err) < 0)
            return -1;
        if (dir_make(folder, 0755, err) < 0)
            return -1;
    }
    return dir_make(segment->state_dir, 0755, err);
}
