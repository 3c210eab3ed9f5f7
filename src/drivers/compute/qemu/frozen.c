/* drivers/compute/qemu/frozen.c - making, finding and removing frozen machines on disk. */
#include "drivers/compute/qemu/frozen.h"
#include "base/fault.h"
#include "base/files.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/command_line.h"
#include "drivers/compute/qemu/devices.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { SPARE_BYTES = 64 * 1024 * 1024, JSON_MAX = 64 * 1024, MAKE_TRIES_MAX = 10 };

/* Everybody may make folders in /dev/shm. */
static bool is_private(const char *path)
{
    struct stat found;

    return lstat(path, &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == geteuid() && (found.st_mode & 077) == 0;
}

static bool is_usable(const char *path) { return path && (is_private(path) || access(path, F_OK) < 0); }

void frozen_dirs_init(struct frozen_dirs *dirs, const struct compute_setup *setup)
{
    dirs->memory_dir =
        is_usable(setup->memory_dir) ? str_dup(setup->memory_dir) : str_printf("%s/frozen", setup->run_dir);
    dirs->disk_dir = str_printf("%s/frozen", setup->state_dir);
}

void frozen_dirs_done(struct frozen_dirs *dirs)
{
    free(dirs->memory_dir);
    free(dirs->disk_dir);
    *dirs = (struct frozen_dirs){ 0 };
}

/* --- what a fork must be like --- */

static json_t *likeness(const struct machine_config *config, const struct frozen_make *make)
{
    unsigned cdroms = 0;

    for (unsigned i = 0; i < config->disk_count; i++)
        cdroms += config->disks[i].is_cdrom;
    return json_pack("{s:i,s:I,s:i,s:I,s:i,s:i,s:i,s:b,s:b,s:b,s:s,s:s}", "cpus", (int)config->cpus, "memoryBytes",
                     (json_int_t)config->memory_bytes, "cpusMax", (int)machine_cpus_most(config), "memoryBytesMax",
                     (json_int_t)machine_memory_most(config), "disks", (int)config->disk_count, "cdroms", (int)cdroms,
                     "nics", (int)config->nic_count, "uefi", (int)config->uefi, "vnc", (int)config->vnc,
                     "guestAgent", (int)config->guest_agent, "machineType", make->machine_type, "boot", make->boot_id);
}

static json_t *read_likeness(const char *path, struct err *err)
{
    auto_free char *file = str_printf("%s/frozen.json", path);
    auto_buf struct buf text = { 0 };

    if (file_read(file, JSON_MAX, &text, err) < 0)
        return NULL;
    return json_parse(text.bytes ? text.bytes : "", text.size, err);
}

/* What says nothing of its devices was frozen before there was more than one sort. */
static struct frozen_make make_of(const json_t *frozen)
{
    struct frozen_make make = { .devices = (unsigned)json_int_at(frozen, "devices", 1) };

    snprintf(make.machine_type, sizeof make.machine_type, "%s", json_text_at(frozen, "machineType", ""));
    snprintf(make.boot_id, sizeof make.boot_id, "%s", json_text_at(frozen, "boot", ""));
    return make;
}

int frozen_check(const char *path, const struct machine_config *config, struct frozen_make *ret_make,
                 struct err *err)
{
    auto_json json_t *frozen = read_likeness(path, err), *wanted = NULL;
    const char *key;
    json_t *value;

    if (!frozen)
        return err_wrap(err, "frozen machine");
    *ret_make = make_of(frozen);
    if (ret_make->devices != DEVICES)
        return err_set(err, ERR_INVALID, "the machine was frozen with the devices of another version of virgad");
    wanted = likeness(config, ret_make);
    json_object_foreach(wanted, key, value)
        if (!json_equal(value, json_object_get(frozen, key)))
            return err_set(err, ERR_INVALID, "the machine was frozen with other %s", key);
    return 0;
}

/* --- making --- */

static bool has_room(const char *dir, int64_t bytes)
{
    struct statvfs status;
    struct err err;

    if (dir_make(dir, 0700, &err) < 0 || !is_private(dir) || statvfs(dir, &status) < 0)
        return false;
    return (int64_t)status.f_bavail * (int64_t)status.f_frsize > bytes + SPARE_BYTES;
}

int frozen_make_folder(const char *dir, const char *path, struct err *err)
{
    for (unsigned tries = 0; tries < MAKE_TRIES_MAX; tries++) {
        if (dir_make(dir, 0700, err) < 0)
            return -1;
        if (!is_private(dir))
            return err_set(err, ERR_INVALID, "%s is not ours alone", dir);
        if (mkdir(path, 0700) == 0)
            return 0;
        if (errno != ENOENT)
            break;
    }
    return err_errno(err, "make folder %s", path);
}

int frozen_begin(const struct frozen_dirs *dirs, const char *name, int64_t memory_bytes, char **ret_path,
                 int *ret_state_fd, struct err *err)
{
    auto_free char *existing = frozen_path(dirs, name, err), *path = NULL, *state = NULL;
    const char *dir = has_room(dirs->memory_dir, memory_bytes) ? dirs->memory_dir
                      : has_room(dirs->disk_dir, memory_bytes) ? dirs->disk_dir
                                                               : NULL;

    if (existing)
        return err_set(err, ERR_ALREADY_EXISTS, "a frozen machine %s exists", name);
    if (!dir)
        return err_set(err, ERR_NO_SPACE, "neither %s nor %s has room for %lld MiB of memory", dirs->memory_dir,
                       dirs->disk_dir, (long long)(memory_bytes / (1024 * 1024)));
    path = str_printf("%s/%s.new", dir, name);
    if (dir_remove(path, err) < 0 || frozen_make_folder(dir, path, err) < 0)
        return -1;
    state = str_printf("%s/state", path);
    *ret_state_fd = open(state, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (*ret_state_fd < 0)
        return err_errno(err, "create %s", state);
    *ret_path = take_pointer(path);
    return 0;
}

/* What the guest never touched, or gave back, is a hole and stays one. */
static int copy_memory(int from, const char *path, struct err *err)
{
    auto_free char *file = str_printf("%s/memory", path);
    auto_close int to = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (to < 0)
        return err_errno(err, "create %s", file);
    if (file_copy(from, to, err) < 0)
        return err_wrap(err, "copy memory");
    return fchmod(to, 0666) < 0 ? err_errno(err, "open %s to forks", file) : 0;
}

int frozen_finish(const char *path, int memory_fd, const struct machine_config *config,
                  const struct frozen_make *make, struct err *err)
{
    auto_json json_t *json = likeness(config, make);
    auto_free char *file = str_printf("%s/frozen.json", path), *text = NULL;
    auto_free char *final = str_dup_part(path, strlen(path) - strlen(".new"));

    json_object_set_new(json, "devices", json_integer(make->devices));
    text = json_text(json);
    fault_point("compute.freeze.copied");
    if (copy_memory(memory_fd, path, err) < 0 ||
        file_write_atomic(file, text, strlen(text), 0600, err) < 0)
        return -1;
    return rename(path, final) < 0 ? err_errno(err, "rename %s", path) : 0;
}

void frozen_abandon(const char *path)
{
    struct err err;

    (void)dir_remove(path, &err); /* the next sweep tries again */
}

/* --- finding and removing --- */

static char *path_in(const char *dir, const char *name)
{
    char *path = str_printf("%s/%s", dir, name);

    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

char *frozen_path(const struct frozen_dirs *dirs, const char *name, struct err *err)
{
    char *path = NULL;

    if (machine_uid_is_valid(name) && !(path = path_in(dirs->memory_dir, name)))
        path = path_in(dirs->disk_dir, name);
    if (!path)
        (void)err_set(err, ERR_NOT_FOUND, "there is no frozen machine %s", name);
    return path;
}

int frozen_delete(const struct frozen_dirs *dirs, const char *name, struct err *err)
{
    auto_free char *path = frozen_path(dirs, name, err), *gone = NULL;

    if (!path)
        return 0;
    /* Half removed it must not be taken for whole. */
    gone = str_printf("%s.new", path);
    if (dir_remove(gone, err) < 0)
        return -1;
    if (rename(path, gone) < 0)
        return err_errno(err, "rename %s", path);
    if (dir_remove(gone, err) < 0)
        return -1;
    (void)rmdir(dirs->memory_dir); /* with the last of them */
    return 0;
}

static void each_in(const char *dir, void (*fn)(const char *dir, const char *name, void *arg), void *arg)
{
    DIR *folder = opendir(dir);

    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            fn(dir, entry->d_name, arg);
    if (folder)
        closedir(folder);
}

static void sweep_one(const char *dir, const char *name, void *arg)
{
    auto_free char *path = str_printf("%s/%s", dir, name);
    auto_json json_t *json = NULL;
    struct err err;

    if (!str_ends(name, ".new"))
        json = read_likeness(path, &err);
    if (!json || !str_equal(json_text_at(json, "boot", ""), arg) || make_of(json).devices != DEVICES)
        (void)dir_remove(path, &err); /* the next daemon tries again */
}

void frozen_sweep(const struct frozen_dirs *dirs, const char *boot_id)
{
    each_in(dirs->memory_dir, sweep_one, (void *)boot_id);
    each_in(dirs->disk_dir, sweep_one, (void *)boot_id);
}

struct names {
    char **list;
    size_t count;
};

static void add_name(const char *dir, const char *name, void *arg)
{
    struct names *names = arg;

    if (!machine_uid_is_valid(name))
        return;
    names->list = mem_resize(names->list, (names->count + 2) * sizeof *names->list);
    names->list[names->count++] = str_dup(name);
    names->list[names->count] = NULL;
}

char **frozen_names(const struct frozen_dirs *dirs)
{
    struct names names = { mem_zero(sizeof *names.list), 0 };

    each_in(dirs->memory_dir, add_name, &names);
    each_in(dirs->disk_dir, add_name, &names);
    return names.list;
}
