/* A machine of the QEMU driver whose QEMU is only a monitor (tests/support/fake_qemu.h), on a
 * simulated clock: what it asks, and what it makes of every refusal. */
#include "scratch.h"
#include "drivers/compute/qemu/parts.h"
#include "drivers/storage.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include "fake_qemu.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const uid = "77777777-7777-4777-8777-777777777777";

static struct qemu_driver driver;
static struct qemu_machine *machine;
static struct fake_qemu *qemu;
static char *folder;
static bool is_ready;

struct answer {
    unsigned count;
    struct err err;
};

static void on_ready(void *arg, const char *version) { is_ready = true; }

static void on_lost(void *arg, const struct err *err)
{
    monitor_free(take_pointer(machine->monitor));
    qemu_plugs_stop(machine, err);
}

static const struct monitor_hooks hooks = { on_ready, qemu_on_event, on_lost };

static void keep(void *arg, const struct err *err)
{
    struct answer *answer = arg;

    answer->count++;
    if (err)
        answer->err = *err;
}

static struct done to(struct answer *answer)
{
    *answer = (struct answer){ 0 };
    return (struct done){ keep, answer };
}

static void turn(int64_t ms) { loop_sim_advance(driver.setup.loop, ms); }

static struct machine_config *config_of_one_disk(void)
{
    struct machine_config *config = mem_new(struct machine_config);

    config->uid = str_dup(uid);
    config->cpus = 1;
    config->disk_count = 1;
    snprintf(config->disks[0].name, DEVICE_NAME_SIZE, "root");
    config->disks[0].source.file_count = 1;
    config->disks[0].source.files[0] = (struct disk_file){ str_dup("/x"), str_dup("raw") };
    return config;
}

static void begin(void)
{
    int fd;

    folder = scratch_new();
    driver = (struct qemu_driver){ .compute.ops = &compute_qemu };
    driver.setup.loop = loop_sim_new(5);
    driver.setup.workers = worker_pool_new(driver.setup.loop, 1);
    driver.state_dir = str_printf("%s/state", folder);
    driver.run_dir = str_printf("%s/run", folder);
    driver.machines = map_new(qemu_machine_free);
    driver.jobs = qemu_jobs_new(driver.setup.workers);
    changes_init(&driver.changes, &driver.setup);
    machine = qemu_machine_new(&driver, config_of_one_disk());
    qemu = fake_qemu_new(driver.setup.loop, &fd);
    machine->monitor = monitor_new(driver.setup.loop, fd, &hooks, machine);
    is_ready = false;
    turn(1);
    CHECK(is_ready);
    machine->run_state = MACHINE_RUNNING;
    qemu_machine_set_phase(machine, PHASE_CONNECTING);
    qemu_machine_set_phase(machine, PHASE_UP);
    fake_qemu_answer(qemu, "add-fd", "{\"fdset-id\": 40, \"fd\": 41}");
    fake_qemu_answer(qemu, "query-fdsets",
                     "[{\"fdset-id\": 3, \"fds\": [{\"fd\": 5, \"opaque\": \"disk0-0\"}]}, "
                     "{\"fdset-id\": 40, \"fds\": [{\"fd\": 41, \"opaque\": \"disk1-0\"}]}]");
    fake_qemu_forget(qemu);
}

static void end(void)
{
    if (qemu)
        CHECK_STR(fake_qemu_complaints(qemu), "");
    driver.is_closing = true;
    qemu_jobs_close(driver.jobs);
    map_free(driver.machines);
    qemu_calls_cancel(&driver);
    changes_done(&driver.changes);
    fake_qemu_free(qemu);
    qemu = NULL;
    worker_pool_free(driver.setup.workers);
    loop_free(driver.setup.loop);
    free(driver.state_dir);
    free(driver.run_dir);
    scratch_remove(folder);
}

static struct machine_disk data_disk(void)
{
    struct machine_disk disk = { .name = "data" };
    auto_close int fd = -1;

    disk.source.file_count = 1;
    disk.source.files[0].path = str_printf("%s/data.raw", folder);
    disk.source.files[0].format = str_dup("raw");
    fd = open(disk.source.files[0].path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    return disk;
}

static void attach(struct answer *answer)
{
    struct machine_disk disk = data_disk();

    qemu_disk_attach(&driver.compute, uid, &disk, to(answer));
    CHECK_EQ(answer->count, 0);
    turn(200);
    disk_source_done(&disk.source);
}

static bool has_disk(const char *name)
{
    for (unsigned i = 0; i < machine->status.disk_count; i++) {
        if (str_equal(machine->status.disks[i], name))
            return true;
    }
    return false;
}

/* --- in --- */

TEST(a_disk_goes_in_by_descriptor_nodes_and_device)
{
    struct answer answer;

    begin();
    attach(&answer);
    CHECK_EQ(answer.count, 1);
    CHECK_STR(answer.err.text, "");
    CHECK_STR(
        fake_qemu_seen(qemu),
        "add-fd {\"opaque\":\"disk1-0\"} +fd\n"
        "blockdev-add {\"driver\":\"file\",\"node-name\":\"disk1-0-file\",\"filename\":"
        "\"/dev/fdset/40\",\"aio\":\"threads\",\"read-only\":false,\"discard\":\"unmap\"}\n"
        "blockdev-add {\"driver\":\"raw\",\"node-name\":\"disk1-0\",\"file\":\"disk1-0-file\","
        "\"read-only\":false,\"discard\":\"unmap\",\"detect-zeroes\":\"unmap\"}\n"
        "device_add {\"driver\":\"virtio-blk-pci\",\"id\":\"disk.1.data\",\"bus\":\"port.1\","
        "\"drive\":\"disk1-0\",\"serial\":\"data\",\"write-cache\":\"on\",\"werror\":\"stop\","
        "\"rerror\":\"stop\"}\n");
    CHECK(has_disk("data") && has_disk("root"));
    CHECK(!machine->plugs);
    end();
}

TEST(whatever_qemu_refuses_nothing_of_the_disk_is_left)
{
    static const char *const commands[] = { "add-fd", "blockdev-add", "device_add" };

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct answer answer;

        begin();
        fake_qemu_refuse(qemu, commands[i], "GenericError", "not today");
        attach(&answer);
        CHECK_EQ(answer.count, 1);
        CHECK_STR(answer.err.text, "not today");
        CHECK(!has_disk("data"));
        CHECK(!machine->plugs);
        CHECK_CONTAINS(fake_qemu_seen(qemu), "blockdev-del {\"node-name\":\"disk1-0\"}\n"
                                             "blockdev-del {\"node-name\":\"disk1-0-file\"}\n");
        CHECK_CONTAINS(fake_qemu_seen(qemu), "remove-fd {\"fdset-id\":40}\n");
        CHECK(!strstr(fake_qemu_seen(qemu), "{\"fdset-id\":3}"));
        end();
    }
}

TEST(a_file_that_cannot_be_opened_is_named_and_qemu_not_asked)
{
    struct machine_disk disk;
    struct answer answer;

    begin();
    disk = data_disk();
    CHECK_EQ(unlink(disk.source.files[0].path), 0);
    qemu_disk_attach(&driver.compute, uid, &disk, to(&answer));
    turn(200);
    CHECK_EQ(answer.err.code, ERR_NOT_FOUND);
    CHECK_CONTAINS(answer.err.text, "data.raw");
    CHECK_STR(fake_qemu_seen(qemu), "");
    CHECK(!machine->plugs);
    disk_source_done(&disk.source);
    end();
}

TEST(a_qemu_that_dies_meanwhile_ends_the_call)
{
    struct machine_disk disk;
    struct answer answer;

    begin();
    fake_qemu_ignore(qemu, "blockdev-add");
    disk = data_disk();
    qemu_disk_attach(&driver.compute, uid, &disk, to(&answer));
    turn(100);
    CHECK_EQ(answer.count, 0);
    fake_qemu_free(take_pointer(qemu));
    turn(100);
    CHECK_EQ(answer.count, 1);
    CHECK_EQ(answer.err.code, ERR_UNAVAILABLE);
    CHECK(!machine->plugs);
    disk_source_done(&disk.source);
    end();
}

TEST(closing_the_driver_ends_the_call_at_any_step)
{
    for (int64_t at_ms = 0; at_ms < 60; at_ms += 3) {
        struct machine_disk disk;
        struct answer answer;

        begin();
        disk = data_disk();
        qemu_disk_attach(&driver.compute, uid, &disk, to(&answer));
        turn(at_ms);
        end();
        CHECK_EQ(answer.count, 1);
        CHECK(answer.err.code == ERR_NONE || answer.err.code == ERR_CANCELLED);
        disk_source_done(&disk.source);
    }
}

TEST(a_name_is_used_once_and_slots_end)
{
    struct machine_disk disk;
    struct answer first, second;

    begin();
    disk = data_disk();
    qemu_disk_attach(&driver.compute, uid, &disk, to(&first));
    qemu_disk_attach(&driver.compute, uid, &disk, to(&second));
    turn(200);
    CHECK_EQ(first.err.code, ERR_NONE);
    CHECK_EQ(second.err.code, ERR_CONFLICT);
    for (unsigned i = 0; i < PORTS_SPARE - 1; i++) {
        snprintf(disk.name, sizeof disk.name, "d%u", i);
        qemu_disk_attach(&driver.compute, uid, &disk, to(&first));
        turn(200);
        CHECK_STR(first.err.text, "");
    }
    snprintf(disk.name, sizeof disk.name, "last");
    qemu_disk_attach(&driver.compute, uid, &disk, to(&first));
    turn(200);
    CHECK_EQ(first.err.code, ERR_EXHAUSTED);
    disk_source_done(&disk.source);
    end();
}

TEST(a_nic_that_is_refused_leaves_no_back_end)
{
    const struct machine_nic nic = { .name = "lan", .mac = { { 2, 0, 0, 0, 0, 1 } } };
    struct answer answer;
    int ends[2];

    begin();
    fake_qemu_refuse(qemu, "device_add", "GenericError", "no");
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    qemu_nic_attach(&driver.compute, uid, &nic, ends[0], to(&answer));
    turn(200);
    CHECK_STR(answer.err.text, "no");
    CHECK_STR(fake_qemu_seen(qemu),
              "getfd {\"fdname\":\"net1\"} +fd\n"
              "netdev_add {\"type\":\"tap\",\"id\":\"net1\",\"fd\":\"net1\"}\n"
              "device_add {\"driver\":\"virtio-net-pci\",\"id\":\"nic.1.lan\",\"bus\":\"port.1\","
              "\"netdev\":\"net1\",\"mac\":\"02:00:00:00:00:01\",\"romfile\":\"\"}\n"
              "netdev_del {\"id\":\"net1\"}\n");
    CHECK_EQ(machine->status.nic_count, 0);
    close(ends[1]);
    end();
}

/* --- out --- */

static void let_go(const char *id)
{
    auto_free char *data = str_printf("{\"device\": \"%s\", \"path\": \"/machine/%s\"}", id, id);

    fake_qemu_event(qemu, "DEVICE_DELETED", data);
    turn(10);
}

TEST(a_disk_is_gone_when_the_guest_let_go_and_the_files_are_closed)
{
    struct answer answer, again;

    begin();
    qemu_disk_detach(&driver.compute, uid, "root", to(&answer));
    qemu_disk_detach(&driver.compute, uid, "root", to(&again));
    turn(100);
    CHECK_STR(fake_qemu_seen(qemu), "device_del {\"id\":\"disk.0.root\"}\n"
                                    "device_del {\"id\":\"disk.0.root\"}\n");
    CHECK_EQ(answer.count + again.count, 0);
    let_go("disk.0.root");
    CHECK_EQ(answer.count, 1);
    CHECK_EQ(again.count, 1);
    CHECK_STR(answer.err.text, "");
    CHECK_CONTAINS(fake_qemu_seen(qemu), "blockdev-del {\"node-name\":\"disk0-0\"}");
    CHECK_CONTAINS(fake_qemu_seen(qemu), "remove-fd {\"fdset-id\":3}\n");
    CHECK(!has_disk("root"));
    CHECK(!machine->plugs);
    end();
}

TEST(what_a_dead_daemon_left_of_a_disk_on_its_way_in_is_closed)
{
    auto_free char *last = str_printf("blockdev-del {\"node-name\":\"disk%d-0\"}", PORTS_SPARE);
    struct answer answer;

    begin();
    qemu_disk_detach(&driver.compute, uid, "data", to(&answer));
    turn(100);
    CHECK_EQ(answer.count, 1);
    CHECK_STR(fake_qemu_seen(qemu), "");
    machine->is_adopted = true;
    qemu_disk_detach(&driver.compute, uid, "data", to(&answer));
    turn(500);
    CHECK_EQ(answer.count, 1);
    CHECK_STR(answer.err.text, "");
    CHECK_CONTAINS(fake_qemu_seen(qemu), "blockdev-del {\"node-name\":\"disk1-0\"}");
    CHECK_CONTAINS(fake_qemu_seen(qemu), "remove-fd {\"fdset-id\":40}");
    CHECK_CONTAINS(fake_qemu_seen(qemu), last);
    CHECK(!strstr(fake_qemu_seen(qemu), "disk0-"));
    CHECK(!machine->plugs);
    end();
}

TEST(a_guest_that_is_late_is_cleaned_up_after_all_the_same)
{
    struct answer answer;

    begin();
    qemu_disk_detach(&driver.compute, uid, "root", to(&answer));
    turn(31 * 1000);
    CHECK_EQ(answer.count, 1);
    CHECK_EQ(answer.err.code, ERR_TIMEOUT);
    CHECK(has_disk("root"));
    fake_qemu_forget(qemu);
    let_go("disk.0.root");
    CHECK_CONTAINS(fake_qemu_seen(qemu), "blockdev-del {\"node-name\":\"disk0-0\"}");
    CHECK(!has_disk("root"));
    CHECK(!machine->plugs);
    end();
}

TEST(an_unplug_that_is_under_way_already_is_waited_for)
{
    struct answer answer;

    begin();
    fake_qemu_refuse(qemu, "device_del", "GenericError",
                     "Device disk.0.root is already in the process of unplug");
    qemu_disk_detach(&driver.compute, uid, "root", to(&answer));
    turn(100);
    CHECK_EQ(answer.count, 0);
    let_go("disk.0.root");
    CHECK_EQ(answer.count, 1);
    CHECK_STR(answer.err.text, "");
    end();
}

TEST(a_guest_that_refuses_is_believed)
{
    struct answer answer;

    begin();
    qemu_disk_detach(&driver.compute, uid, "root", to(&answer));
    turn(100);
    fake_qemu_event(qemu, "DEVICE_UNPLUG_GUEST_ERROR",
                    "{\"device\": \"disk.0.root\", \"path\": \"/machine/x\"}");
    turn(10);
    CHECK_EQ(answer.err.code, ERR_CONFLICT);
    CHECK(has_disk("root"));
    CHECK(!machine->plugs);
    end();
}

TEST(events_about_devices_that_are_none_of_ours_do_nothing)
{
    begin();
    let_go("disk.31.root");
    let_go("balloon");
    let_go("disk.99.x");
    fake_qemu_event(qemu, "DEVICE_DELETED", "{\"path\": \"/machine/unattached\"}");
    turn(10);
    CHECK_STR(fake_qemu_seen(qemu), "");
    CHECK(has_disk("root"));
    end();
}

/* --- write errors --- */

static void write_error(bool no_space)
{
    fake_qemu_answer(qemu, "query-status",
                     "{\"status\": \"io-error\", \"singlestep\": false, \"running\": false}");
    fake_qemu_event(qemu, "BLOCK_IO_ERROR",
                    no_space
                        ? "{\"device\": \"\", \"node-name\": \"disk0-0\", \"operation\": "
                          "\"write\", \"action\": \"stop\", \"nospace\": true, \"reason\": \"\"}"
                        : "{\"device\": \"\", \"node-name\": \"disk0-0\", \"operation\": "
                          "\"write\", \"action\": \"stop\", \"nospace\": false, \"reason\": \"\"}");
    fake_qemu_event(qemu, "STOP", NULL);
    turn(1);
}

static unsigned count_of(const char *command)
{
    unsigned count = 0;

    for (const char *at = fake_qemu_seen(qemu); (at = strstr(at, command)); at += strlen(command))
        count++;
    return count;
}

TEST(a_write_error_is_tried_again_and_counts_until_the_trial_held)
{
    begin();
    write_error(true);
    CHECK_EQ(machine->status.state, MACHINE_IO_PAUSED);
    CHECK_STR(machine->status.message, "disk root: no space left on device");
    CHECK_EQ(count_of("cont"), 0);
    turn(1001);
    CHECK_EQ(count_of("cont"), 1);
    fake_qemu_event(qemu, "RESUME", NULL);
    turn(500);
    CHECK_EQ(machine->status.state, MACHINE_IO_PAUSED);
    turn(600);
    CHECK_EQ(machine->status.state, MACHINE_RUNNING);
    CHECK_STR(machine->status.message, "");
    end();
}

TEST(each_failed_trial_waits_twice_as_long_up_to_half_a_minute)
{
    int64_t delay_ms = 1000;

    begin();
    write_error(false);
    CHECK_STR(machine->status.message, "disk root: input/output error");
    for (int i = 0; i < 8; i++) {
        fake_qemu_forget(qemu);
        turn(delay_ms - 2);
        CHECK_EQ(count_of("cont"), 0);
        turn(3);
        CHECK_EQ(count_of("cont"), 1);
        fake_qemu_event(qemu, "RESUME", NULL);
        turn(1);
        write_error(false);
        CHECK_EQ(machine->status.state, MACHINE_IO_PAUSED);
        delay_ms = delay_ms * 2 < 30000 ? delay_ms * 2 : 30000;
    }
    end();
}

TEST(a_pause_ends_the_trying)
{
    struct answer answer;

    begin();
    write_error(true);
    qemu_pause(&driver.compute, uid, to(&answer));
    turn(1);
    CHECK_STR(answer.err.text, "");
    CHECK_EQ(machine->status.state, MACHINE_PAUSED);
    turn(60 * 1000);
    CHECK_EQ(count_of("cont"), 0);
    end();
}

/* --- power --- */

TEST(a_crashed_guest_goes_on_after_the_reset_was_made)
{
    struct answer answer;

    begin();
    machine->run_state = MACHINE_CRASHED;
    qemu_machine_refresh(machine);
    fake_qemu_refuse(qemu, "cont", "GenericError", "Resetting the Virtual Machine is required");
    qemu_reset(&driver.compute, uid, to(&answer));
    turn(1);
    CHECK_EQ(answer.count, 1);
    CHECK_CONTAINS(answer.err.text, "Resetting");
    fake_qemu_answer(qemu, "cont", "{}");
    qemu_reset(&driver.compute, uid, to(&answer));
    turn(1);
    CHECK_STR(answer.err.text, "");
    CHECK_EQ(machine->status.state, MACHINE_RUNNING);
    end();
}

TEST(the_reason_of_a_stop_is_asked_for)
{
    static const struct {
        const char *status;
        enum machine_state state;
    } rows[] = {
        { "paused", MACHINE_PAUSED },          { "guest-panicked", MACHINE_CRASHED },
        { "internal-error", MACHINE_CRASHED }, { "watchdog", MACHINE_CRASHED },
        { "io-error", MACHINE_IO_PAUSED },     { "a-state-of-the-future", MACHINE_PAUSED },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_free char *status = str_printf("{\"status\": \"%s\"}", rows[i].status);

        begin();
        fake_qemu_answer(qemu, "query-status", status);
        fake_qemu_event(qemu, "STOP", NULL);
        turn(1);
        CHECK_EQ(machine->status.state, rows[i].state);
        end();
    }
}

TEST(a_disk_grows_by_its_node_and_never_shrinks)
{
    struct answer answer;

    begin();
    fake_qemu_answer(qemu, "query-block",
                     "[{\"device\": \"\", \"inserted\": {\"node-name\": \"disk0-0\", \"image\": "
                     "{\"virtual-size\": 1000}}}]");
    qemu_disk_resize(&driver.compute, uid, "root", 2000, to(&answer));
    turn(1);
    CHECK_STR(answer.err.text, "");
    CHECK_CONTAINS(fake_qemu_seen(qemu),
                   "block_resize {\"node-name\":\"disk0-0\",\"size\":2000}\n");
    fake_qemu_forget(qemu);
    qemu_disk_resize(&driver.compute, uid, "root", 1000, to(&answer));
    turn(1);
    CHECK_STR(answer.err.text, "");
    qemu_disk_resize(&driver.compute, uid, "root", 999, to(&answer));
    turn(1);
    CHECK_EQ(answer.err.code, ERR_INVALID);
    CHECK_EQ(count_of("block_resize"), 0);
    end();
}
