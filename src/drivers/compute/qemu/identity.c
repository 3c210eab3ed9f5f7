/* drivers/compute/qemu/identity.c - the port on which the guest of a fork is told who it is.
 *
 * It is held open as long as the machine is up. Nothing is read but the answer to what was told; what a
 * guest says unasked stays in the socket's bounded buffer. */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include "drivers/compute/qemu/sockets.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_SIZE = 80, ANSWER_MS = 20 * 1000, CHUNK = 4096, CHUNKS_MAX = 64 };

struct qemu_identity {
    struct qemu_machine *machine;
    int fd;                 /* -1: not connected */
    struct qemu_call *call; /* NULL: nothing was told that is not answered */
    struct loop_source *io, *timer;
    char answer[ANSWER_SIZE];
    size_t size;
};

static void end_call(struct qemu_identity *identity, const struct err *err)
{
    struct qemu_call *call = identity->call;

    loop_source_free(take_pointer(identity->io));
    loop_source_free(take_pointer(identity->timer));
    identity->call = NULL;
    if (call)
        qemu_call_end(call, err);
}

static void disconnect(struct qemu_identity *identity)
{
    /* Before it is closed: a child process that is just being started has it open, too. */
    loop_source_free(take_pointer(identity->io));
    if (identity->fd >= 0)
        close(identity->fd);
    identity->fd = -1;
}

static int connect_port(struct qemu_identity *identity, struct err *err)
{
    return identity->fd >= 0 ? 0 : socket_connect(identity->machine->paths.run, "identity", &identity->fd, err);
}

/* --- the answer --- */

static void on_late(void *arg)
{
    struct err err;

    (void)err_set(&err, ERR_TIMEOUT, "the guest did not take its identity within %d s", ANSWER_MS / 1000);
    end_call(arg, &err);
}

static void take_answer(struct qemu_identity *identity)
{
    char *end = strchr(identity->answer, '\n');
    struct err err;

    if (!end && identity->size < ANSWER_SIZE - 1)
        return;
    if (end)
        *end = '\0';
    for (char *each = identity->answer; *each; each++)
        if (*each < ' ' || *each > '~')
            *each = '?';
    (void)err_set(&err, ERR_INTERNAL, "the guest took no identity of its own: %s", identity->answer);
    end_call(identity, str_equal(identity->answer, "ok") ? NULL : &err);
}

static void on_readable(void *arg, int fd, unsigned events)
{
    struct qemu_identity *identity = arg;
    ssize_t got = recv(fd, identity->answer + identity->size, ANSWER_SIZE - 1 - identity->size, MSG_DONTWAIT);
    struct err err;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        disconnect(identity);
        (void)err_set(&err, ERR_UNAVAILABLE, "the port for the guest's identity was closed");
        end_call(identity, &err);
        return;
    }
    identity->size += (size_t)got;
    identity->answer[identity->size] = '\0';
    take_answer(identity);
}

/* --- telling --- */

/* False: QEMU hung up. */
static bool drain(struct qemu_identity *identity)
{
    char bytes[CHUNK];
    ssize_t got = 1;

    for (int i = 0; got > 0 && i < CHUNKS_MAX; i++)
        got = recv(identity->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return got != 0;
}

static int tell(struct qemu_identity *identity, const void *bytes, size_t size, struct err *err)
{
    if (identity->fd >= 0 && !drain(identity))
        disconnect(identity);
    if (connect_port(identity, err) < 0)
        return -1;
    if (send(identity->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size)
        return 0;
    disconnect(identity); /* what went out is no whole message */
    return err_set(err, ERR_UNAVAILABLE, "the guest does not read who it is");
}

void qemu_identify(struct compute *compute, const char *uid, const void *bytes, size_t size, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct loop *loop = driver->setup.loop;
    struct qemu_call *call = qemu_call_done(driver, done);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);
    struct qemu_identity *identity = machine ? machine->identity : NULL;

    if (machine && !identity)
        (void)err_set(&err, ERR_CONFLICT, "the machine has no guest agent");
    else if (identity && identity->call)
        (void)err_set(&err, ERR_CONFLICT, "the machine is being told who it is");
    else if (identity && tell(identity, bytes, size, &err) == 0) {
        identity->call = call;
        identity->size = 0;
        identity->io = loop_io(loop, identity->fd, LOOP_READ, on_readable, identity);
        identity->timer = loop_timer(loop, ANSWER_MS, on_late, identity);
        return;
    }
    qemu_call_end_later(call, &err);
}

/* --- life --- */

void qemu_identity_start(struct qemu_machine *machine)
{
    struct err err;

    if (!machine->config->guest_agent)
        return;
    if (!machine->identity) {
        machine->identity = mem_new(struct qemu_identity);
        *machine->identity = (struct qemu_identity){ .machine = machine, .fd = -1 };
    }
    (void)connect_port(machine->identity, &err); /* an older daemon's machine has none; telling says so */
}

void qemu_identity_stop(struct qemu_machine *machine, const struct err *why)
{
    struct qemu_identity *identity = machine->identity;

    if (!identity)
        return;
    machine->identity = NULL;
    disconnect(identity);
    end_call(identity, why);
    free(identity);
}
