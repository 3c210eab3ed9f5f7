#include "check.h"
#include "drivers/compute/fake/fake.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/storage.h"
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;
static struct compute_fake_world *world;
static struct compute *compute;
static struct compute_setup setup;
static unsigned changes;

static void count_change(void *arg, const char *uid) { changes++; }

static void begin(const struct compute_fake_options *options)
{
    changes = 0;
    loop = loop_sim_new(1);
    world = compute_fake_world_new(loop, options);
    setup = (struct compute_setup){ .loop = loop, .changed = count_change };
    compute = compute_fake_open(world, &setup);
}

static void end(void)
{
    compute->ops->close(compute);
    compute_fake_world_free(world);
    loop_free(loop);
}

static struct machine_config *config_of(const char *uid, const char *disk_path)
{
    struct machine_config *config = mem_new(struct machine_config);

    config->uid = str_dup(uid);
    config->guest_agent = true;
    config->disk_count = 1;
    snprintf(config->disks[0].name, DEVICE_NAME_SIZE, "root");
    config->disks[0].source.file_count = 1;
    config->disks[0].source.files[0].path = str_dup(disk_path);
    return config;
}

static void start(const char *uid, const char *disk_path)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = config_of(uid, disk_path);

    compute->ops->start(compute, config, NULL, (struct done){ 0 });
}

static struct machine_status observe(const char *uid)
{
    struct machine_status status;

    compute->ops->observe(compute, uid, &status);
    return status;
}

TEST(the_guest_boots_then_its_agent_connects)
{
    const struct compute_fake_options options = { .guest_boot_ms = 1000 };

    begin(&options);
    start("a", "/a");
    loop_sim_advance(loop, 900);
    CHECK_EQ(observe("a").state, MACHINE_RUNNING);
    CHECK(!observe("a").agent_connected);
    loop_sim_advance(loop, 200);
    CHECK(observe("a").agent_connected);
    CHECK(changes > 0);
    end();
}

TEST(a_panic_crashes_the_machine_and_reset_runs_it_again)
{
    begin(NULL);
    start("a", "/a");
    loop_sim_advance(loop, 10);
    compute_fake_guest_panics(world, "a");
    CHECK_EQ(observe("a").state, MACHINE_CRASHED);
    compute->ops->reset(compute, "a", (struct done){ 0 });
    loop_sim_advance(loop, 10);
    CHECK_EQ(observe("a").state, MACHINE_RUNNING);
    CHECK_EQ(compute_fake_launches(world, "a"), 1);
    end();
}

TEST(a_guest_can_ignore_the_power_button)
{
    begin(NULL);
    compute_fake_guest_ignores_power(world, "a", true);
    start("a", "/a");
    loop_sim_advance(loop, 10);
    compute->ops->press_power(compute, "a", (struct done){ 0 });
    loop_sim_advance(loop, 100000);
    CHECK_EQ(observe("a").state, MACHINE_RUNNING);
    CHECK(observe("a").shutdown_requested);
    end();
}

TEST(a_full_disk_pauses_and_space_resumes)
{
    begin(NULL);
    start("a", "/a");
    loop_sim_advance(loop, 10);
    compute_fake_disk_full(world, "a", true);
    CHECK_EQ(observe("a").state, MACHINE_IO_PAUSED);
    compute->ops->resume(compute, "a", (struct done){ 0 });
    loop_sim_advance(loop, 10);
    CHECK_EQ(observe("a").state, MACHINE_IO_PAUSED);
    compute_fake_disk_full(world, "a", false);
    CHECK_EQ(observe("a").state, MACHINE_RUNNING);
    end();
}

TEST(load_is_accounted_only_while_the_guest_runs)
{
    begin(NULL);
    start("a", "/a");
    loop_sim_advance(loop, 10);
    compute_fake_set_load(world, "a", 500, 64 << 20);
    loop_sim_advance(loop, 10000);
    compute->ops->pause(compute, "a", (struct done){ 0 });
    loop_sim_advance(loop, 10000);
    compute->ops->sample(compute, (struct done){ 0 });
    loop_sim_advance(loop, 10);
    CHECK_EQ(observe("a").usage.cpu_ns / 1000000, 5000);
    end();
}

TEST(a_reboot_of_the_host_ends_every_process)
{
    begin(NULL);
    start("a", "/a");
    start("b", "/b");
    loop_sim_advance(loop, 10);
    CHECK_EQ(compute_fake_process_count(world), 2);
    compute->ops->close(compute);
    compute_fake_host_reboots(world);
    compute = compute_fake_open(world, &setup);
    CHECK_EQ(compute_fake_process_count(world), 0);
    CHECK_EQ(compute_fake_trace_count(world), 2);
    CHECK_EQ(observe("b").end, MACHINE_END_PROCESS_DIED);
    end();
}

/* Every instant at which the daemon may die during a start. */
TEST(a_daemon_killed_at_any_instant_of_a_start_finds_one_process_or_none)
{
    const struct compute_fake_options options = { .delay_min_ms = 10, .delay_max_ms = 30 };

    for (int64_t at_ms = 0; at_ms < 80; at_ms++) {
        begin(&options);
        start("a", "/a");
        loop_sim_advance(loop, at_ms);
        compute->ops->close(compute);
        compute = compute_fake_open(world, &setup);
        loop_sim_advance(loop, 1000);
        if (observe("a").state == MACHINE_ENDED)
            CHECK_EQ(compute_fake_launches(world, "a"), 0);
        else
            CHECK_EQ(compute_fake_process_count(world), 1);
        end();
    }
}

TEST(two_machines_that_write_one_disk_end_the_program)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        fclose(stderr);
        signal(SIGABRT, SIG_DFL); /* cmocka would report it as its own failure */
        begin(NULL);
        start("a", "/same");
        start("b", "/same");
        loop_sim_advance(loop, 10);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGABRT);
}

TEST(a_machine_found_again_is_launching_until_its_monitor_answers)
{
    const struct compute_fake_options options = { .delay_min_ms = 10, .delay_max_ms = 10 };

    begin(&options);
    start("a", "/a");
    loop_sim_advance(loop, 100);
    CHECK_EQ(observe("a").state, MACHINE_RUNNING);
    compute->ops->close(compute);
    compute = compute_fake_open(world, &setup);
    CHECK_EQ(observe("a").state, MACHINE_LAUNCHING);
    CHECK(observe("a").pid > 0);
    loop_sim_advance(loop, 11);
    CHECK_EQ(observe("a").state, MACHINE_RUNNING);
    end();
}
