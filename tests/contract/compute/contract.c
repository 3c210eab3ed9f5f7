/* tests/contract/compute/contract.c - what every compute driver must do. */
#include "base/str.h"
#include "drivers/storage.h"
#include "rig.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char *const one = "11111111-1111-4111-8111-111111111111";
static const char *const two = "22222222-2222-4222-8222-222222222222";

static struct rig rig;

static void begin(void) { rig_open(&rig); }

static void end(void) { rig_close(&rig); }

static struct machine_status observe(const char *uid)
{
    struct machine_status status;

    rig.compute->ops->observe(rig.compute, uid, &status);
    return status;
}

static void start(const char *uid)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = rig_config(&rig, uid);

    RIG_OK(&rig, start, config, NULL);
}

static void kill_and_release(const char *uid)
{
    RIG_OK(&rig, kill, uid);
    RIG_OK(&rig, release, uid);
    CHECK_EQ(rig_state(&rig, uid), MACHINE_ABSENT);
}

TEST(a_started_machine_runs_and_is_listed)
{
    begin();
    CHECK_EQ(rig_state(&rig, one), MACHINE_ABSENT);
    start(one);
    CHECK_EQ(rig_state(&rig, one), MACHINE_RUNNING);
    CHECK(observe(one).pid > 0);
    CHECK(observe(one).machine_type[0] != '\0');
    CHECK(observe(one).launched_wall_ms > 0);
    auto_clean(compute_uids_free_auto) char **uids = rig.compute->ops->list(rig.compute);
    CHECK_STR(uids[0], one);
    CHECK(!uids[1]);
    kill_and_release(one);
    end();
}

TEST(a_machine_is_launching_as_soon_as_start_returns)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;
    struct wait wait;

    begin();
    config = rig_config(&rig, one);
    rig.compute->ops->start(rig.compute, config, NULL, wait_done(&rig, &wait));
    CHECK_EQ(rig_state(&rig, one), MACHINE_LAUNCHING);
    rig_wait(&rig, &wait);
    CHECK_EQ(wait.err.code, ERR_NONE);
    kill_and_release(one);
    end();
}

TEST(a_second_start_is_refused_and_the_process_stays)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;
    pid_t pid;

    begin();
    start(one);
    pid = observe(one).pid;
    config = rig_config(&rig, one);
    RIG_FAILS(&rig, ERR_ALREADY_EXISTS, start, config, NULL);
    CHECK_EQ(observe(one).pid, pid);
    CHECK_EQ(rig_state(&rig, one), MACHINE_RUNNING);
    kill_and_release(one);
    end();
}

TEST(two_machines_have_two_processes)
{
    begin();
    start(one);
    start(two);
    CHECK(observe(one).pid != observe(two).pid);
    RIG_OK(&rig, kill, one);
    CHECK_EQ(rig_state(&rig, two), MACHINE_RUNNING);
    RIG_OK(&rig, release, one);
    kill_and_release(two);
    end();
}

TEST(pause_and_resume_succeed_also_when_it_is_so_already)
{
    begin();
    start(one);
    RIG_OK(&rig, pause, one);
    CHECK_EQ(rig_state(&rig, one), MACHINE_PAUSED);
    RIG_OK(&rig, pause, one);
    CHECK_EQ(rig_state(&rig, one), MACHINE_PAUSED);
    RIG_OK(&rig, resume, one);
    CHECK_EQ(rig_state(&rig, one), MACHINE_RUNNING);
    RIG_OK(&rig, resume, one);
    CHECK_EQ(rig_state(&rig, one), MACHINE_RUNNING);
    kill_and_release(one);
    end();
}

TEST(a_machine_can_start_paused)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;

    begin();
    config = rig_config(&rig, one);
    config->start_paused = true;
    RIG_OK(&rig, start, config, NULL);
    CHECK_EQ(rig_state(&rig, one), MACHINE_PAUSED);
    RIG_OK(&rig, resume, one);
    CHECK_EQ(rig_state(&rig, one), MACHINE_RUNNING);
    kill_and_release(one);
    end();
}

TEST(reset_keeps_the_process)
{
    pid_t pid;

    begin();
    start(one);
    pid = observe(one).pid;
    RIG_OK(&rig, reset, one);
    CHECK_EQ(observe(one).pid, pid);
    CHECK_EQ(rig_state(&rig, one), MACHINE_RUNNING);
    kill_and_release(one);
    end();
}

TEST(a_killed_machine_has_ended_as_asked_and_can_be_killed_again)
{
    begin();
    start(one);
    RIG_OK(&rig, kill, one);
    CHECK_EQ(rig_state(&rig, one), MACHINE_ENDED);
    CHECK_EQ(observe(one).end, MACHINE_END_HOST_STOP);
    CHECK_EQ(observe(one).pid, 0);
    RIG_OK(&rig, kill, one);
    RIG_OK(&rig, kill, two);
    RIG_OK(&rig, release, one);
    end();
}

TEST(release_forgets_an_ended_machine_and_refuses_a_running_one)
{
    begin();
    RIG_OK(&rig, release, one);
    start(one);
    RIG_FAILS(&rig, ERR_CONFLICT, release, one);
    kill_and_release(one);
    auto_clean(compute_uids_free_auto) char **uids = rig.compute->ops->list(rig.compute);
    CHECK(!uids[0]);
    start(one);
    kill_and_release(one);
    end();
}

TEST(calls_to_an_absent_machine_say_so)
{
    struct machine_nic nic = { .name = "lan" };
    struct machine_disk disk;

    begin();
    rig_blank_disk(&rig, "extra", &disk);
    RIG_FAILS(&rig, ERR_NOT_FOUND, press_power, one);
    RIG_FAILS(&rig, ERR_NOT_FOUND, pause, one);
    RIG_FAILS(&rig, ERR_NOT_FOUND, resume, one);
    RIG_FAILS(&rig, ERR_NOT_FOUND, reset, one);
    RIG_FAILS(&rig, ERR_NOT_FOUND, disk_attach, one, &disk);
    RIG_FAILS(&rig, ERR_NOT_FOUND, disk_detach, one, "extra");
    RIG_FAILS(&rig, ERR_NOT_FOUND, disk_resize, one, "extra", 1 << 20);
    RIG_FAILS(&rig, ERR_NOT_FOUND, nic_attach, one, &nic, -1);
    RIG_FAILS(&rig, ERR_NOT_FOUND, nic_detach, one, "lan");
    RIG_FAILS(&rig, ERR_NOT_FOUND, cdrom_change, one, "cd", NULL);
    disk_source_done(&disk.source);
    end();
}

TEST(calls_to_an_ended_machine_are_refused)
{
    begin();
    start(one);
    RIG_OK(&rig, kill, one);
    RIG_FAILS(&rig, ERR_CONFLICT, press_power, one);
    RIG_FAILS(&rig, ERR_CONFLICT, pause, one);
    RIG_FAILS(&rig, ERR_CONFLICT, resume, one);
    RIG_FAILS(&rig, ERR_CONFLICT, reset, one);
    RIG_OK(&rig, release, one);
    end();
}

TEST(a_start_that_fails_leaves_an_ended_machine_with_the_reason)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;
    struct wait wait;

    begin();
    config = rig_config(&rig, one);
    rig_break_start(&rig, config);
    RIG_CALL(&rig, &wait, start, config, NULL);
    CHECK(wait.err.code != ERR_NONE);
    CHECK_EQ(rig_state(&rig, one), MACHINE_ENDED);
    CHECK_EQ(observe(one).end, MACHINE_END_START_FAILED);
    CHECK(observe(one).message[0] != '\0');
    RIG_OK(&rig, release, one);
    CHECK_EQ(rig_state(&rig, one), MACHINE_ABSENT);
    end();
}

TEST(a_process_that_dies_is_noticed)
{
    begin();
    start(one);
    rig_end_process(&rig, one);
    CHECK(rig_reaches(&rig, one, MACHINE_ENDED));
    CHECK_EQ(observe(one).end, MACHINE_END_PROCESS_DIED);
    CHECK(observe(one).message[0] != '\0');
    RIG_OK(&rig, release, one);
    end();
}

TEST(machines_outlive_the_driver_and_are_found_again)
{
    pid_t pid;

    begin();
    start(one);
    start(two);
    RIG_OK(&rig, pause, two);
    pid = observe(one).pid;
    rig_reopen(&rig);
    CHECK(rig_reaches(&rig, one, MACHINE_RUNNING));
    CHECK(rig_reaches(&rig, two, MACHINE_PAUSED));
    CHECK_EQ(observe(one).pid, pid);
    RIG_OK(&rig, pause, one);
    RIG_OK(&rig, resume, two);
    kill_and_release(one);
    kill_and_release(two);
    end();
}

TEST(what_ended_stays_ended_over_a_restart_of_the_driver)
{
    begin();
    start(one);
    RIG_OK(&rig, kill, one);
    rig_reopen(&rig);
    CHECK_EQ(rig_state(&rig, one), MACHINE_ENDED);
    CHECK_EQ(observe(one).end, MACHINE_END_HOST_STOP);
    RIG_OK(&rig, release, one);
    rig_reopen(&rig);
    CHECK_EQ(rig_state(&rig, one), MACHINE_ABSENT);
    end();
}

TEST(a_start_interrupted_by_close_is_cancelled_and_never_runs_twice)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;
    struct wait wait;

    begin();
    config = rig_config(&rig, one);
    rig.compute->ops->start(rig.compute, config, NULL, wait_done(&rig, &wait));
    rig_reopen(&rig);
    CHECK(wait.called);
    CHECK_EQ(wait.err.code, ERR_CANCELLED);
    CHECK(rig_state(&rig, one) != MACHINE_RUNNING || observe(one).pid > 0);
    kill_and_release(one);
    end();
}

TEST(a_disk_comes_and_goes_while_the_machine_runs)
{
    struct machine_disk disk;

    begin();
    rig_blank_disk(&rig, "extra", &disk);
    start(one);
    RIG_OK(&rig, disk_detach, one, "extra");
    RIG_OK(&rig, disk_attach, one, &disk);
    CHECK_EQ(observe(one).disk_count, 1);
    CHECK_STR(observe(one).disks[0], "extra");
    RIG_FAILS(&rig, ERR_ALREADY_EXISTS, disk_attach, one, &disk);
    RIG_OK(&rig, disk_resize, one, "extra", 32 << 20);
    RIG_FAILS(&rig, ERR_NOT_FOUND, disk_resize, one, "other", 32 << 20);
    rig_reopen(&rig);
    CHECK(rig_reaches(&rig, one, MACHINE_RUNNING));
    CHECK_EQ(observe(one).disk_count, 1);
    if (rig.guest_obeys) {
        RIG_OK(&rig, disk_detach, one, "extra");
        CHECK_EQ(observe(one).disk_count, 0);
    }
    kill_and_release(one);
    disk_source_done(&disk.source);
    end();
}

TEST(the_power_button_is_pressed_and_obeyed)
{
    begin();
    start(one);
    RIG_OK(&rig, press_power, one);
    if (rig.guest_obeys) {
        CHECK(rig_reaches(&rig, one, MACHINE_ENDED));
        CHECK_EQ(observe(one).end, MACHINE_END_GUEST_SHUTDOWN);
    } else {
        CHECK(observe(one).shutdown_requested);
    }
    kill_and_release(one);
    end();
}

TEST(several_consoles_are_open_at_once)
{
    struct wait first, second;

    begin();
    start(one);
    (void)wait_done(&rig, &first);
    (void)wait_done(&rig, &second);
    rig.compute->ops->console_open(rig.compute, one, wait_fd, &first);
    rig.compute->ops->console_open(rig.compute, one, wait_fd, &second);
    rig_wait(&rig, &first);
    rig_wait(&rig, &second);
    CHECK_STR(first.err.text, "");
    CHECK_STR(second.err.text, "");
    CHECK(first.fd >= 0 && second.fd >= 0 && first.fd != second.fd);
    close(first.fd);
    close(second.fd);
    kill_and_release(one);
    end();
}

static enum err_code open_log(const char *uid, bool qemu_log)
{
    struct wait wait;

    (void)wait_done(&rig, &wait);
    wait.fd = -1;
    rig.compute->ops->log_open(rig.compute, uid, qemu_log, wait_fd, &wait);
    rig_wait(&rig, &wait);
    CHECK_EQ(wait.fd >= 0, wait.err.code == ERR_NONE);
    if (wait.fd >= 0)
        close(wait.fd);
    return wait.err.code;
}

static unsigned logs_count(void)
{
    auto_clean(compute_uids_free_auto) char **uids = rig.compute->ops->logs_list(rig.compute);
    unsigned count = 0;

    while (uids[count])
        count++;
    return count;
}

TEST(the_logs_of_a_machine_can_be_read_until_they_are_removed)
{
    begin();
    CHECK_EQ(open_log(one, false), ERR_NOT_FOUND);
    start(one);
    RIG_FAILS(&rig, ERR_CONFLICT, logs_remove, one);
    kill_and_release(one);
    CHECK_EQ(open_log(one, false), ERR_NONE);
    CHECK_EQ(open_log(one, true), ERR_NONE);
    rig_reopen(&rig);
    CHECK_EQ(rig_state(&rig, one), MACHINE_ABSENT);
    CHECK_EQ(open_log(one, true), ERR_NONE);
    CHECK_EQ(logs_count(), 1);
    RIG_OK(&rig, logs_remove, one);
    RIG_OK(&rig, logs_remove, one);
    CHECK_EQ(open_log(one, false), ERR_NOT_FOUND);
    CHECK_EQ(open_log(one, true), ERR_NOT_FOUND);
    CHECK_EQ(logs_count(), 0);
    end();
}

TEST(a_screenshot_is_a_picture)
{
    struct wait wait;

    begin();
    start(one);
    (void)wait_done(&rig, &wait);
    rig.compute->ops->screenshot(rig.compute, one, wait_bytes, &wait);
    rig_wait(&rig, &wait);
    CHECK_STR(wait.err.text, "");
    CHECK(wait.size > 60);
    kill_and_release(one);
    end();
}

TEST(a_sample_counts_the_running_machines)
{
    struct wait wait;

    begin();
    start(one);
    (void)wait_done(&rig, &wait);
    rig.compute->ops->sample(rig.compute, wait_done(&rig, &wait));
    rig_wait(&rig, &wait);
    CHECK_STR(wait.err.text, "");
    CHECK(observe(one).usage.wall_ms > 0);
    kill_and_release(one);
    end();
}

TEST(facts_name_the_version_and_the_machine_type)
{
    const struct compute_facts *facts;

    begin();
    facts = rig.compute->ops->facts(rig.compute);
    CHECK(facts->version[0] != '\0');
    CHECK(facts->default_machine_type[0] != '\0');
    CHECK(facts->cgroup[0] != '\0');
    CHECK(facts->kvm_usable || facts->kvm_reason[0] != '\0');
    end();
}

/* --- size --- */

static void expect_size(const char *uid, unsigned cpus, int64_t mib)
{
    CHECK_EQ(observe(uid).cpus, cpus);
    CHECK_EQ(observe(uid).memory_bytes, mib << 20);
}

TEST(a_machine_is_given_processors_up_to_what_it_was_started_ready_for)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;
    int64_t memory;

    begin();
    config = rig_config(&rig, one);
    config->cpus_max = 3;
    memory = config->memory_bytes;
    RIG_OK(&rig, start, config, NULL);
    expect_size(one, config->cpus, memory >> 20);
    RIG_OK(&rig, resize, one, config->cpus, memory);
    RIG_OK(&rig, resize, one, 3, memory);
    expect_size(one, 3, memory >> 20);
    RIG_FAILS(&rig, ERR_UNSUPPORTED, resize, one, 4, memory);
    RIG_FAILS(&rig, ERR_UNSUPPORTED, resize, one, 3, memory + (64 << 20));
    RIG_FAILS(&rig, ERR_INVALID, resize, one, 0, memory);
    expect_size(one, 3, memory >> 20);
    rig_reopen(&rig);
    CHECK(rig_reaches(&rig, one, MACHINE_RUNNING));
    CHECK(rig_reaches_size(&rig, one, 3, memory));
    RIG_FAILS(&rig, ERR_CONFLICT, freeze, one, two);
    RIG_OK(&rig, pause, one);
    RIG_FAILS(&rig, ERR_CONFLICT, resize, one, 2, memory);
    kill_and_release(one);
    CHECK_EQ(observe(one).cpus, 0);
    RIG_FAILS(&rig, ERR_NOT_FOUND, resize, one, 1, memory);
    end();
}
