/* drivers/compute/qemu/qmp.c - the QEMU Monitor Protocol, bytes in and messages out. */
#include "drivers/compute/qemu/qmp.h"
#include <stdio.h>
#include <string.h>

enum { ID_NEGOTIATE = 1, ID_FIRST = 2, TEXT_OF_PEER_MAX = 300, IDLE_CAPACITY_MAX = 64 * 1024 };

void qmp_init(struct qmp *qmp)
{
    *qmp = (struct qmp){ .next_id = ID_FIRST, .in.size_max = QMP_LINE_SIZE_MAX };
}

void qmp_done(struct qmp *qmp)
{
    buf_done(&qmp->in);
    buf_done(&qmp->out);
}

void qmp_message_done(struct qmp_message *message)
{
    json_decref(message->result);
    json_decref(message->data);
    *message = (struct qmp_message){ 0 };
}

static void break_off(struct qmp *qmp, const char *why)
{
    qmp->state = QMP_BROKEN;
    (void)err_set(&qmp->err, ERR_IO, "the monitor speaks no QMP: %s", why);
}

/* --- commands --- */

static void write_command(struct qmp *qmp, const char *command, const json_t *arguments,
                          uint64_t id)
{
    auto_json json_t *object = json_object();

    json_object_set_new(object, "execute", json_string(command));
    if (arguments)
        json_object_set(object, "arguments", (json_t *)arguments);
    json_object_set_new(object, "id", json_integer((json_int_t)id));
    json_write(object, &qmp->out);
    buf_add_char(&qmp->out, '\n');
}

int qmp_command(struct qmp *qmp, const char *command, const json_t *arguments, uint64_t *ret_id,
                struct err *err)
{
    if (qmp->state != QMP_READY)
        return err_set(err, ERR_UNAVAILABLE, "the monitor is not ready");
    if (qmp->pending_count == QMP_PENDING_MAX)
        return err_set(err, ERR_EXHAUSTED, "%d commands wait for the monitor", QMP_PENDING_MAX);
    *ret_id = qmp->next_id++;
    qmp->pending[qmp->pending_count++] = *ret_id;
    write_command(qmp, command, arguments, *ret_id);
    return 0;
}

/* False when no command of that id is waiting. */
static bool take_pending(struct qmp *qmp, uint64_t id)
{
    for (unsigned i = 0; i < qmp->pending_count; i++) {
        if (qmp->pending[i] != id)
            continue;
        qmp->pending[i] = qmp->pending[--qmp->pending_count];
        return true;
    }
    return false;
}

/* --- messages --- */

static void copy_version(struct qmp *qmp, const json_t *qemu)
{
    snprintf(qmp->version, sizeof qmp->version, "%d.%d.%d", (int)json_int_at(qemu, "major", 0),
             (int)json_int_at(qemu, "minor", 0), (int)json_int_at(qemu, "micro", 0));
}

static void greet(struct qmp *qmp, const json_t *object)
{
    const json_t *greeting = json_object_get(object, "QMP");

    if (!json_is_object(greeting)) {
        break_off(qmp, "no greeting");
        return;
    }
    copy_version(qmp, json_at(greeting, "version.qemu"));
    write_command(qmp, "qmp_capabilities", NULL, ID_NEGOTIATE);
    qmp->state = QMP_NEGOTIATING;
}

/* Control characters of a guest-driven process have no business in our messages. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 127)
            *text = ' ';
    }
}

static enum err_code code_of_class(const char *class_name)
{
    if (str_equal(class_name, "CommandNotFound"))
        return ERR_UNSUPPORTED;
    if (str_equal(class_name, "DeviceNotFound"))
        return ERR_NOT_FOUND;
    if (str_equal(class_name, "DeviceNotActive"))
        return ERR_CONFLICT;
    return ERR_INTERNAL;
}

static void read_error(const json_t *error, struct err *ret_err)
{
    const char *text = json_text_at(error, "desc", "");

    (void)err_set(ret_err, code_of_class(json_text_at(error, "class", "")), "%.*s",
                  TEXT_OF_PEER_MAX, *text ? text : "the monitor gave no reason");
    make_printable(ret_err->text);
}

static enum qmp_kind read_reply(struct qmp *qmp, const json_t *object, struct qmp_message *message)
{
    const json_t *id = json_object_get(object, "id");
    const json_t *error = json_object_get(object, "error");

    if (!json_is_integer(id) || !take_pending(qmp, (uint64_t)json_integer_value(id))) {
        break_off(qmp, "a reply that nobody waits for");
        return QMP_NOTHING;
    }
    message->id = (uint64_t)json_integer_value(id);
    if (error)
        read_error(error, &message->err);
    else
        message->result = json_incref(json_object_get(object, "return"));
    return QMP_REPLY;
}

static enum qmp_kind read_event(const json_t *object, struct qmp_message *message)
{
    json_t *data = json_object_get(object, "data");

    snprintf(message->event, sizeof message->event, "%s", json_text_at(object, "event", ""));
    make_printable(message->event);
    message->data = json_is_object(data) ? json_incref(data) : NULL;
    return QMP_EVENT;
}

static enum qmp_kind negotiated(struct qmp *qmp, const json_t *object)
{
    if (json_int_at(object, "id", 0) != ID_NEGOTIATE || !json_object_get(object, "return")) {
        break_off(qmp, "capabilities were not agreed");
        return QMP_NOTHING;
    }
    qmp->state = QMP_READY;
    return QMP_IS_READY;
}

static enum qmp_kind read_object(struct qmp *qmp, const json_t *object, struct qmp_message *message)
{
    if (qmp->state == QMP_GREETING) {
        greet(qmp, object);
        return QMP_NOTHING;
    }
    if (json_is_string(json_object_get(object, "event")))
        return read_event(object, message);
    if (!json_object_get(object, "return") && !json_object_get(object, "error")) {
        break_off(qmp, "neither a reply nor an event");
        return QMP_NOTHING;
    }
    if (qmp->state == QMP_NEGOTIATING)
        return negotiated(qmp, object);
    return read_reply(qmp, object, message);
}

/* --- lines --- */

/* QEMU writes unsigned 64-bit numbers ("unknown" is 18446744073709551615), which JSON
 * readers with signed integers refuse. They become the largest signed one, in place. */
static void clamp_digits(char *digits, size_t count)
{
    static const char max[] = "9223372036854775807";
    const size_t max_length = sizeof max - 1;

    if (count < max_length || (count == max_length && memcmp(digits, max, max_length) <= 0))
        return;
    memcpy(digits, max, max_length);
    memset(digits + max_length, ' ', count - max_length);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_part_of_real(char c) { return c == '.' || c == 'e' || c == 'E'; }

static void clamp_integers(char *text, size_t size)
{
    bool in_string = false;

    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            in_string = !in_string;
        else if (in_string)
            i += text[i] == '\\';
        else if (is_digit(text[i])) {
            size_t from = i;

            while (i + 1 < size && is_digit(text[i + 1]))
                i++;
            if (!(i + 1 < size && is_part_of_real(text[i + 1])) &&
                !(from > 0 && is_part_of_real(text[from - 1])))
                clamp_digits(text + from, i + 1 - from);
        }
    }
}

static bool is_blank(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (line[i] != ' ' && line[i] != '\r')
            return false;
    }
    return true;
}

static enum qmp_kind read_line(struct qmp *qmp, char *line, size_t size,
                               struct qmp_message *message)
{
    struct err err;

    if (is_blank(line, size))
        return QMP_NOTHING;
    clamp_integers(line, size);
    auto_json json_t *object = json_parse(line, size, &err);
    if (!json_is_object(object)) {
        break_off(qmp, object ? "a message that is no object" : err.text);
        return QMP_NOTHING;
    }
    return read_object(qmp, object, message);
}

void qmp_feed(struct qmp *qmp, const void *bytes, size_t size)
{
    if (qmp->state == QMP_BROKEN)
        return;
    buf_add(&qmp->in, bytes, size);
    if (qmp->in.overflowed)
        break_off(qmp, "a message without end");
}

static enum qmp_kind tell_failure(struct qmp *qmp, struct qmp_message *message)
{
    if (qmp->failure_told)
        return QMP_NOTHING;
    qmp->failure_told = true;
    message->err = qmp->err;
    return QMP_FAILED;
}

/* The next line without its end, or NULL; what was read is dropped when none is whole. */
static char *next_line(struct qmp *qmp, size_t *ret_size)
{
    size_t unscanned = qmp->in.size - qmp->scanned;
    char *end = unscanned ? memchr(qmp->in.bytes + qmp->scanned, '\n', unscanned) : NULL;
    char *line;

    if (!end) {
        buf_drop_front(&qmp->in, qmp->taken);
        qmp->taken = 0;
        qmp->scanned = qmp->in.size;
        if (!qmp->in.size && qmp->in.capacity > IDLE_CAPACITY_MAX)
            buf_done(&qmp->in);
        return NULL;
    }
    line = qmp->in.bytes + qmp->taken;
    *ret_size = (size_t)(end - line);
    qmp->taken = qmp->scanned = (size_t)(end - qmp->in.bytes) + 1;
    return line;
}

enum qmp_kind qmp_next(struct qmp *qmp, struct qmp_message *ret_message)
{
    *ret_message = (struct qmp_message){ 0 };
    while (qmp->state != QMP_BROKEN && ret_message->kind == QMP_NOTHING) {
        size_t size;
        char *line = next_line(qmp, &size);

        if (!line)
            return QMP_NOTHING;
        ret_message->kind = read_line(qmp, line, size, ret_message);
    }
    if (qmp->state == QMP_BROKEN)
        ret_message->kind = tell_failure(qmp, ret_message);
    return ret_message->kind;
}
