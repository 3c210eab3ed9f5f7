/* drivers/compute/qemu/agent_protocol.c - bytes of a guest in, answers out. */
#include "drivers/compute/qemu/agent_protocol.h"
#include <string.h>

enum { MARK = 0xff, TEXT_OF_PEER_MAX = 300 };

void agent_message_done(struct agent_message *message)
{
    json_decref(message->result);
    *message = (struct agent_message){ 0 };
}

void agent_protocol_init(struct agent_protocol *protocol)
{
    *protocol = (struct agent_protocol){ .state = AGENT_DEAF };
}

void agent_protocol_done(struct agent_protocol *protocol) { buf_done(&protocol->in); }

void agent_protocol_reset(struct agent_protocol *protocol)
{
    protocol->state = AGENT_DEAF;
    buf_done(&protocol->in);
}

static void listen_for(struct agent_protocol *protocol, size_t size_max)
{
    buf_done(&protocol->in);
    protocol->in.size_max = size_max;
    protocol->in.overflowed = false;
}

static void write_command(const char *command, const json_t *arguments, struct buf *to)
{
    auto_json json_t *object = json_object();

    json_object_set_new(object, "execute", json_string(command));
    if (arguments)
        json_object_set(object, "arguments", (json_t *)arguments);
    json_write(object, to);
    buf_add_char(to, '\n');
}

/* The mark before it makes the agent forget half a command that came earlier. */
void agent_protocol_sync(struct agent_protocol *protocol, int64_t id, struct buf *to)
{
    auto_json json_t *arguments = json_pack("{sI}", "id", (json_int_t)id);

    protocol->state = AGENT_SYNCING;
    protocol->sync_id = id;
    protocol->saw_mark = false;
    listen_for(protocol, AGENT_SYNC_SIZE_MAX);
    buf_add_char(to, (char)MARK);
    write_command("guest-sync-delimited", arguments, to);
}

void agent_protocol_command(struct agent_protocol *protocol, const char *command,
                            const json_t *arguments, struct buf *to)
{
    protocol->state = AGENT_ASKED;
    listen_for(protocol, AGENT_REPLY_SIZE_MAX);
    write_command(command, arguments, to);
}

void agent_protocol_feed(struct agent_protocol *protocol, const void *bytes, size_t size)
{
    if (protocol->state == AGENT_SYNCING || protocol->state == AGENT_ASKED)
        buf_add(&protocol->in, bytes, size);
}

/* --- what it said --- */

static void make_printable(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 127)
            *text = ' ';
    }
}

static enum err_code code_of_class(const char *class_name)
{
    return str_equal(class_name, "CommandNotFound") ? ERR_UNSUPPORTED : ERR_INTERNAL;
}

static enum agent_kind broken(struct agent_protocol *protocol, struct agent_message *message,
                              const char *why)
{
    agent_protocol_reset(protocol);
    (void)err_set(&message->err, ERR_IO, "the guest agent speaks no protocol: %s", why);
    return AGENT_BROKEN;
}

static enum agent_kind read_reply(struct agent_protocol *protocol, const json_t *object,
                                  struct agent_message *message)
{
    const json_t *error = json_object_get(object, "error");
    json_t *result = json_object_get(object, "return");
    const char *text = json_text_at(error, "desc", "no reason given");

    if (!error && !result)
        return broken(protocol, message, "neither a return nor an error");
    if (error) {
        (void)err_set(&message->err, code_of_class(json_text_at(error, "class", "")),
                      "guest agent: %.*s", TEXT_OF_PEER_MAX, text);
        make_printable(message->err.text);
    } else {
        message->result = json_incref(result);
    }
    protocol->state = AGENT_READY;
    return AGENT_REPLY;
}

/* The end of the first whole line in the buffer, or NULL. */
static char *line_end(const struct agent_protocol *protocol)
{
    const struct buf *in = &protocol->in;

    return in->size ? memchr(in->bytes, '\n', in->size) : NULL;
}

static enum agent_kind next_reply(struct agent_protocol *protocol, struct agent_message *message)
{
    char *end = line_end(protocol);
    size_t length = end ? (size_t)(end - protocol->in.bytes) : 0;
    enum agent_kind kind;
    struct err err;

    if (!end)
        return protocol->in.overflowed ? broken(protocol, message, "a reply without end")
                                       : AGENT_NOTHING;
    auto_json json_t *object = json_parse(protocol->in.bytes, length, &err);
    kind = json_is_object(object) ? read_reply(protocol, object, message)
                                  : broken(protocol, message, "a reply that is no object");
    buf_done(&protocol->in);
    return kind;
}

/* Drops all before the last mark but the reply behind it. */
static void find_mark(struct agent_protocol *protocol)
{
    struct buf *in = &protocol->in;
    char *mark = in->size ? memrchr(in->bytes, MARK, in->size) : NULL;

    if (mark) {
        protocol->saw_mark = true;
        buf_drop_front(in, (size_t)(mark - in->bytes) + 1);
    } else if (!protocol->saw_mark) {
        buf_clear(in);
    }
    in->overflowed = in->overflowed && in->size == in->size_max;
}

static enum agent_kind next_sync(struct agent_protocol *protocol, struct agent_message *message)
{
    char *end;

    find_mark(protocol);
    while (protocol->saw_mark && (end = line_end(protocol))) {
        size_t length = (size_t)(end - protocol->in.bytes);
        struct err err;
        auto_json json_t *object = json_parse(protocol->in.bytes, length, &err);

        buf_drop_front(&protocol->in, length + 1);
        if (json_int_at(object, "return", -1) == protocol->sync_id) {
            buf_done(&protocol->in);
            protocol->state = AGENT_READY;
            return AGENT_SYNCED;
        }
        protocol->saw_mark = false; /* the answer to an older sync */
        find_mark(protocol);
    }
    return protocol->in.overflowed ? broken(protocol, message, "no answer to a sync")
                                   : AGENT_NOTHING;
}

enum agent_kind agent_protocol_next(struct agent_protocol *protocol,
                                    struct agent_message *ret_message)
{
    *ret_message = (struct agent_message){ 0 };
    if (protocol->state == AGENT_SYNCING)
        ret_message->kind = next_sync(protocol, ret_message);
    else if (protocol->state == AGENT_ASKED)
        ret_message->kind = next_reply(protocol, ret_message);
    return ret_message->kind;
}
