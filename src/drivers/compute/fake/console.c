/* drivers/compute/fake/console.c - the serial lines of the fake: they greet, and say again
 * what they hear. */
#include "base/mem.h"
#include "drivers/compute/fake/world.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_console {
    struct fake_console *next, **link;
    int fd;
    struct loop_source *io;
};

static void console_close(struct fake_console *console)
{
    *console->link = console->next;
    if (console->next)
        console->next->link = console->link;
    loop_source_free(console->io);
    close(console->fd);
    free(console);
}

static void on_input(void *arg, int fd, unsigned events)
{
    struct fake_console *console = arg;
    char bytes[512];
    ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (size > 0)
        (void)send(fd, bytes, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL); /* a slow reader loses */
    else if (size == 0 || errno != EAGAIN)
        console_close(console);
}

int fake_console_open(struct fake_driver *driver, const char *greeting, struct err *err)
{
    struct fake_console *console;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return err_errno(err, "socketpair");
    (void)send(ends[0], greeting, strlen(greeting), MSG_DONTWAIT | MSG_NOSIGNAL);
    console = mem_new(struct fake_console);
    console->fd = ends[0];
    console->io = loop_io(driver->setup.loop, ends[0], LOOP_READ, on_input, console);
    console->next = driver->consoles;
    console->link = &driver->consoles;
    if (console->next)
        console->next->link = &console->next;
    driver->consoles = console;
    return ends[1];
}

void fake_consoles_close(struct fake_driver *driver)
{
    while (driver->consoles)
        console_close(driver->consoles);
}
