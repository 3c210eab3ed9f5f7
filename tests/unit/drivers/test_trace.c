#include "scratch.h"
#include "drivers/compute/qemu/config_json.h"
#include "drivers/compute/qemu/parts.h"
#include "drivers/compute/qemu/trace.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/str.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const uid = "66666666-6666-4666-8666-666666666666";

static char *folder;
static struct trace_paths paths;

static void begin(void)
{
    auto_free char *state = NULL, *run = NULL;

    folder = scratch_new();
    state = str_printf("%s/state", folder);
    run = str_printf("%s/run", folder);
    trace_paths_init(&paths, state, run, uid);
}

static void end(void)
{
    trace_paths_done(&paths);
    scratch_remove(folder);
}

static struct machine_config *full_config(void)
{
    struct machine_config *config = mem_new(struct machine_config);

    *config = (struct machine_config){ .uid = str_dup(uid),
                                       .name = str_dup("default/web"),
                                       .cpus = 3,
                                       .memory_bytes = 5LL << 30,
                                       .uefi = true,
                                       .firmware_vars = str_dup("/v"),
                                       .accelerator = ACCELERATOR_TCG,
                                       .kernel = str_dup("/k"),
                                       .initrd = str_dup("/i"),
                                       .command_line = str_dup("a \"b\"\\c"),
                                       .vnc = true,
                                       .guest_agent = true,
                                       .start_paused = true,
                                       .machine_type = str_dup("pc-q35-7.2"),
                                       .cpu_limit_milli = 1500,
                                       .disk_count = 2,
                                       .nic_count = 1 };
    snprintf(config->disks[0].name, DEVICE_NAME_SIZE, "root");
    config->disks[0].boot_index = 2;
    config->disks[0].source.file_count = 2;
    config->disks[0].source.files[0] = (struct disk_file){ str_dup("/a"), str_dup("qcow2") };
    config->disks[0].source.files[1] = (struct disk_file){ str_dup("/b"), str_dup("raw") };
    snprintf(config->disks[1].name, DEVICE_NAME_SIZE, "seed");
    config->disks[1].is_cdrom = config->disks[1].source.read_only = true;
    snprintf(config->nics[0].name, DEVICE_NAME_SIZE, "lan");
    config->nics[0].mac = (struct mac_addr){ { 2, 0, 0, 0, 0, 9 } };
    config->nics[0].mtu = 9000;
    config->nics[0].boot_index = 1;
    return config;
}

TEST(a_configuration_comes_back_as_it_was)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = full_config();
    auto_json json_t *object = config_to_json(config);
    struct err err;
    auto_clean(machine_config_free_auto) struct machine_config *back =
        config_from_json(object, &err);
    auto_json json_t *again = back ? config_to_json(back) : NULL;

    CHECK(back);
    CHECK(json_equal(object, again));
    CHECK_STR(back->disks[0].source.files[1].format, "raw");
    CHECK_EQ(back->memory_bytes, 5LL << 30);
    CHECK(mac_equal(&back->nics[0].mac, &config->nics[0].mac));
}

TEST(what_is_no_configuration_is_refused)
{
    static const char *const rows[] = { "{}", "[]", "{\"uid\":\"a\",\"nics\":[{}]}" };
    struct err err;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_json json_t *object = json_parse(rows[i], strlen(rows[i]), &err);

        CHECK(!config_from_json(object, &err));
    }
    auto_json json_t *many = json_pack("{ss,so}", "uid", "a", "disks", json_array());
    for (int i = 0; i <= MACHINE_DISKS_MAX; i++)
        json_array_append_new(json_object_get(many, "disks"), json_object());
    CHECK(!config_from_json(many, &err));
}

TEST(the_lock_is_held_by_whoever_inherits_it)
{
    struct err err;
    int lock, other, status;
    pid_t child;

    begin();
    CHECK_OK(trace_lock(&paths, &lock, &err), &err);
    CHECK(trace_is_locked(&paths));
    CHECK_FAILS(trace_lock(&paths, &other, &err), &err, ERR_CONFLICT);
    child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    close(lock);
    CHECK(trace_is_locked(&paths));
    kill(child, SIGKILL);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(!trace_is_locked(&paths));
    CHECK_OK(trace_lock(&paths, &lock, &err), &err);
    close(lock);
    end();
}

TEST(a_trace_comes_back_as_it_was_and_goes_as_a_whole)
{
    struct trace trace = { .config = full_config(),
                           .number = 4711,
                           .boot_id = "b",
                           .launched_wall_ms = 5,
                           .kvm = true,
                           .devices = 7,
                           .machine_type = "pc-q35-7.2" };
    struct trace_process process = { 12, 345 }, process_back;
    struct trace_end how = { MACHINE_END_GUEST_PANIC, "why \"so\"" }, how_back;
    struct trace back;
    struct err err;
    int lock;

    begin();
    CHECK_FAILS(trace_read(&paths, &back, &err), &err, ERR_NOT_FOUND);
    CHECK_OK(trace_lock(&paths, &lock, &err), &err);
    close(lock);
    CHECK_OK(trace_write(&paths, &trace, &err), &err);
    CHECK_OK(trace_read(&paths, &back, &err), &err);
    CHECK_EQ(back.number, 4711);
    CHECK(back.kvm);
    CHECK_EQ(back.devices, 7);
    CHECK_STR(back.boot_id, "b");
    CHECK_STR(back.config->uid, uid);
    CHECK_OK(trace_write_process(&paths, &process, &err), &err);
    CHECK_OK(trace_read_process(&paths, &process_back, &err), &err);
    CHECK_EQ(process_back.start_ticks, 345);
    CHECK_OK(trace_write_end(&paths, &how, &err), &err);
    CHECK_OK(trace_read_end(&paths, &how_back, &err), &err);
    CHECK_EQ(how_back.end, MACHINE_END_GUEST_PANIC);
    CHECK_STR(how_back.message, "why \"so\"");
    trace_forget_end(&paths);
    CHECK_FAILS(trace_read_end(&paths, &how_back, &err), &err, ERR_NOT_FOUND);
    CHECK(!trace_was_started(&paths));
    CHECK_OK(trace_write_started(&paths, &err), &err);
    CHECK(trace_was_started(&paths));
    CHECK_OK(trace_remove(&paths, &err), &err);
    CHECK(access(paths.state, F_OK) < 0 && access(paths.run, F_OK) < 0);
    CHECK_OK(trace_remove(&paths, &err), &err);
    trace_done(&trace);
    trace_done(&back);
    end();
}

TEST(a_damaged_record_is_an_error_and_no_machine)
{
    static const char *const rows[] = { "", "{", "{}", "{\"format\":2}",
                                        "{\"format\":1,\"config\":{}}" };
    auto_free char *path = NULL;
    struct trace trace;
    struct err err;
    int lock;

    begin();
    CHECK_OK(trace_lock(&paths, &lock, &err), &err);
    close(lock);
    path = str_printf("%s/record.json", paths.state);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_OK(file_write_atomic(path, rows[i], strlen(rows[i]), 0600, &err), &err);
        CHECK_EQ(trace_read(&paths, &trace, &err), -1);
    }
    end();
}

/* The process shows itself by "-uuid UID" among its arguments, and by its user. */
TEST(a_process_is_found_by_its_arguments_and_its_user)
{
    struct trace_process process;
    struct err err;
    int ends[2], status;
    char byte;
    pid_t child;

    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        /* A shell that stops itself, with the arguments of a QEMU. */
        execl("/bin/sh", "sh", "-c", "kill -STOP $$", "qemu", "-uuid", uid, (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 0); /* it runs the shell now */
    close(ends[0]);
    CHECK_OK(trace_find_process(uid, getuid(), &process, &err), &err);
    CHECK_EQ(process.pid, child);
    CHECK_FAILS(trace_find_process(uid, getuid() + 1, &process, &err), &err, ERR_NOT_FOUND);
    kill(child, SIGKILL);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_FAILS(trace_find_process(uid, getuid(), &process, &err), &err, ERR_NOT_FOUND);
}

TEST(a_log_that_is_too_large_keeps_its_tail)
{
    auto_free char *path = NULL;
    auto_buf struct buf text = { 0 };
    struct err err;

    begin();
    path = str_printf("%s/log", folder);
    for (int i = 0; i < 40000; i++)
        buf_printf(&text, "line %06d\n", i);
    CHECK_OK(file_write_atomic(path, text.bytes, text.size, 0600, &err), &err);
    auto_close int writer = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK_OK(qemu_log_cut(path, 1 << 20, &err), &err);
    CHECK_OK(file_read(path, 1 << 20, &text, &err), &err);
    CHECK_EQ(text.size, 480000);
    CHECK_OK(qemu_log_cut(path, 200000, &err), &err);
    CHECK_OK(write_all(writer, "the end\n", 8, &err), &err);
    CHECK_OK(file_read(path, 1 << 20, &text, &err), &err);
    CHECK(text.size >= 100000 && text.size <= 100000 + 65536 + 8);
    CHECK(str_ends(text.bytes, "line 039999\nthe end\n"));
    end();
}
