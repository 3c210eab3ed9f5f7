/* tests/contract/compute/guest_qemu.c - the QEMU driver with a guest that has a system (guest.h). */
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/storage.h"
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const fork_uid = "66666666-6666-4666-8666-666666666666";
static const char *const frozen_name = "77777777-7777-4777-8777-777777777777";
/* --- the tests --- */

TEST(the_guest_boots_and_its_agent_runs_commands)
{
    begin();
    auto_json json_t *pong = ask_agent("guest-ping", NULL, ERR_NONE);
    CHECK(json_is_object(pong));
    expect_in_guest("echo hello", "aGVsbG8K");
    CHECK(!ask_agent("guest-no-such-command", NULL, ERR_UNSUPPORTED));
    end();
}

TEST(the_guest_obeys_the_power_button)
{
    begin();
    CHECK(guest_says_yes("for i in 1 2 3 4 5 6 7 8 9; do pidof acpid >/dev/null && break; sleep 1; "
                         "done; pidof acpid >/dev/null && echo yes"));
    RIG_OK(&rig, press_power, uid);
    CHECK(rig_reaches(&rig, uid, MACHINE_ENDED));
    CHECK_EQ(observe().end, MACHINE_END_GUEST_SHUTDOWN);
    end();
}

static bool is_ended(void) { return rig_state(&rig, uid) == MACHINE_ENDED; }

TEST(a_guest_that_powers_off_while_the_daemon_is_away_has_shut_down)
{
    struct machine_status status;

    begin();
    json_decref(ask_agent("guest-exec",
                          json_pack("{ss,s[ss]}", "path", "/bin/sh", "arg", "-c", "poweroff"),
                          ERR_NONE));
    rig.compute->ops->close(rig.compute);
    rig_await_shutdown(&rig, uid);
    rig_open_driver(&rig);
    wait_until(is_ended, "the machine ends");
    status = observe();
    CHECK_EQ(status.end, MACHINE_END_GUEST_SHUTDOWN);
    end();
}

static void panic(void)
{
    json_decref(
        ask_agent("guest-exec",
                  json_pack("{ss,s[ss]}", "path", "/bin/sh", "arg", "-c",
                            "sleep 1; echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger"),
                  ERR_NONE));
}

TEST(a_panic_crashes_the_machine_and_reset_runs_it_again)
{
    begin();
    panic();
    CHECK(rig_reaches(&rig, uid, MACHINE_CRASHED));
    CHECK_STR(observe().message, "the guest panicked");
    CHECK(!observe().agent_connected);
    RIG_FAILS(&rig, ERR_CONFLICT, resume, uid);
    rig_reopen(&rig);
    CHECK(rig_reaches(&rig, uid, MACHINE_CRASHED));
    RIG_OK(&rig, reset, uid);
    CHECK_EQ(rig_state(&rig, uid), MACHINE_RUNNING);
    wait_until(agent_is_connected, "the agent connects again");
    end();
}

TEST(a_disk_comes_grows_and_goes)
{
    struct machine_disk disk;

    begin();
    rig_blank_disk(&rig, "data", &disk);
    RIG_OK(&rig, disk_attach, uid, &disk);
    CHECK(guest_says_yes("for i in 1 2 3 4 5 6 7 8 9; do [ -e /sys/block/vdb ] && break; sleep 1; "
                         "done; [ $(cat /sys/block/vdb/size) = 16384 ] && echo yes"));
    CHECK(guest_says_yes("[ $(cat /sys/block/vdb/serial) = data ] && echo yes"));
    RIG_OK(&rig, disk_resize, uid, "data", 16 << 20);
    CHECK(guest_says_yes("for i in 1 2 3 4 5; do [ $(cat /sys/block/vdb/size) = 32768 ] && break; "
                         "sleep 1; done; [ $(cat /sys/block/vdb/size) = 32768 ] && echo yes"));
    RIG_FAILS(&rig, ERR_INVALID, disk_resize, uid, "data", 8 << 20);
    RIG_OK(&rig, disk_detach, uid, "data");
    CHECK_EQ(observe().disk_count, 1);
    CHECK(guest_says_yes("[ -e /sys/block/vdb ] || echo yes"));
    RIG_OK(&rig, disk_attach, uid, &disk);
    RIG_OK(&rig, disk_detach, uid, "data");
    disk_source_done(&disk.source);
    end();
}

static json_t *monitor_result(const char *command)
{
    struct wait wait;

    (void)wait_done(&rig, &wait);
    compute_qemu_monitor(rig.compute, uid, command, NULL, wait_json, &wait);
    rig_wait(&rig, &wait);
    CHECK_STR(wait.err.text, "");
    return wait.result;
}

TEST(nothing_of_a_disk_that_went_stays_open)
{
    auto_json json_t *before = NULL;
    auto_json json_t *after = NULL;
    struct machine_disk disk;

    begin();
    before = monitor_result("query-fdsets");
    rig_blank_disk(&rig, "data", &disk);
    RIG_OK(&rig, disk_attach, uid, &disk);
    RIG_OK(&rig, disk_detach, uid, "data");
    after = monitor_result("query-fdsets");
    CHECK_EQ(json_array_size(after), json_array_size(before));
    disk_source_done(&disk.source);
    end();
}

TEST(a_nic_comes_and_goes)
{
    const struct machine_nic nic = { .name = "wan", .mac = { { 0x52, 0x54, 0, 0, 0, 2 } } };

    begin();
    RIG_OK(&rig, nic_attach, uid, &nic, open_tap());
    CHECK_EQ(observe().nic_count, 2);
    CHECK(guest_says_yes("for i in 1 2 3 4 5 6 7 8 9; do grep -q 52:54:00:00:00:02 "
                         "/sys/class/net/*/address && break; sleep 1; done; grep -q "
                         "52:54:00:00:00:02 /sys/class/net/*/address && echo yes"));
    RIG_FAILS(&rig, ERR_ALREADY_EXISTS, nic_attach, uid, &nic, open_tap());
    RIG_OK(&rig, nic_detach, uid, "wan");
    CHECK_EQ(observe().nic_count, 1);
    RIG_OK(&rig, nic_attach, uid, &nic, open_tap());
    rig_reopen(&rig);
    CHECK(rig_reaches(&rig, uid, MACHINE_RUNNING));
    CHECK_EQ(observe().nic_count, 2);
    RIG_OK(&rig, nic_detach, uid, "wan");
    end();
}

/* --- consoles --- */

static int open_console(void)
{
    struct wait wait;

    (void)wait_done(&rig, &wait);
    rig.compute->ops->console_open(rig.compute, uid, wait_fd, &wait);
    rig_wait(&rig, &wait);
    CHECK_STR(wait.err.text, "");
    return wait.fd;
}

static int viewer_fd;
static struct buf viewed;
static const char *viewed_part;

static bool has_viewed(void)
{
    char bytes[4096];
    ssize_t size;

    while ((size = recv(viewer_fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        buf_add(&viewed, bytes, (size_t)size);
    return viewed.size && memmem(viewed.bytes, viewed.size, viewed_part, strlen(viewed_part));
}

static void expect_on_console(int fd, const char *part)
{
    viewer_fd = fd;
    viewed_part = part;
    buf_clear(&viewed);
    wait_until(has_viewed, part);
    buf_done(&viewed);
}

TEST(consoles_share_the_line_and_show_what_was_said_before)
{
    int first, second, third;

    begin();
    first = open_console();
    second = open_console();
    expect_on_console(first, "Enter 'help'"); /* the shell came up before */
    CHECK(write(second, "echo sum=$((20+22))\n", 20) == 20);
    expect_on_console(first, "sum=42");
    expect_on_console(second, "sum=42");
    close(first);
    rig_reopen(&rig);
    CHECK(rig_reaches(&rig, uid, MACHINE_RUNNING));
    third = open_console();
    expect_on_console(third, "sum=42");
    close(second);
    close(third);
    end();
}

/* --- a full disk --- */

static bool is_waiting(void) { return rig_state(&rig, uid) == MACHINE_IO_PAUSED; }

static bool is_running(void) { return rig_state(&rig, uid) == MACHINE_RUNNING; }

TEST(a_guest_waits_on_a_full_disk_and_goes_on_when_there_is_space)
{
    auto_free char *filler = str_printf("%s/filler", space);
    auto_free char *fill = str_printf("dd if=/dev/zero of=%s bs=1M 2>/dev/null; true", filler);

    begin();
    run(fill);
    json_decref(ask_agent(
        "guest-exec",
        json_pack("{ss,s[ss]}", "path", "/bin/sh", "arg", "-c",
                  "dd if=/dev/urandom of=/root/big bs=64k count=64; sync; echo done >/root/ok"),
        ERR_NONE));
    wait_until(is_waiting, "the machine waits for space");
    CHECK_CONTAINS(observe().message, "disk root: no space left");
    rig_reopen(&rig);
    wait_until(is_waiting, "it waits after a restart of the daemon, too");
    CHECK_EQ(unlink(filler), 0);
    wait_until(is_running, "the machine goes on");
    CHECK_STR(observe().message, "");
    wait_until(agent_is_connected, "the agent is there");
    CHECK(guest_says_yes("for i in 1 2 3 4 5 6 7 8 9; do [ -e /root/ok ] && break; sleep 1; done; "
                         "[ -e /root/ok ] && echo yes"));
    end();
}

/* --- use and confinement --- */

TEST(a_sample_sees_processor_memory_and_disks)
{
    struct machine_usage usage;

    begin();
    expect_in_guest("cat /usr/bin/busybox | wc -c >/dev/null; echo x >/root/x; sync", "");
    for (int i = 0; i < 30; i++) {
        RIG_OK_NO_UID(&rig, sample);
        if (observe().usage.guest_memory_bytes)
            break;
        sleep(1); /* the balloon tells every two seconds */
    }
    usage = observe().usage;
    CHECK(usage.cpu_ns > 500 * 1000 * 1000);
    CHECK(usage.memory_bytes > 32 << 20);
    CHECK(usage.guest_memory_bytes > 4 << 20);
    CHECK(usage.guest_memory_bytes < 128 << 20);
    CHECK(usage.disk_read_bytes > 1 << 20);
    CHECK(usage.disk_write_bytes > 0);
    end();
}

static char *read_proc(const char *name)
{
    auto_free char *path = str_printf("/proc/%d/%s", (int)observe().pid, name);
    struct buf text = { 0 };
    struct err err;

    CHECK_OK(file_read(path, 1 << 20, &text, &err), &err);
    return buf_take(&text);
}

static void expect_other_namespace(const char *name)
{
    char ours[64] = "", theirs[64] = "";
    auto_free char *mine = str_printf("/proc/self/ns/%s", name);
    auto_free char *path = str_printf("/proc/%d/ns/%s", (int)observe().pid, name);

    CHECK(readlink(mine, ours, sizeof ours - 1) > 0);
    CHECK(readlink(path, theirs, sizeof theirs - 1) > 0);
    CHECK(strcmp(ours, theirs) != 0);
}

TEST(the_process_is_confined)
{
    begin();
    auto_free char *status = read_proc("status");
    auto_free char *groups = read_proc("cgroup");
    auto_free char *stat = read_proc("stat");
    int session;

    CHECK_CONTAINS(status, "Uid:\t20000000\t20000000\t20000000\t20000000");
    CHECK_CONTAINS(status, "Gid:\t20000000\t20000000\t20000000\t20000000");
    CHECK_CONTAINS(status, "Groups:\t \n");
    CHECK_CONTAINS(status, "CapEff:\t0000000000000000");
    CHECK_CONTAINS(status, "CapPrm:\t0000000000000000");
    CHECK_CONTAINS(status, "Seccomp:\t2");
    CHECK_CONTAINS(groups, "/virga/55555555-5555-4555-8555-555555555555");
    CHECK_EQ(sscanf(strrchr(stat, ')'), ") %*c %*d %*d %d", &session), 1);
    CHECK_EQ(session, observe().pid);
    expect_other_namespace("net");
    end();
}

/* --- display and discs --- */

static void add_tray(struct machine_config *config)
{
    struct machine_disk *tray = &config->disks[config->disk_count++];

    snprintf(tray->name, sizeof tray->name, "tray");
    tray->is_cdrom = true;
}

/* The file behind the only CD-ROM drive; "" when the tray is empty. Owned by the caller. */
static bool tray_is_full(void)
{
    auto_json json_t *blocks = monitor_result("query-block");
    size_t i;
    json_t *block;

    json_array_foreach (blocks, i, block) {
        if (str_equal(json_text_at(block, "qdev", ""), "cd.0.tray"))
            return json_object_get(block, "inserted") != NULL;
    }
    check_fail(CHECK_HERE, "no drive");
}

TEST(a_disc_is_put_in_changed_and_taken_out)
{
    struct machine_disk disc;

    begin_with(add_tray);
    rig_blank_disk(&rig, "disc", &disc);
    disc.source.read_only = true;
    CHECK(!tray_is_full());
    for (int i = 0; i < 3; i++) {
        RIG_OK(&rig, cdrom_change, uid, "tray", &disc.source);
        CHECK(tray_is_full());
    }
    rig_reopen(&rig);
    CHECK(rig_reaches(&rig, uid, MACHINE_RUNNING));
    RIG_OK(&rig, cdrom_change, uid, "tray", &disc.source);
    CHECK(tray_is_full());
    RIG_OK(&rig, cdrom_change, uid, "tray", NULL);
    CHECK(!tray_is_full());
    RIG_FAILS(&rig, ERR_NOT_FOUND, cdrom_change, uid, "other", NULL);
    disk_source_done(&disc.source);
    end();
}

static bool has_greeting(void)
{
    char bytes[12];

    return recv(viewer_fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_PEEK) == sizeof bytes &&
           memcmp(bytes, "RFB 003.008\n", sizeof bytes) == 0;
}

TEST(viewers_reach_the_vnc_server)
{
    struct wait wait;

    begin();
    for (int i = 0; i < 2; i++) {
        (void)wait_done(&rig, &wait);
        rig.compute->ops->vnc_open(rig.compute, uid, wait_fd, &wait);
        rig_wait(&rig, &wait);
        CHECK_STR(wait.err.text, "");
        viewer_fd = wait.fd;
        wait_until(has_greeting, "the VNC server greets");
        close(wait.fd);
    }
    end();
}

/* --- firmware --- */

TEST(uefi_firmware_runs_and_its_variables_outlive_the_machine)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;
    struct stat first, second;
    int console;

    rig_open(&rig);
    config = rig_config(&rig, uid);
    config->uefi = true;
    config->vnc = false;
    config->firmware_vars = str_printf("%s/vars.fd", space);
    for (int i = 0; i < 2; i++) {
        RIG_OK(&rig, start, config, NULL);
        console = open_console();
        expect_on_console(console, "BdsDxe");
        close(console);
        RIG_OK(&rig, kill, uid);
        RIG_OK(&rig, release, uid);
        CHECK_EQ(stat(config->firmware_vars, i ? &second : &first), 0);
    }
    CHECK_EQ(first.st_ino, second.st_ino);
    CHECK(second.st_size > 0);
    rig_close(&rig);
}

/* --- freezing and forking --- */

static struct machine_config *fork_of_micro(void)
{
    struct machine_config *config = micro();

    make_fork(config, fork_uid, frozen_name);
    return config;
}

static void start_fork(void)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = fork_of_micro();
    int tap = open_tap();

    RIG_OK(&rig, start, config, &tap);
    uid = fork_uid;
    wait_until(agent_is_connected, "the fork's agent connects");
}

/* What lies in the frozen memory's file; a hole is a page that other forks read as zeros. */
static int64_t frozen_blocks(void)
{
    auto_free char *path = str_printf("%s/frozen/%s/memory", rig.setup.run_dir, frozen_name);
    struct stat status;

    CHECK_EQ(stat(path, &status), 0);
    return status.st_blocks;
}

/* Of the process: what the kernel asks before each system call. */
static long filters_of(pid_t pid)
{
    auto_free char *path = str_printf("/proc/%d/status", (int)pid);
    auto_buf struct buf text = { 0 };
    const char *line;
    struct err err;

    CHECK_OK(file_read(path, 1 << 16, &text, &err), &err);
    line = strstr(text.bytes, "Seccomp_filters:");
    CHECK(line);
    return strtol(line + strlen("Seccomp_filters:"), NULL, 10);
}

static void expect_reset(void)
{
    wait_until(is_ended, "the fork ends");
    CHECK_STR(observe().message, "the fork was reset, and boots from its disk");
    CHECK_EQ(observe().end, MACHINE_END_GUEST_RESET);
}

static void end_fork(const char *parent)
{
    RIG_OK(&rig, kill, fork_uid);
    RIG_OK(&rig, release, fork_uid);
    uid = parent;
}

static bool has_carrier(void) { return guest_says_yes("grep -q 1 /sys/class/net/eth0/carrier && echo yes"); }

/* A balloon is there, and VIRTIO_BALLOON_F_PAGE_REPORTING, its bit 5 from the left, was not agreed on:
 * with it Linux would name free pages for the host to throw away. */
#define REPORTS_NO_FREE_PAGES                                                                       \
    "grep -l 0x0005 /sys/bus/virtio/devices/*/device | sed s/device$/features/ | xargs cut -c6 | "  \
    "grep -qx 0 && echo yes"

TEST(others_go_on_from_a_frozen_machine_and_it_goes_on_itself)
{
    const char *parent = uid;
    int64_t blocks;
    long filters;

    begin();
    filters = filters_of(observe().pid);
    expect_in_guest("echo here > /tmp/mark && sync", "");
    RIG_OK(&rig, freeze, uid, frozen_name);
    CHECK_EQ(rig_state(&rig, uid), MACHINE_PAUSED);
    RIG_FAILS(&rig, ERR_ALREADY_EXISTS, freeze, uid, frozen_name);
    blocks = frozen_blocks();
    start_fork();
    CHECK(observe().is_fork);
    CHECK_EQ(filters_of(observe().pid), filters + 1); /* a guest can fill its balloon without being asked */
    expect_in_guest("cat /tmp/mark", "aGVyZQo="); /* it never booted */
    expect_in_guest("cat /sys/class/net/eth0/carrier", "MAo=");
    RIG_OK(&rig, nic_link, uid, "lan", true);
    wait_until(has_carrier, "the guest sees its link");
    RIG_FAILS(&rig, ERR_CONFLICT, freeze, uid, "88888888-8888-4888-8888-888888888888");
    expect_in_guest("echo fork > /tmp/mark", "");
    /* Memory that a fork frees is still the others'. */
    CHECK(guest_says_yes(REPORTS_NO_FREE_PAGES));
    expect_in_guest("dd if=/dev/zero of=/run/x bs=1M count=20 2>/dev/null; rm /run/x", "");
    CHECK_EQ(frozen_blocks(), blocks);
    uid = parent;
    RIG_OK(&rig, nic_link, uid, "lan", true);
    RIG_OK(&rig, resume, uid);
    expect_in_guest("cat /tmp/mark", "aGVyZQo=");
    uid = fork_uid;
    json_decref(ask_agent("guest-exec", json_pack("{ss,s[ss]}", "path", "/bin/sh", "arg", "-c", "reboot -f"), ERR_NONE));
    expect_reset();
    end_fork(parent);
    RIG_OK(&rig, frozen_remove, frozen_name);
    RIG_OK(&rig, frozen_remove, frozen_name);
    auto_clean(compute_uids_free_auto) char **names = rig.compute->ops->frozen_list(rig.compute);
    CHECK(!names[0]);
    end();
}

TEST(a_fork_waits_loaded_and_survives_the_daemon)
{
    const char *parent = uid;
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;
    int tap;

    begin();
    RIG_OK(&rig, freeze, uid, frozen_name);
    RIG_OK(&rig, kill, uid);
    config = fork_of_micro();
    config->start_paused = true;
    tap = open_tap();
    RIG_OK(&rig, start, config, &tap);
    CHECK_EQ(rig_state(&rig, fork_uid), MACHINE_PAUSED);
    rig_reopen(&rig);
    CHECK(rig_reaches(&rig, fork_uid, MACHINE_PAUSED));
    uid = fork_uid;
    CHECK(observe().is_fork);
    RIG_OK(&rig, resume, uid);
    wait_until(agent_is_connected, "the fork's agent connects");
    expect_in_guest("echo hello", "aGVsbG8K");
    RIG_OK(&rig, reset, uid);
    expect_reset();
    end_fork(parent);
    RIG_OK(&rig, frozen_remove, frozen_name);
    RIG_OK(&rig, release, uid);
    rig_close(&rig);
}
