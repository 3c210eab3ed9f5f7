/* tests/contract/compute/kill_qemu.c - a daemon that is killed at every named point of a
 * machine's life, and the one that comes after it: never two processes, never one lost, nothing
 * left behind. The daemon is a child of the test; its QEMUs outlive it. */
#include "base/fault.h"
#include "base/files.h"
#include "base/str.h"
#include "drivers/storage.h"
#include "rig_qemu.h"
#include "scratch.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const uid = "33333333-3333-4333-8333-333333333333";

/* --- what is there --- */

static bool is_called_for_us(const char *pid)
{
    auto_free char *path = str_printf("/proc/%s/cmdline", pid);
    auto_buf struct buf text = { 0 };
    struct err err;

    if (file_read(path, 1 << 20, &text, &err) < 0 || !text.size)
        return false;
    return memmem(text.bytes, text.size, uid, strlen(uid)) != NULL;
}

static unsigned process_count(void)
{
    DIR *proc = opendir("/proc");
    unsigned count = 0;

    CHECK(proc);
    for (struct dirent *entry; (entry = readdir(proc));)
        count += isdigit((unsigned char)entry->d_name[0]) && is_called_for_us(entry->d_name);
    closedir(proc);
    return count;
}

static unsigned entry_count(const char *folder, const char *name)
{
    auto_free char *path = str_printf("%s/%s", folder, name);
    DIR *entries = opendir(path);
    unsigned count = 0;

    CHECK(entries);
    for (struct dirent *entry; (entry = readdir(entries));)
        count += entry->d_name[0] != '.' && strcmp(entry->d_name, "qemu.json") != 0 &&
                 strcmp(entry->d_name, "logs") != 0;
    closedir(entries);
    return count;
}

/* --- the daemon that dies --- */

/* One whole life: start, a disk in, the end, release, and the logs too. */
static void live(const char *folder)
{
    struct machine_config *config;
    struct machine_disk disk;
    struct rig rig;

    rig_open_at(&rig, folder);
    rig_blank_disk(&rig, "extra", &disk);
    config = rig_config(&rig, uid);
    RIG_OK(&rig, start, config, NULL);
    RIG_OK(&rig, disk_attach, uid, &disk);
    RIG_OK(&rig, kill, uid);
    RIG_OK(&rig, release, uid);
    RIG_OK(&rig, logs_remove, uid);
}

/* Runs the daemon with VIRGA_FAULT 'setting', or kills it after 'delay_ms' (-1: not). Returns
 * whether it was killed. */
static bool run_daemon(const char *folder, const char *setting, int delay_ms)
{
    pid_t pid = fork();
    struct err err;
    int status;

    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_OK(fault_init(setting, &err), &err);
        live(folder);
        _exit(0);
    }
    if (delay_ms >= 0) {
        const struct timespec delay = { .tv_nsec = delay_ms * 1000000L };

        nanosleep(&delay, NULL); /* the moment is meant to be any; all must do */
        kill(pid, SIGKILL);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status))
        CHECK_EQ(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* --- the daemon that follows --- */

/* Runs the loop until no machine is on its way; then everything must add up. */
static void settle(struct rig *rig, const char *at)
{
    struct machine_status status;

    if (rig_state(rig, uid) == MACHINE_LAUNCHING && !rig_leaves(rig, uid, MACHINE_LAUNCHING))
        check_fail(CHECK_HERE, "%s: stays in launching", at);
    rig->compute->ops->observe(rig->compute, uid, &status);
    switch (status.state) {
    case MACHINE_RUNNING:
        if (process_count() != 1)
            check_fail(CHECK_HERE, "%s: running with %u processes", at, process_count());
        break;
    case MACHINE_ENDED:
    case MACHINE_ABSENT:
        if (process_count() != 0)
            check_fail(CHECK_HERE, "%s: ended (%s) with %u processes", at, status.message,
                       process_count());
        break;
    default:
        check_fail(CHECK_HERE, "%s: in state %d", at, status.state);
    }
}

static void follow(const char *folder, const char *at)
{
    struct machine_config *config;
    struct rig rig;

    rig_open_at(&rig, folder);
    settle(&rig, at);
    /* A caller that wants it to run starts it when there is nothing, and only then. */
    config = rig_config(&rig, uid);
    if (rig_state(&rig, uid) == MACHINE_ENDED)
        RIG_OK(&rig, release, uid);
    if (rig_state(&rig, uid) == MACHINE_ABSENT)
        RIG_OK(&rig, start, config, NULL);
    settle(&rig, at);
    CHECK_EQ(rig_state(&rig, uid), MACHINE_RUNNING);
    RIG_OK(&rig, kill, uid);
    RIG_OK(&rig, release, uid);
    RIG_OK(&rig, logs_remove, uid);
    machine_config_free(config);
    rig_leave(&rig);
    if (process_count() || entry_count(folder, "state") || entry_count(folder, "state/logs") ||
        entry_count(folder, "run"))
        check_fail(CHECK_HERE, "%s: something is left behind", at);
}

static void check_groups_are_gone(void)
{
    /* The groups of this machine, wherever they were made. */
    CHECK_EQ(system("! find /sys/fs/cgroup -type d -name 33333333-3333-4333-8333-333333333333 "
                    "2>/dev/null | grep -q ."),
             0);
}

static void kill_and_follow(const char *setting, int delay_ms)
{
    char *folder = scratch_new();
    auto_free char *at = setting ? str_dup(setting) : str_printf("%d ms", delay_ms);
    struct rig rig;

    rig_open_at(&rig, folder); /* QEMU is asked now, so that the daemon begins at once */
    rig_leave(&rig);
    bool killed = run_daemon(folder, setting, delay_ms);
    if (setting && !killed)
        check_fail(CHECK_HERE, "%s was never passed", setting);
    follow(folder, at);
    scratch_remove(folder);
}

TEST(a_daemon_killed_at_any_named_point_is_followed_by_one_that_finds_everything)
{
    static const char *const points[] = {
        "compute.launch.begun",      "compute.launch.locked",  "compute.launch.recorded",
        "compute.launch.opened",     "compute.launch.moved",   "compute.launch.spawned",
        "compute.launch.noted",      "compute.launch.watched", "compute.launch.ready",
        "compute.launch.up",         "compute.plug.begun",     "compute.plug.opened",
        "compute.end.expected",      "compute.end.agreed",     "compute.end.begun",
        "compute.end.noted",         "compute.end.ungrouped",  "compute.release.begun",
        "compute.release.ungrouped", "compute.logs.removing",
    };

    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        auto_free char *setting = str_printf("%s=kill@1", points[i]);

        kill_and_follow(setting, -1);
    }
    check_groups_are_gone();
}

TEST(a_daemon_killed_at_any_millisecond_is_followed_by_one_that_finds_everything)
{
    for (int delay_ms = 0; delay_ms < 120; delay_ms += 4)
        kill_and_follow(NULL, delay_ms);
    check_groups_are_gone();
}

TEST(a_restart_of_the_host_has_ended_every_machine)
{
    char *folder = scratch_new();
    struct machine_config *config;
    auto_free char *sed = NULL;
    struct machine_status status;
    struct rig rig;

    rig_open_at(&rig, folder);
    config = rig_config(&rig, uid);
    RIG_OK(&rig, start, config, NULL);
    rig_end_process(&rig, uid);
    rig_leave(&rig);
    /* As after a restart: no processes, no run folder, and another name of the boot. */
    sed = str_printf("rm -r %s/run; sed -i 's/\"bootId\":\"[^\"]*/\"bootId\":\"another/' "
                     "%s/state/%s/record.json; rm -f %s/state/%s/end.json",
                     folder, folder, uid, folder, uid);
    CHECK_EQ(system(sed), 0);
    rig_open_at(&rig, folder);
    rig.compute->ops->observe(rig.compute, uid, &status);
    CHECK_EQ(status.state, MACHINE_ENDED);
    CHECK_EQ(status.end, MACHINE_END_PROCESS_DIED);
    CHECK_STR(status.message, "the host was restarted");
    RIG_OK(&rig, release, uid);
    RIG_OK(&rig, start, config, NULL);
    RIG_OK(&rig, kill, uid);
    RIG_OK(&rig, release, uid);
    rig_leave(&rig);
    machine_config_free(config);
    scratch_remove(folder);
}
