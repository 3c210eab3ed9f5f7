/* drivers/compute/qemu/serial.c - the serial console, for any number of people at once.
 *
 *                                   +--> out --> viewer (one end of a socketpair)
 *   QEMU <--> one connection <--+---+--> out --> viewer
 *                ^              |   +--> scrollback (what a new viewer sees first)
 *                +-- to_guest <-+-- input of all viewers, merged
 *
 * QEMU's socket takes one client at a time, so the driver is that client. A guest that reads
 * slowly holds the viewers' input back; a viewer that reads slowly loses output and is told
 * how much. A UART sends byte by byte: after each read the output rests a moment, so that the
 * next one finds many. QEMU itself writes the log. */
#include "base/chain.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include "drivers/compute/qemu/sockets.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    VIEWERS_MAX = 16, /* per machine */
    SCROLLBACK_MAX = 16 * 1024,
    VIEWER_OUT_MAX = 64 * 1024, /* beside what the kernel buffers */
    TO_GUEST_MAX = 4096,
    CHUNK = 4096,
    CHUNKS_PER_TURN = 4,
    REST_MS = 5,
    RECONNECT_MS = 1000,
};

struct viewer {
    struct viewer *next, **link;
    struct qemu_serial *serial;
    int fd;
    struct loop_source *io;
    struct buf out;
    size_t lost; /* bytes that did not fit */
};

struct qemu_serial {
    struct qemu_machine *machine;
    int fd; /* -1: not connected */
    struct loop_source *io, *retry;
    struct loop_source *rest; /* not NULL: output waits a moment */
    struct buf scrollback, to_guest;
    struct viewer *viewers;
    unsigned viewer_count;
    size_t logged; /* size of the log, about */
};

static void connect_serial(struct qemu_serial *serial);

/* --- viewers --- */

static void viewer_close(struct viewer *viewer)
{
    chain_remove(viewer);
    viewer->serial->viewer_count--;
    loop_source_free(viewer->io);
    close(viewer->fd);
    buf_done(&viewer->out);
    free(viewer);
}

static unsigned viewer_events(const struct viewer *viewer)
{
    bool guest_takes = viewer->serial->to_guest.size < TO_GUEST_MAX;

    return (guest_takes ? LOOP_READ : 0) | (viewer->out.size ? LOOP_WRITE : 0);
}

static void viewers_wait(struct qemu_serial *serial)
{
    for (struct viewer *viewer = serial->viewers; viewer; viewer = viewer->next)
        loop_io_events(viewer->io, viewer_events(viewer));
}

/* False when the viewer is gone. */
static bool viewer_flush(struct viewer *viewer)
{
    while (viewer->out.size) {
        ssize_t sent =
            send(viewer->fd, viewer->out.bytes, viewer->out.size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (sent < 0)
            return false;
        buf_drop_front(&viewer->out, (size_t)sent);
    }
    if (!viewer->out.size && viewer->lost) {
        buf_printf(&viewer->out, "\r\n[%zu bytes lost: this console reads too slowly]\r\n",
                   viewer->lost);
        viewer->lost = 0;
        return viewer_flush(viewer);
    }
    return true;
}

static void viewer_show(struct viewer *viewer, const char *bytes, size_t size)
{
    size_t room = VIEWER_OUT_MAX - viewer->out.size;
    size_t taken = viewer->lost ? 0 : size < room ? size : room;

    buf_add(&viewer->out, bytes, taken);
    viewer->lost += size - taken;
}

static void wait_for_guest(struct qemu_serial *serial)
{
    if (serial->io)
        loop_io_events(serial->io,
                       (serial->rest ? 0 : LOOP_READ) | (serial->to_guest.size ? LOOP_WRITE : 0));
}

static void flush_to_guest(struct qemu_serial *serial)
{
    while (serial->to_guest.size && serial->fd >= 0) {
        ssize_t sent = send(serial->fd, serial->to_guest.bytes, serial->to_guest.size,
                            MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent <= 0)
            break; /* full, or gone: the reading side finds out */
        buf_drop_front(&serial->to_guest, (size_t)sent);
    }
    wait_for_guest(serial);
    viewers_wait(serial);
}

/* False when the viewer hung up. */
static bool viewer_read(struct viewer *viewer)
{
    struct qemu_serial *serial = viewer->serial;
    char bytes[TO_GUEST_MAX];
    size_t room = TO_GUEST_MAX - serial->to_guest.size;
    ssize_t size = room ? recv(viewer->fd, bytes, room, MSG_DONTWAIT) : 1;

    if (!room)
        return true;
    if (size < 0)
        return errno == EAGAIN || errno == EINTR;
    if (size == 0)
        return false;
    buf_add(&serial->to_guest, bytes, (size_t)size);
    return true;
}

static void on_viewer(void *arg, int fd, unsigned events)
{
    struct viewer *viewer = arg;
    struct qemu_serial *serial = viewer->serial;

    if (((events & LOOP_WRITE) && !viewer_flush(viewer)) ||
        ((events & LOOP_READ) && !viewer_read(viewer)))
        viewer_close(viewer);
    flush_to_guest(serial);
}

/* --- output of the guest --- */

static void keep_scrollback(struct qemu_serial *serial, const char *bytes, size_t size)
{
    if (size > SCROLLBACK_MAX) {
        bytes += size - SCROLLBACK_MAX;
        size = SCROLLBACK_MAX;
    }
    if (serial->scrollback.size + size > SCROLLBACK_MAX)
        buf_drop_front(&serial->scrollback, serial->scrollback.size + size - SCROLLBACK_MAX);
    buf_add(&serial->scrollback, bytes, size);
}

static void show_output(struct qemu_serial *serial, const char *bytes, size_t size)
{
    keep_scrollback(serial, bytes, size);
    for (struct viewer *viewer = serial->viewers, *next; viewer; viewer = next) {
        next = viewer->next;
        viewer_show(viewer, bytes, size);
        if (!viewer_flush(viewer))
            viewer_close(viewer);
    }
    serial->logged += size;
    if (serial->logged > SERIAL_LOG_SIZE_MAX) {
        serial->logged = SERIAL_LOG_SIZE_MAX / 2;
        qemu_logs_trim(serial->machine);
    }
}

static void disconnect(struct qemu_serial *serial)
{
    loop_source_free(serial->io);
    loop_source_free(serial->rest);
    serial->io = serial->rest = NULL;
    if (serial->fd >= 0)
        close(serial->fd);
    serial->fd = -1;
}

static void on_retry(void *arg)
{
    struct qemu_serial *serial = arg;

    loop_source_free(serial->retry);
    serial->retry = NULL;
    connect_serial(serial);
}

static void connect_later(struct qemu_serial *serial)
{
    disconnect(serial);
    if (!serial->retry)
        serial->retry =
            loop_timer(serial->machine->driver->setup.loop, RECONNECT_MS, on_retry, serial);
}

/* False when QEMU hung up. */
static bool read_output(struct qemu_serial *serial)
{
    char bytes[CHUNK];

    for (int i = 0; i < CHUNKS_PER_TURN; i++) {
        ssize_t size = recv(serial->fd, bytes, sizeof bytes, MSG_DONTWAIT);

        if (size < 0)
            return errno == EAGAIN || errno == EINTR;
        if (size == 0)
            return false;
        show_output(serial, bytes, (size_t)size);
    }
    return true;
}

static void on_rested(void *arg)
{
    struct qemu_serial *serial = arg;

    loop_source_free(serial->rest);
    serial->rest = NULL;
    wait_for_guest(serial);
}

static void on_serial(void *arg, int fd, unsigned events)
{
    struct qemu_serial *serial = arg;

    if ((events & LOOP_READ) && !read_output(serial)) {
        connect_later(serial);
        return;
    }
    if ((events & LOOP_READ) && !serial->rest)
        serial->rest = loop_timer(serial->machine->driver->setup.loop, REST_MS, on_rested, serial);
    flush_to_guest(serial);
}

static void connect_serial(struct qemu_serial *serial)
{
    struct err err;

    if (socket_connect(serial->machine->paths.run, "serial", &serial->fd, &err) < 0) {
        serial->fd = -1;
        connect_later(serial);
        return;
    }
    serial->io =
        loop_io(serial->machine->driver->setup.loop, serial->fd, LOOP_READ, on_serial, serial);
}

/* --- life --- */

/* What was said before this daemon came. */
static void read_log(struct qemu_serial *serial)
{
    auto_free char *path = str_printf("%s/serial.log", serial->machine->paths.logs);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    char bytes[SCROLLBACK_MAX];
    struct stat status;
    ssize_t size;

    if (fd < 0 || fstat(fd, &status) < 0)
        return;
    serial->logged = (size_t)status.st_size;
    size = pread(fd, bytes, sizeof bytes,
                 status.st_size > SCROLLBACK_MAX ? status.st_size - SCROLLBACK_MAX : 0);
    if (size > 0)
        buf_add(&serial->scrollback, bytes, (size_t)size);
}

void qemu_serial_start(struct qemu_machine *machine)
{
    struct qemu_serial *serial;

    if (machine->serial)
        return;
    serial = mem_new(struct qemu_serial);
    serial->machine = machine;
    serial->fd = -1;
    machine->serial = serial;
    read_log(serial);
    if (serial->logged > SERIAL_LOG_SIZE_MAX)
        qemu_logs_trim(machine);
    connect_serial(serial);
}

void qemu_serial_stop(struct qemu_machine *machine)
{
    struct qemu_serial *serial = machine->serial;

    if (!serial)
        return;
    if (serial->fd >= 0)
        (void)read_output(serial); /* its last words */
    while (serial->viewers)
        viewer_close(serial->viewers);
    disconnect(serial);
    loop_source_free(serial->retry);
    buf_done(&serial->scrollback);
    buf_done(&serial->to_guest);
    free(serial);
    machine->serial = NULL;
}

static int viewer_new(struct qemu_serial *serial, int *ret_fd, struct err *err)
{
    struct viewer *viewer;
    int ends[2];

    if (serial->viewer_count == VIEWERS_MAX)
        return err_set(err, ERR_EXHAUSTED, "%d consoles are open already", VIEWERS_MAX);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return err_errno(err, "socketpair");
    viewer = mem_new(struct viewer);
    viewer->serial = serial;
    viewer->fd = ends[0];
    chain_add(&serial->viewers, viewer);
    serial->viewer_count++;
    buf_add(&viewer->out, serial->scrollback.bytes, serial->scrollback.size);
    viewer->io = loop_io(serial->machine->driver->setup.loop, viewer->fd,
                         viewer_events(viewer) | LOOP_WRITE, on_viewer, viewer);
    *ret_fd = ends[1];
    return 0;
}

void qemu_console_open(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_fd(driver, fn, arg);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);
    int fd = -1;

    if (!machine || viewer_new(machine->serial, &fd, &err) < 0)
        qemu_call_end_later(call, &err);
    else
        qemu_call_end_fd_later(call, fd);
}
