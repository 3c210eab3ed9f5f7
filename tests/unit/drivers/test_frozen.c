#include "scratch.h"
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

static char *folder;
static struct frozen_dirs dirs;
static struct machine_config *config;

static void begin(void)
{
    folder = scratch_new();
    dirs.memory_dir = str_printf("%s/memory", folder);
    dirs.disk_dir = str_printf("%s/disk", folder);
    config = mem_new(struct machine_config);
    *config = (struct machine_config){ .uid = str_dup("6e1ff6a2-5c3b-4d3f-9a43-0d8d9f5c1e11"),
                                       .cpus = 1,
                                       .memory_bytes = 4096 };
}

static void end(void)
{
    machine_config_free(config);
    frozen_dirs_done(&dirs);
    scratch_remove(folder);
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

/* As it was written by a daemon that knew one sort only. */
static void forget_devices(const char *path)
{
    auto_free char *file = str_printf("%s/frozen.json", path);
    auto_buf struct buf text = { 0 };
    struct err err;

    CHECK_OK(file_read(file, 65536, &text, &err), &err);
    auto_json json_t *object = json_parse(text.bytes, text.size, &err);
    json_object_del(object, "devices");
    auto_free char *changed = json_text(object);
    CHECK_OK(file_write_atomic(file, changed, strlen(changed), 0600, &err), &err);
}

TEST(a_fork_is_told_what_the_frozen_machine_was_made_as)
{
    struct frozen_make make;
    struct err err;

    begin();
    auto_free char *path = freeze(DEVICES);
    CHECK_OK(frozen_check(path, config, &make, &err), &err);
    CHECK_STR(make.machine_type, "pc-q35-7.2");
    end();
}

TEST(what_differs_from_the_frozen_machine_is_named)
{
    struct frozen_make make;
    struct err err;

    begin();
    auto_free char *path = freeze(DEVICES);
    config->cpus = 2;
    CHECK_FAILS(frozen_check(path, config, &make, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, "other cpus");
    end();
}

TEST(what_was_frozen_with_other_devices_is_refused_and_swept_up)
{
    struct frozen_make make;
    struct err err;

    begin();
    auto_free char *path = freeze(DEVICES);
    frozen_sweep(&dirs, "b");
    CHECK(access(path, F_OK) == 0);
    forget_devices(path);
    CHECK_FAILS(frozen_check(path, config, &make, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, "devices of another version");
    frozen_sweep(&dirs, "b");
    CHECK(access(path, F_OK) < 0);
    end();
}
