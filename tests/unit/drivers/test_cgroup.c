#include "scratch.h"
#include "drivers/compute/qemu/cgroup.h"
#include "base/files.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A folder that stands for /; what the kernel would make in a new group, the test makes. */
static char *root;

static void begin(void)
{
    root = scratch_new();
}

static void end(void)
{
    scratch_remove(root);
}

static void folder(const char *path)
{
    auto_free char *full = str_printf("%s%s", root, path);
    struct err err;

    CHECK_OK(dir_make(full, 0755, &err), &err);
}

static void file(const char *path, const char *text)
{
    auto_free char *full = str_printf("%s%s", root, path);
    struct err err;

    CHECK_OK(file_write_atomic(full, text, strlen(text), 0644, &err), &err);
}

static void expect(const char *path, const char *text)
{
    auto_free char *full = str_printf("%s%s", root, path);
    auto_buf struct buf is = { 0 };
    struct err err;

    CHECK_OK(file_read(full, 1000, &is, &err), &err);
    CHECK_STR(is.bytes, text);
}

static bool exists(const char *path)
{
    auto_free char *full = str_printf("%s%s", root, path);

    return access(full, F_OK) == 0;
}

static const char v1_mounts[] =
    "31 23 0:28 / /cg rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /cg/cpu,cpuacct rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /cg/memory rw,relatime - cgroup cgroup rw,memory\n"
    "40 31 0:37 / /cg/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
    "41 31 0:38 / /cg/unified rw,relatime - cgroup2 cgroup2 rw\n";
static const char v1_self[] = "4:memory:/service/a\n3:cpu,cpuacct:/\n1:name=systemd:/\n0::/x\n";

TEST(version_1_groups_lie_below_our_own)
{
    struct cgroups cgroups;

    begin();
    folder("/cg/cpu,cpuacct");
    folder("/cg/memory/service/a");
    cgroups_find(&cgroups, root, v1_mounts, v1_self);
    CHECK_STR(cgroups.summary, "v1: cpu, memory");
    CHECK_EQ(cgroups.base_count, 2);
    CHECK(str_ends(cgroups.bases[0].path, "/cg/cpu,cpuacct/virga"));
    CHECK_EQ(cgroups.bases[0].controllers, CGROUP_CPU | CGROUP_CPUACCT);
    CHECK(str_ends(cgroups.bases[1].path, "/cg/memory/service/a/virga"));
    CHECK(!exists("/cg/memory/service/a/virga"));
    end();
}

TEST(version_1_limits_are_written_and_use_is_read)
{
    const struct cgroup_limits limits = { .cpu_milli = 1500, .memory_bytes = 1 << 30 };
    struct cgroup_usage usage;
    struct cgroups cgroups;
    struct err err;

    begin();
    folder("/cg/cpu,cpuacct/virga/u");
    folder("/cg/memory/service/a/virga/u");
    file("/cg/cpu,cpuacct/virga/u/cpu.cfs_period_us", "");
    file("/cg/cpu,cpuacct/virga/u/cpu.cfs_quota_us", "");
    file("/cg/memory/service/a/virga/u/memory.limit_in_bytes", "");
    cgroups_find(&cgroups, root, v1_mounts, v1_self);
    CHECK_OK(cgroup_create(&cgroups, "u", &limits, &err), &err);
    expect("/cg/cpu,cpuacct/virga/u/cpu.cfs_period_us", "100000");
    expect("/cg/cpu,cpuacct/virga/u/cpu.cfs_quota_us", "150000");
    expect("/cg/memory/service/a/virga/u/memory.limit_in_bytes", "1073741824");
    file("/cg/cpu,cpuacct/virga/u/cpuacct.usage", "123456789\n");
    file("/cg/memory/service/a/virga/u/memory.oom_control",
         "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    cgroup_read(&cgroups, "u", &usage);
    CHECK(usage.has_cpu);
    CHECK_EQ(usage.cpu_ns, 123456789);
    CHECK_EQ(usage.oom_kills, 2);
    file("/cg/cpu,cpuacct/virga/u/cgroup.procs", "");
    file("/cg/memory/service/a/virga/u/cgroup.procs", "");
    CHECK_OK(cgroup_enter(&cgroups, "u", 4711, &err), &err);
    expect("/cg/cpu,cpuacct/virga/u/cgroup.procs", "4711");
    expect("/cg/memory/service/a/virga/u/cgroup.procs", "4711");
    end();
}

static const char v2_mounts[] =
    "30 23 0:26 / /cg rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(version_2_groups_lie_beside_our_own_and_controllers_are_handed_down)
{
    const struct cgroup_limits limits = { .cpu_milli = 2000, .memory_bytes = 4096 };
    struct cgroup_usage usage;
    struct cgroups cgroups;
    struct err err;

    begin();
    folder("/cg/system.slice/virga/u");
    file("/cg/cgroup.subtree_control", "");
    file("/cg/system.slice/cgroup.subtree_control", "");
    file("/cg/system.slice/virga/cgroup.subtree_control", "");
    file("/cg/system.slice/virga/u/cpu.max", "");
    file("/cg/system.slice/virga/u/memory.max", "");
    cgroups_find(&cgroups, root, v2_mounts, "0::/system.slice/virgad.service\n");
    CHECK_STR(cgroups.summary, "v2: cpu, memory");
    CHECK_EQ(cgroups.base_count, 1);
    CHECK(str_ends(cgroups.bases[0].path, "/cg/system.slice/virga"));
    expect("/cg/cgroup.subtree_control", "+memory");
    expect("/cg/system.slice/cgroup.subtree_control", "+memory");
    CHECK_OK(cgroup_create(&cgroups, "u", &limits, &err), &err);
    expect("/cg/system.slice/virga/cgroup.subtree_control", "+cpu +memory");
    expect("/cg/system.slice/virga/u/cpu.max", "200000 100000");
    expect("/cg/system.slice/virga/u/memory.max", "4096");
    file("/cg/system.slice/virga/u/cpu.stat", "usage_usec 77\nuser_usec 5\n");
    file("/cg/system.slice/virga/u/memory.events", "low 0\noom 1\noom_kill 1\n");
    cgroup_read(&cgroups, "u", &usage);
    CHECK_EQ(usage.cpu_ns, 77000);
    CHECK_EQ(usage.oom_kills, 1);
    end();
}

TEST(limits_change_but_never_below_the_memory_in_use)
{
    struct cgroups cgroups;
    struct err err;

    begin();
    folder("/cg/system.slice/virga/u");
    file("/cg/cgroup.subtree_control", "");
    file("/cg/system.slice/cgroup.subtree_control", "");
    file("/cg/system.slice/virga/cgroup.subtree_control", "");
    file("/cg/system.slice/virga/u/cpu.max", "200000 100000");
    file("/cg/system.slice/virga/u/memory.max", "1");
    file("/cg/system.slice/virga/u/memory.current", "1073741824\n");
    cgroups_find(&cgroups, root, v2_mounts, "0::/system.slice/virgad.service\n");
    CHECK_OK(cgroup_limit(&cgroups, "u", &(struct cgroup_limits){ 4000, 2LL << 30 }, &err), &err);
    expect("/cg/system.slice/virga/u/cpu.max", "400000 100000");
    expect("/cg/system.slice/virga/u/memory.max", "2147483648");
    CHECK_OK(cgroup_limit(&cgroups, "u", &(struct cgroup_limits){ 1000, 1 << 20 }, &err), &err);
    expect("/cg/system.slice/virga/u/cpu.max", "100000 100000");
    expect("/cg/system.slice/virga/u/memory.max", "1140850688"); /* and 64 MiB */
    end();
}

TEST(a_host_with_both_versions_is_decided_per_controller)
{
    struct cgroups cgroups;

    begin();
    folder("/cg/memory");
    folder("/cg/unified/virga");
    file("/cg/unified/cgroup.subtree_control", "");
    file("/cg/unified/virga/cgroup.subtree_control", "");
    cgroups_find(&cgroups, root,
                 "35 31 0:32 / /cg/memory rw - cgroup cgroup rw,memory\n"
                 "41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw\n",
                 "4:memory:/\n0::/\n");
    CHECK_STR(cgroups.summary, "v1: memory; v2: cpu");
    end();
}

TEST(what_is_missing_is_said)
{
    struct cgroups cgroups;
    struct cgroup_usage usage;
    struct err err;

    begin();
    cgroups_find(&cgroups, root, "", "");
    CHECK_STR(cgroups.summary, "no cpu limit: not mounted; no memory limit: not mounted");
    CHECK_EQ(cgroups.base_count, 0);
    CHECK_OK(cgroup_create(&cgroups, "u", &(struct cgroup_limits){ 0 }, &err), &err);
    cgroup_read(&cgroups, "u", &usage);
    CHECK(!usage.has_cpu);
    CHECK_OK(cgroup_remove(&cgroups, "u", &err), &err);
    folder("/cg");
    cgroups_find(&cgroups, root, v2_mounts, "0::/\n");
    CHECK_CONTAINS(cgroups.summary, "no cpu limit");
    CHECK_CONTAINS(cgroups.summary, "cgroup.subtree_control");
    end();
}

TEST(a_hierarchy_mounted_in_part_hides_the_rest_of_our_path)
{
    struct cgroups cgroups;

    begin();
    folder("/cg/memory/inner");
    cgroups_find(&cgroups, root, "35 31 0:32 /docker/1 /cg/memory rw - cgroup cgroup rw,memory\n",
                 "4:memory:/docker/1/inner\n");
    CHECK(str_ends(cgroups.bases[0].path, "/cg/memory/inner/virga"));
    end();
}

TEST(groups_are_removed_with_their_base)
{
    struct cgroups cgroups;
    struct err err;

    begin();
    folder("/cg/memory");
    folder("/cg/cpu,cpuacct");
    cgroups_find(&cgroups, root, v1_mounts, "");
    folder("/cg/memory/virga/a");
    folder("/cg/memory/virga/b");
    CHECK_OK(cgroup_remove(&cgroups, "a", &err), &err);
    CHECK(exists("/cg/memory/virga/b"));
    CHECK_OK(cgroup_remove(&cgroups, "b", &err), &err);
    CHECK(!exists("/cg/memory/virga"));
    CHECK_OK(cgroup_remove(&cgroups, "b", &err), &err);
    end();
}
