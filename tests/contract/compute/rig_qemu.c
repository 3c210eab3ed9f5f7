/* tests/contract/compute/rig_qemu.c - the contract suite on real QEMUs with an empty guest:
 * firmware that finds nothing to boot. */
#include "base/fault.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include "rig_qemu.h"
#include "scratch.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { UID_BASE = 20 * 1000 * 1000 };

struct own {
    char folder[64];
    char *state_dir, *run_dir;
};

static struct own *own_of(struct rig *rig) { return rig->own; }

void rig_open_driver(struct rig *rig)
{
    struct err err;

    rig->compute = compute_qemu.open(&rig->setup, &err);
    if (!rig->compute)
        check_fail(CHECK_HERE, "open: %s", err.text);
}

void rig_open_at(struct rig *rig, const char *folder)
{
    struct own *own = mem_new(struct own);
    struct err err;

    *rig = (struct rig){ .own = own, .loop = loop_new(&err) };
    CHECK(rig->loop);
    snprintf(own->folder, sizeof own->folder, "%s", folder);
    own->state_dir = str_printf("%s/state", own->folder);
    own->run_dir = str_printf("%s/run", own->folder);
    rig->setup = (struct compute_setup){ .loop = rig->loop,
                                         .workers = worker_pool_new(rig->loop, 2),
                                         .state_dir = own->state_dir,
                                         .run_dir = own->run_dir,
                                         .uid_base = UID_BASE,
                                         .changed = rig_changed,
                                         .arg = rig };
    rig_open_driver(rig);
}

void rig_open(struct rig *rig)
{
    char *folder = scratch_new();

    rig_open_at(rig, folder);
    free(folder);
}

void rig_leave(struct rig *rig)
{
    struct own *own = own_of(rig);

    rig->compute->ops->close(rig->compute);
    worker_pool_free(rig->setup.workers);
    loop_free(rig->loop);
    free(own->state_dir);
    free(own->run_dir);
    free(own);
}

void rig_close(struct rig *rig)
{
    char *folder = str_dup(own_of(rig)->folder);

    rig_leave(rig);
    scratch_remove(folder);
}

void rig_reopen(struct rig *rig)
{
    rig->compute->ops->close(rig->compute);
    rig_open_driver(rig);
}

struct machine_config *rig_config(struct rig *rig, const char *uid)
{
    struct machine_config *config = mem_new(struct machine_config);

    config->uid = str_dup(uid);
    config->name = str_printf("default/%.4s", uid);
    config->cpus = 1;
    config->memory_bytes = 64 << 20;
    config->accelerator = ACCELERATOR_TCG;
    config->guest_agent = true;
    config->vnc = true;
    return config;
}

void rig_break_start(struct rig *rig, struct machine_config *config)
{
    struct machine_disk *disk = &config->disks[config->disk_count++];

    snprintf(disk->name, sizeof disk->name, "root");
    disk->source.file_count = 1;
    disk->source.files[0].path = str_printf("%s/no-such-file", own_of(rig)->folder);
    disk->source.files[0].format = str_dup("qcow2");
}

void rig_end_process(struct rig *rig, const char *uid)
{
    struct machine_status status;

    rig->compute->ops->observe(rig->compute, uid, &status);
    CHECK(status.pid > 0);
    CHECK_EQ(kill(status.pid, SIGKILL), 0);
}

void rig_blank_disk(struct rig *rig, const char *name, struct machine_disk *ret_disk)
{
    auto_free char *path = str_printf("%s/%s.raw", own_of(rig)->folder, name);
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    CHECK_EQ(ftruncate(fd, 8 << 20), 0);
    *ret_disk = (struct machine_disk){ 0 };
    snprintf(ret_disk->name, sizeof ret_disk->name, "%s", name);
    ret_disk->source.file_count = 1;
    ret_disk->source.files[0].path = str_dup(path);
    ret_disk->source.files[0].format = str_dup("raw");
}

/* QMP, as docs/interop/qmp-spec.rst of QEMU has it: one text per line. */
void rig_await_shutdown(struct rig *rig, const char *uid)
{
    static const char questions[] = "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-status\"}\n";
    static const struct timeval patience = { .tv_sec = 60 };
    struct sockaddr_un where = { .sun_family = AF_UNIX };
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char said[64 * 1024];
    size_t size = 0;

    (void)snprintf(where.sun_path, sizeof where.sun_path, "%s/%s/monitor",
                   own_of(rig)->run_dir, uid);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
    CHECK_EQ(send(fd, questions, sizeof questions - 1, MSG_NOSIGNAL), sizeof questions - 1);
    do {
        ssize_t got = recv(fd, said + size, sizeof said - 1 - size, 0);

        CHECK(got > 0);
        size += (size_t)got;
        said[size] = '\0';
    } while (!strstr(said, "\"status\": \"shutdown\"") && !strstr(said, "\"event\": \"SHUTDOWN\""));
}
