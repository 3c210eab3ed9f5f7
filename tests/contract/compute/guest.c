/* tests/contract/compute/guest.c - a rig of the QEMU driver with a micro guest, in a network
 * namespace and a mount namespace of its own. */
#include "guest.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

const char *uid = "55555555-5555-4555-8555-555555555555"; /* whom the tests talk to */

struct rig rig;
const char *bundle;
char space[] = "/tmp/virga-space-XXXXXX"; /* a small file system */

__attribute__((constructor)) static void begin_program(void)
{
    bundle = getenv("VIRGA_MICRO");
    if (str_is_empty(bundle)) {
        fprintf(stderr, "VIRGA_MICRO is not set: skipped\n");
        exit(77);
    }
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(space) ||
        mount("tmpfs", space, "tmpfs", 0, "size=24m") < 0) {
        perror("namespaces");
        exit(1);
    }
}

__attribute__((destructor)) static void end_program(void)
{
    umount2(space, MNT_DETACH);
    rmdir(space);
}

/* --- the guest --- */

int open_tap(void)
{
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK_EQ(ioctl(fd, TUNSETIFF, &request), 0);
    return fd;
}

static json_t *read_manifest(void)
{
    auto_free char *path = str_printf("%s/image.json", bundle);
    auto_buf struct buf text = { 0 };
    struct err err;

    CHECK_OK(file_read(path, 64 * 1024, &text, &err), &err);
    return json_parse(text.bytes, text.size, &err);
}

void run(const char *command)
{
    if (system(command) != 0)
        check_fail(CHECK_HERE, "%s", command);
}

/* A child of the bundle's disk in 'folder'. */
static void root_disk(struct machine_disk *disk, const char *folder)
{
    auto_free char *command = str_printf(
        "qemu-img create -q -f qcow2 -F qcow2 -b %s/disk.qcow2 %s/root.qcow2", bundle, folder);

    run(command);
    snprintf(disk->name, sizeof disk->name, "root");
    disk->source.file_count = 2;
    disk->source.files[0].path = str_printf("%s/root.qcow2", folder);
    disk->source.files[0].format = str_dup("qcow2");
    disk->source.files[1].path = str_printf("%s/disk.qcow2", bundle);
    disk->source.files[1].format = str_dup("qcow2");
}

struct machine_config *micro(void)
{
    struct machine_config *config = rig_config(&rig, uid);
    auto_json json_t *manifest = read_manifest();

    config->memory_bytes = 128 << 20;
    config->kernel = str_printf("%s/vmlinuz", bundle);
    config->initrd = str_printf("%s/initrd", bundle);
    config->command_line = str_dup(json_text_at(manifest, "boot.commandLine", ""));
    root_disk(&config->disks[config->disk_count++], space);
    snprintf(config->nics[0].name, DEVICE_NAME_SIZE, "lan");
    config->nics[0].mac = (struct mac_addr){ { 0x52, 0x54, 0, 0, 0, 1 } };
    config->nic_count = 1;
    return config;
}

void make_fork(struct machine_config *config, const char *fork_uid, const char *frozen)
{
    auto_free char *command = str_printf("cp %s/root.qcow2 %s/fork.qcow2", space, space);

    run(command);
    free(config->uid);
    config->uid = str_dup(fork_uid);
    config->frozen = str_dup(frozen);
    free(config->disks[0].source.files[0].path);
    config->disks[0].source.files[0].path = str_printf("%s/fork.qcow2", space);
    config->nics[0].mac.octet[5] = 2;
}

bool agent_is_connected(void)
{
    struct machine_status status;

    rig.compute->ops->observe(rig.compute, uid, &status);
    return status.agent_connected;
}

static void stop_loop(void *arg) { loop_stop(arg); }

void turn_for(int64_t ms)
{
    auto_clean(loop_source_free_auto) struct loop_source *tick =
        loop_timer(rig.loop, ms, stop_loop, rig.loop);
    struct err err;

    CHECK_OK(loop_run(rig.loop, &err), &err);
}

/* Runs the loop until 'holds', at most a minute. */
void wait_until(bool (*holds)(void), const char *what)
{
    for (int i = 0; i < 3000; i++) {
        if (holds())
            return;
        turn_for(20);
    }
    check_fail(CHECK_HERE, "never: %s", what);
}

void begin_with(void (*change)(struct machine_config *config))
{
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;
    int tap;

    rig_open(&rig);
    config = micro();
    if (change)
        change(config);
    tap = open_tap();
    RIG_OK(&rig, start, config, &tap);
    wait_until(agent_is_connected, "the agent connects");
}

void begin(void) { begin_with(NULL); }

void end(void)
{
    RIG_OK(&rig, kill, uid);
    RIG_OK(&rig, release, uid);
    rig_close(&rig);
}

json_t *ask_agent(const char *command, json_t *take_arguments, enum err_code wanted)
{
    auto_json json_t *arguments = take_arguments;
    struct wait wait;

    (void)wait_done(&rig, &wait);
    rig.compute->ops->agent(rig.compute, uid, command, arguments, 20000, wait_json, &wait);
    rig_wait(&rig, &wait);
    if (wait.err.code != wanted)
        check_fail(CHECK_HERE, "%s: %s", command, wait.err.text);
    return wait.result;
}

static int64_t exec_pid;
static json_t *exec_status;

static bool has_exited(void)
{
    json_decref(exec_status);
    exec_status =
        ask_agent("guest-exec-status", json_pack("{sI}", "pid", (json_int_t)exec_pid), ERR_NONE);
    return json_bool_at(exec_status, "exited", false);
}

/* Runs a shell command in the guest; its output in base64. Owned by the caller. */
char *in_guest(const char *script)
{
    auto_json json_t *begun = ask_agent(
        "guest-exec",
        json_pack("{ss,s[ss],sb}", "path", "/bin/sh", "arg", "-c", script, "capture-output", 1),
        ERR_NONE);
    char *output;

    exec_pid = json_int_at(begun, "pid", -1);
    CHECK(exec_pid > 0);
    wait_until(has_exited, script);
    output = str_dup(json_text_at(exec_status, "out-data", ""));
    json_decref(exec_status);
    exec_status = NULL;
    return output;
}

void expect_in_guest(const char *script, const char *wanted_base64)
{
    auto_free char *output = in_guest(script);

    CHECK_STR(output, wanted_base64);
}

bool guest_says_yes(const char *script)
{
    auto_free char *output = in_guest(script);

    return str_equal(output, "eWVzCg=="); /* "yes\n" */
}

struct machine_status observe(void)
{
    struct machine_status status;

    rig.compute->ops->observe(rig.compute, uid, &status);
    return status;
}
