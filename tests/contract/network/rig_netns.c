/* tests/contract/network/rig_netns.c - the contract suite on the real driver: as root, with a
 * network namespace of the test's own for the host's. */
#include "base/files.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/str.h"
#include "drivers/network/netns/namespaces.h"
#include "drivers/network/netns/netlink.h"
#include "leftovers.h"
#include "rig.h"
#include "scratch.h"
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

struct own {
    char *folder, *state_dir, *run_dir;
    int listener;
};

/* Waits for 'pid' and all that become our children meanwhile; exits as it did. */
_Noreturn static void follow(pid_t pid)
{
    int status;
    pid_t ended;

    while ((ended = wait(&status)) != pid)
        if (ended < 0 && errno != EINTR)
            _exit(70);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void fork_and_follow(void)
{
    pid_t pid = fork();

    if (pid < 0)
        _exit(70);
    if (pid > 0)
        follow(pid);
}

/* A world of processes and mounts that ends with the test: a failed one leaves no dnsmasq and no
 * mount behind. Its first process only reaps. */
static void enter_own_world(void)
{
    if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0)
        _exit(70);
    fork_and_follow();
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("proc", "/proc", "proc", 0, NULL) < 0)
        _exit(70);
    fork_and_follow();
}

__attribute__((constructor)) static void begin_as_root(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "network namespaces need root: skipped\n");
        exit(77);
    }
    enter_own_world();
}

static struct own *own_new(void)
{
    struct own *own = mem_new(struct own);
    char *folder = scratch_new();

    CHECK_EQ(chmod(folder, 0755), 0);
    own->folder = folder;
    own->state_dir = str_printf("%s/state", folder);
    own->run_dir = str_printf("%s/run", folder);
    own->listener = -1;
    CHECK_EQ(mkdir(own->state_dir, 0700), 0); /* root's alone */
    return own;
}

static void open_driver(struct rig *rig)
{
    struct err err;

    rig->network = network_netns.open(&rig->setup, &err);
    if (!rig->network)
        check_fail(CHECK_HERE, "%s", err.text);
}

void rig_open(struct rig *rig)
{
    struct own *own = own_new();
    struct err err;

    CHECK_EQ(unshare(CLONE_NEWNET), 0);
    *rig = (struct rig){ .loop = loop_new(&err), .own = own };
    rig->setup = (struct network_setup){ .loop = rig->loop,
                                         .workers = worker_pool_new(rig->loop, 2),
                                         .state_dir = own->state_dir,
                                         .run_dir = own->run_dir,
                                         .prefix = "vt",
                                         .changed = rig_changed,
                                         .arg = rig };
    open_driver(rig);
}

void rig_close(struct rig *rig)
{
    struct own *own = rig->own;

    check_nothing_left(own->run_dir, own->state_dir, "vt");
    rig->network->ops->close(rig->network);
    worker_pool_free(rig->setup.workers);
    loop_free(rig->loop);
    if (own->listener >= 0)
        close(own->listener);
    scratch_remove(own->folder);
    free(own->state_dir);
    free(own->run_dir);
    free(own);
}

void rig_reopen(struct rig *rig)
{
    rig->network->ops->close(rig->network);
    open_driver(rig);
}

static struct namespace_visit enter(struct rig *rig, const char *uid)
{
    struct own *own = rig->own;
    auto_free char *path = str_printf("%s/%s/netns", own->run_dir, uid);
    struct namespace_visit visit;
    struct err err;
    int fd;

    CHECK_OK(namespace_open(path, &fd, &err), &err);
    CHECK_OK(namespace_enter(fd, &visit, &err), &err);
    close(fd);
    return visit;
}

void rig_break(struct rig *rig, const char *uid)
{
    struct namespace_visit visit = enter(rig, uid);
    struct netlink netlink;
    struct link bridge;
    struct err err;

    CHECK_OK(netlink_open(&netlink, &err), &err);
    CHECK_OK(link_find(&netlink, "br0", &bridge, &err), &err);
    CHECK_OK(link_remove(&netlink, bridge.index, &err), &err);
    netlink_close(&netlink);
    namespace_leave(&visit);
}

void rig_kill_dhcp(struct rig *rig, const char *uid)
{
    struct own *own = rig->own;
    auto_free char *path = str_printf("%s/%s/dnsmasq.pid", own->run_dir, uid);
    auto_buf struct buf text = { 0 };
    struct err err;

    CHECK_OK(file_read(path, 64, &text, &err), &err);
    CHECK_EQ(kill((pid_t)atoi(text.bytes), SIGKILL), 0);
}

void rig_listen(struct rig *rig, const char *uid, const struct ip_addr *addr, uint16_t *ret_port)
{
    struct own *own = rig->own;
    struct namespace_visit visit = enter(rig, uid);
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof at;

    memcpy(&at.sin_addr, addr->octet, 4);
    own->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(own->listener, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_EQ(listen(own->listener, 1), 0);
    CHECK_EQ(getsockname(own->listener, (struct sockaddr *)&at, &size), 0);
    *ret_port = ntohs(at.sin_port);
    namespace_leave(&visit);
}
