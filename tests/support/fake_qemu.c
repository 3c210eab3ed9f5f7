/* tests/support/fake_qemu.c - a QEMU that is only its monitor. */
#include "fake_qemu.h"
#include "base/map.h"
#include "base/mem.h"
#include "check.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char greeting[] =
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "
    "\"package\": \"Debian\"}, \"capabilities\": [\"oob\"]}}\r\n";

struct fake_qemu {
    int fd;
    int last_fd;
    struct loop_source *io;
    struct qmp_schema *schema;
    struct map *answers; /* command: "return..." or "error..." text, or NULL */
    struct buf in, seen, complaints;
};

static void send_text(struct fake_qemu *qemu, const char *text)
{
    /* A monitor that hung up is what some tests are about. */
    (void)send(qemu->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void fake_qemu_write(struct fake_qemu *qemu, const char *bytes) { send_text(qemu, bytes); }

static void reply(struct fake_qemu *qemu, const char *what, json_int_t id)
{
    auto_free char *text = str_printf("{%s, \"id\": %lld}\r\n", what, (long long)id);

    send_text(qemu, text);
}

static void refuse(struct fake_qemu *qemu, json_int_t id, const struct err *err)
{
    auto_free char *what =
        str_printf("\"error\": {\"class\": \"%s\", \"desc\": \"%s\"}",
                   err->code == ERR_UNSUPPORTED ? "CommandNotFound" : "GenericError", err->text);

    buf_printf(&qemu->complaints, "%s\n", err->text);
    reply(qemu, what, id);
}

static void got_command(struct fake_qemu *qemu, const json_t *object)
{
    const char *command = json_text_at(object, "execute", "");
    const json_t *arguments = json_object_get(object, "arguments");
    json_int_t id = json_int_at(object, "id", -1);
    auto_free char *text = arguments ? json_text(arguments) : str_dup("");
    struct err err;

    buf_printf(&qemu->seen, "%s%s%s%s\n", command, *text ? " " : "", text,
               qemu->last_fd >= 0 && (str_equal(command, "add-fd") || str_equal(command, "getfd"))
                   ? " +fd"
                   : "");
    if (qmp_schema_check(qemu->schema, command, arguments, &err) < 0)
        refuse(qemu, id, &err);
    else if (!map_has(qemu->answers, command))
        reply(qemu, "\"return\": {}", id);
    else if (map_get(qemu->answers, command))
        reply(qemu, map_get(qemu->answers, command), id);
}

static void take_descriptor(struct fake_qemu *qemu, struct msghdr *message)
{
    struct cmsghdr *control = CMSG_FIRSTHDR(message);

    if (!control || control->cmsg_type != SCM_RIGHTS)
        return;
    if (qemu->last_fd >= 0)
        close(qemu->last_fd);
    memcpy(&qemu->last_fd, CMSG_DATA(control), sizeof(int));
}

static void on_input(void *arg, int fd, unsigned events)
{
    struct fake_qemu *qemu = arg;
    char bytes[4096], control[CMSG_SPACE(sizeof(int))];
    struct iovec part = { bytes, sizeof bytes };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    char *end;

    if (size <= 0) {
        loop_io_events(qemu->io, 0);
        return;
    }
    take_descriptor(qemu, &message);
    buf_add(&qemu->in, bytes, (size_t)size);
    while (qemu->in.size && (end = memchr(qemu->in.bytes, '\n', qemu->in.size))) {
        size_t length = (size_t)(end - qemu->in.bytes);
        struct err err;
        auto_json json_t *object = json_parse(qemu->in.bytes, length, &err);

        CHECK(object);
        got_command(qemu, object);
        buf_drop_front(&qemu->in, length + 1);
    }
}

struct fake_qemu *fake_qemu_new(struct loop *loop, int *ret_fd)
{
    struct fake_qemu *qemu = mem_new(struct fake_qemu);
    int ends[2];

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    qemu->fd = ends[0];
    qemu->last_fd = -1;
    qemu->schema = qmp_schema_load_chosen();
    qemu->answers = map_new(free);
    qemu->io = loop_io(loop, qemu->fd, LOOP_READ, on_input, qemu);
    buf_add_text(&qemu->seen, "");
    send_text(qemu, greeting);
    *ret_fd = ends[1];
    return qemu;
}

void fake_qemu_free(struct fake_qemu *qemu)
{
    if (!qemu)
        return;
    loop_source_free(qemu->io);
    close(qemu->fd);
    if (qemu->last_fd >= 0)
        close(qemu->last_fd);
    qmp_schema_free(qemu->schema);
    map_free(qemu->answers);
    buf_done(&qemu->in);
    buf_done(&qemu->seen);
    buf_done(&qemu->complaints);
    free(qemu);
}

void fake_qemu_answer(struct fake_qemu *qemu, const char *command, const char *result)
{
    map_set(qemu->answers, command, str_printf("\"return\": %s", result));
}

void fake_qemu_refuse(struct fake_qemu *qemu, const char *command, const char *class_name,
                      const char *text)
{
    map_set(qemu->answers, command,
            str_printf("\"error\": {\"class\": \"%s\", \"desc\": \"%s\"}", class_name, text));
}

void fake_qemu_ignore(struct fake_qemu *qemu, const char *command)
{
    map_set(qemu->answers, command, NULL);
}

void fake_qemu_event(struct fake_qemu *qemu, const char *event, const char *data)
{
    auto_free char *text = str_printf(
        "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"%s\"%s%s}\r\n", event,
        data ? ", \"data\": " : "", data ? data : "");

    CHECK(qmp_schema_has_event(qemu->schema, event));
    send_text(qemu, text);
}

const char *fake_qemu_seen(const struct fake_qemu *qemu)
{
    return qemu->seen.bytes ? qemu->seen.bytes : "";
}

void fake_qemu_forget(struct fake_qemu *qemu) { buf_clear(&qemu->seen); }

const char *fake_qemu_complaints(const struct fake_qemu *qemu)
{
    return qemu->complaints.bytes ? qemu->complaints.bytes : "";
}

int fake_qemu_last_fd(const struct fake_qemu *qemu) { return qemu->last_fd; }
