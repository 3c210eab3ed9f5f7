/* tests/bench/bench_http.c - when do guests serve HTTP?
 *
 *   bench_http NETNS ADDRESS...
 *
 * Asks port 80 of each ADDRESS (IPv4) for "/" inside the network namespace NETNS (a path; "-": this
 * one), over and over with a new connection each 5 ms, until it answers "HTTP/1.x 200". Prints
 * "ready", and then for each address one line "ADDRESS SECONDS", the wall clock at its answer.
 * Gives up after two minutes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    GUESTS_MAX = 64,
    PERIOD_MS = 5,
    TRY_MS = 200, /* after which a connection is given up: a SYN that was lost comes again late */
    ROUNDS_MAX = 120 * 1000 / PERIOD_MS
};

struct guest {
    const char *text;
    struct sockaddr_in address;
    int fd; /* of the newest try, -1: none */
    unsigned age_ms;
    bool has_asked, has_answered;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void drop(struct guest *guest)
{
    close(guest->fd);
    guest->fd = -1;
}

static void begin(struct guest *guest)
{
    guest->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    guest->age_ms = 0;
    guest->has_asked = false;
    if (guest->fd < 0)
        fail("socket");
    if (connect(guest->fd, (struct sockaddr *)&guest->address, sizeof guest->address) < 0 &&
        errno != EINPROGRESS)
        drop(guest);
}

static void ask(struct guest *guest)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";

    if (send(guest->fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
        drop(guest);
    guest->has_asked = true;
}

static void hear(struct guest *guest)
{
    char bytes[64] = "";
    ssize_t size = recv(guest->fd, bytes, sizeof bytes - 1, 0);
    struct timespec now;

    drop(guest);
    if (size < 12 || strncmp(bytes, "HTTP/1.", 7) != 0 || strncmp(bytes + 8, " 200", 4) != 0)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("%s %lld.%06ld\n", guest->text, (long long)now.tv_sec, now.tv_nsec / 1000);
    fflush(stdout);
    guest->has_answered = true;
}

static void look(struct guest *guest, short events)
{
    if (events & (POLLERR | POLLHUP) && !(events & POLLIN))
        drop(guest);
    else if (events & POLLIN)
        hear(guest);
    else if (events & POLLOUT && !guest->has_asked)
        ask(guest);
    else if ((guest->age_ms += PERIOD_MS) >= TRY_MS && !guest->has_asked)
        drop(guest);
}

static unsigned one_round(struct guest *guests, unsigned count)
{
    struct pollfd pollers[GUESTS_MAX];
    unsigned left = 0;

    for (unsigned i = 0; i < count; i++) {
        if (!guests[i].has_answered && guests[i].fd < 0)
            begin(&guests[i]);
        pollers[i] = (struct pollfd){
            .fd = guests[i].fd, .events = guests[i].has_asked ? POLLIN : POLLOUT
        };
    }
    (void)poll(pollers, count, 0);
    for (unsigned i = 0; i < count; i++) {
        if (!guests[i].has_answered && guests[i].fd >= 0)
            look(&guests[i], pollers[i].revents);
        left += !guests[i].has_answered;
    }
    return left;
}

static void enter(const char *netns)
{
    int fd;

    if (strcmp(netns, "-") == 0)
        return;
    fd = open(netns, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        fail(netns);
    close(fd);
}

int main(int argc, char **argv)
{
    static struct guest guests[GUESTS_MAX];
    const struct timespec period = { .tv_nsec = PERIOD_MS * 1000 * 1000 };
    unsigned count = (unsigned)argc - 2;

    if (argc < 3 || count > GUESTS_MAX) {
        fprintf(stderr, "usage: bench_http NETNS ADDRESS...\n");
        return 2;
    }
    enter(argv[1]);
    for (unsigned i = 0; i < count; i++) {
        guests[i] = (struct guest){ .text = argv[i + 2], .fd = -1 };
        guests[i].address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(80) };
        if (inet_pton(AF_INET, argv[i + 2], &guests[i].address.sin_addr) != 1)
            fail(argv[i + 2]);
    }
    printf("ready\n");
    fflush(stdout);
    for (int i = 0; i < ROUNDS_MAX && one_round(guests, count) > 0; i++)
        nanosleep(&period, NULL);
    for (unsigned i = 0; i < count; i++)
        if (!guests[i].has_answered)
            return 1;
    return 0;
}
