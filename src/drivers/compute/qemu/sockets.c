/* drivers/compute/qemu/sockets.c - unix sockets by way of their folder's descriptor. */
#include "drivers/compute/qemu/sockets.h"
#include "base/auto.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4 };

/* A socket's path has room for 107 characters only; /proc/self/fd/N is always short. */
static int address_of(const char *directory, const char *name, int *ret_directory_fd,
                      struct sockaddr_un *ret_address, struct err *err)
{
    int length;

    *ret_directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_directory_fd < 0)
        return err_errno(err, "open %s", directory);
    *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    length = snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "/proc/self/fd/%d/%s",
                      *ret_directory_fd, name);
    if (length < 0 || (size_t)length >= sizeof ret_address->sun_path)
        return err_set(err, ERR_INVALID, "the socket name %s is too long", name);
    return 0;
}

int socket_listen(const char *directory, const char *name, int *ret_fd, struct err *err)
{
    auto_close int directory_fd = -1;
    auto_close int fd = -1;
    struct sockaddr_un address;

    if (address_of(directory, name, &directory_fd, &address, err) < 0)
        return -1;
    (void)unlinkat(directory_fd, name, 0); /* mostly absent */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "socket");
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return err_errno(err, "bind %s/%s", directory, name);
    if (fchmodat(directory_fd, name, 0600, 0) < 0)
        return err_errno(err, "chmod %s/%s", directory, name);
    if (listen(fd, BACKLOG) < 0)
        return err_errno(err, "listen on %s/%s", directory, name);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int socket_connect(const char *directory, const char *name, int *ret_fd, struct err *err)
{
    auto_close int directory_fd = -1;
    auto_close int fd = -1;
    struct sockaddr_un address;

    if (address_of(directory, name, &directory_fd, &address, err) < 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, "socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return err_errno(err, "connect to %s/%s", directory, name);
    *ret_fd = fd;
    fd = -1;
    return 0;
}
