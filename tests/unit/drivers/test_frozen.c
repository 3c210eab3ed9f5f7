#include "check.h"
#include "drivers/compute/qemu/command_line.h"
#include "drivers/compute/qemu/frozen.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const name = "77777777-7777-4777-8777-777777777777";

static char folder[64];
static struct frozen_dirs dirs;
static struct machine_config *config;

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/virga-frozen-XXXXXX");
    CHECK(mkdtemp(folder));
    dirs.memory_dir = str_printf("%s/memory", folder);
    dirs.disk_dir = str_printf("%s/disk", folder);
    config = mem_new(struct machine_config);
    *config = (struct machine_config){ .uid = str_dup("6e1ff6a2-5c3b-4d3f-9a43-0d8d9f5c1e11"),
                                       .cpus = 1,
                                       .memory_bytes = 4096 };
}

static void end(void)
{
    struct err err;

    machine_config_free(config);
    frozen_dirs_done(&dirs);
    CHECK_OK(dir_remove(folder, &err), &err);
}

/* The folder of a machine that was frozen; owned. */
static char *freeze(unsigned devices)
{
    struct frozen_make make = { .machine_type = "pc-q35-7.2", .boot_id = "b", .devices = devices };
    int memory = memfd_create("memory", MFD_CLOEXEC), state;
    auto_free char *path = NULL;
    struct err err;

    CHECK(memory >= 0 && ftruncate(memory, 4096) == 0);
    CHECK_OK(frozen_begin(&dirs, name, 4096, &path, &state, &err), &err);
    CHECK_OK(frozen_finish(path, memory, config, &make, &err), &err);
    close(state);
    close(memory);
    return frozen_path(&dirs, name, &err);
}

/* As it was written by a daemon that knew no, or other, sorts of devices. */
static void rewrite(const char *path, json_t *take_devices)
{
    auto_free char *file = str_printf("%s/frozen.json", path);
    auto_buf struct buf text = { 0 };
    struct err err;

    CHECK_OK(file_read(file, 65536, &text, &err), &err);
    auto_json json_t *object = json_parse(text.bytes, text.size, &err);
    if (take_devices)
        json_object_set_new(object, "devices", take_devices);
    else
        json_object_del(object, "devices");
    auto_free char *changed = json_text(object);
    CHECK_OK(file_write_atomic(file, changed, strlen(changed), 0600, &err), &err);
}

TEST(a_fork_is_told_what_the_frozen_machine_was_made_as)
{
    struct frozen_make make;
    struct err err;

    begin();
    auto_free char *path = freeze(DEVICES_NOW);
    CHECK_OK(frozen_check(path, config, &make, &err), &err);
    CHECK_STR(make.machine_type, "pc-q35-7.2");
    CHECK_EQ(make.devices, DEVICES_NOW);
    rewrite(path, NULL);
    CHECK_OK(frozen_check(path, config, &make, &err), &err);
    CHECK_EQ(make.devices, DEVICES_FIRST);
    end();
}

TEST(what_differs_from_the_frozen_machine_is_named)
{
    struct frozen_make make;
    struct err err;

    begin();
    auto_free char *path = freeze(DEVICES_FIRST);
    config->cpus = 2;
    CHECK_FAILS(frozen_check(path, config, &make, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, "other cpus");
    config->cpus = 1;
    rewrite(path, json_integer(DEVICES_NOW + 1));
    CHECK_FAILS(frozen_check(path, config, &make, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, "newer virgad");
    end();
}

TEST(a_folder_that_went_with_the_last_machine_comes_back_for_root_alone)
{
    auto_free char *path = NULL;
    struct stat status;
    struct err err;

    begin();
    path = str_printf("%s/new", dirs.memory_dir);
    CHECK_OK(frozen_make_folder(dirs.memory_dir, path, &err), &err);
    CHECK_EQ(stat(dirs.memory_dir, &status), 0);
    CHECK_EQ(status.st_mode & 0777, 0700);
    CHECK_EQ(rmdir(path), 0);
    CHECK_EQ(chmod(dirs.memory_dir, 0755), 0);
    CHECK_FAILS(frozen_make_folder(dirs.memory_dir, path, &err), &err, ERR_INVALID);
    end();
}
