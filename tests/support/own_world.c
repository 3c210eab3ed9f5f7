#include "own_world.h"
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT = 70, SKIPPED = 77 };

/* Waits for 'pid' and all that become our children meanwhile; exits as it did. */
_Noreturn static void follow(pid_t pid)
{
    int status;
    pid_t ended;

    while ((ended = wait(&status)) != pid)
        if (ended < 0 && errno != EINTR)
            _exit(CANNOT);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void fork_and_follow(void)
{
    pid_t pid = fork();

    if (pid < 0)
        _exit(CANNOT);
    if (pid > 0)
        follow(pid);
    /* Who ends the outermost process, a test runner whose patience is over, ends all of it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        _exit(CANNOT);
}

static void raise_loopback(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        _exit(CANNOT);
    close(fd);
}

__attribute__((constructor)) static void enter(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "namespaces need root: skipped\n");
        exit(SKIPPED);
    }
    if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET) < 0)
        _exit(CANNOT);
    fork_and_follow();
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("proc", "/proc", "proc", 0, NULL) < 0)
        _exit(CANNOT);
    raise_loopback();
    fork_and_follow();
}
