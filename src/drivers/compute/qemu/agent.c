/* drivers/compute/qemu/agent.c - the channel to the agent inside a guest.
 *
 * The agent counts as connected while it answers: QEMU tells when the guest opens and closes
 * its end of the port, and a ping now and then finds an agent that hangs. Commands wait in a
 * bounded queue and go one after another; after each one that was given up, the two sides are
 * synchronized before the next. A guest may write without end: after each read the channel
 * rests, long when nothing was asked. */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/agent_protocol.h"
#include "drivers/compute/qemu/parts.h"
#include "drivers/compute/qemu/sockets.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    COMMANDS_MAX = 64,
    COMMAND_MS_MAX = 10 * 60 * 1000,
    LONG_ANSWER_TIMES = 12, /* an answer that keeps coming may take so many times the command's time */
    SYNC_MS = 5000,
    PING_EVERY_MS = 20 * 1000,
    RECONNECT_MS = 1000,
    FORK_REST_MS = 600, /* what a fork serves comes first, and an agent takes long to wake */
    FORK_REST_MS_MAX = 5000, /* also what the forks serve that begin after it */
    CHUNK = 16 * 1024,
    CHUNKS_PER_TURN = 8,
    REST_MS = 2,
    REST_IDLE_MS = 100,
};

struct command {
    struct command *next;
    struct qemu_call *call;
    char *name;
    json_t *arguments;
    int64_t timeout_ms;
    int64_t late_ms; /* once asked: it is given up then, whatever the guest still says */
    bool is_asked; /* the guest may have carried it out */
};

struct qemu_agent {
    struct qemu_machine *machine;
    int fd; /* -1: not connected */
    struct loop_source *io, *retry;
    struct loop_source *rest; /* not NULL: what the guest says waits */
    struct agent_protocol protocol;
    struct buf out;
    bool port_is_open;
    struct command *first, **last; /* the first one is at work in AGENT_ASKED */
    struct loop_source *timer;     /* of the sync or command at work */
    struct loop_source *ping;
    struct loop_source *hold;      /* not NULL: nothing is asked yet */
    int64_t held_since_ms;
};

static void connect_agent(struct qemu_agent *agent);
static void go_on(struct qemu_agent *agent);

static struct loop *loop_of(const struct qemu_agent *agent)
{
    return agent->machine->driver->setup.loop;
}

static void set_connected(struct qemu_agent *agent, bool is_connected)
{
    if (agent->machine->status.agent_connected == is_connected)
        return;
    agent->machine->status.agent_connected = is_connected;
    changes_add(&agent->machine->driver->changes, agent->machine->uid);
    if (is_connected)
        qemu_size_on_agent(agent->machine);
}

/* --- commands --- */

/* Frees it; its call is the caller's to end. */
static struct qemu_call *command_free(struct command *command)
{
    struct qemu_call *call = command->call;

    json_decref(command->arguments);
    free(command->name);
    free(command);
    return call;
}

static struct qemu_call *take_first(struct qemu_agent *agent)
{
    struct command *command = agent->first;

    agent->first = command->next;
    if (!agent->first)
        agent->last = &agent->first;
    return command_free(command);
}

/* ERR_UNAVAILABLE invites to ask again, which may be twice for what was asked already. */
static void fail(struct command *command, const struct err *why)
{
    struct err lost = *why;

    if (command->is_asked && why->code == ERR_UNAVAILABLE)
        (void)err_set(&lost, ERR_IO, "the answer to %s is lost: %s", command->name, why->text);
    qemu_call_end(command_free(command), &lost);
}

/* Those of now: what an answered caller asks next is not among them. */
static void fail_all(struct qemu_agent *agent, const struct err *why)
{
    struct command *commands = agent->first;

    agent->first = NULL;
    agent->last = &agent->first;
    while (commands) {
        struct command *command = commands;

        commands = command->next;
        fail(command, why);
    }
}

static void stop_timer(struct qemu_agent *agent)
{
    loop_source_free(agent->timer);
    agent->timer = NULL;
}

static void start_timer(struct qemu_agent *agent, int64_t delay_ms, loop_fn *fn)
{
    stop_timer(agent);
    agent->timer = loop_timer(loop_of(agent), delay_ms, fn, agent);
}

/* --- the connection --- */

static void disconnect(struct qemu_agent *agent)
{
    loop_source_free(agent->io);
    loop_source_free(agent->rest);
    agent->io = agent->rest = NULL;
    if (agent->fd >= 0)
        close(agent->fd);
    agent->fd = -1;
    stop_timer(agent);
    buf_done(&agent->out);
    agent_protocol_reset(&agent->protocol);
}

static void lose(struct qemu_agent *agent, const char *why)
{
    struct err err;

    set_connected(agent, false);
    stop_timer(agent);
    buf_done(&agent->out);
    agent_protocol_reset(&agent->protocol);
    (void)err_set(&err, ERR_UNAVAILABLE, "the guest agent does not answer: %s", why);
    fail_all(agent, &err);
}

static void on_retry(void *arg)
{
    struct qemu_agent *agent = arg;

    loop_source_free(agent->retry);
    agent->retry = NULL;
    connect_agent(agent);
    go_on(agent);
}

static void connect_later(struct qemu_agent *agent)
{
    disconnect(agent);
    lose(agent, "its channel is closed");
    if (!agent->retry)
        agent->retry = loop_timer(loop_of(agent), RECONNECT_MS, on_retry, agent);
}

static void flush(struct qemu_agent *agent)
{
    while (agent->out.size && agent->fd >= 0) {
        ssize_t sent =
            send(agent->fd, agent->out.bytes, agent->out.size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent <= 0)
            break; /* full, or gone: the reading side finds out */
        buf_drop_front(&agent->out, (size_t)sent);
    }
    if (agent->io)
        loop_io_events(agent->io,
                       (agent->rest ? 0 : LOOP_READ) | (agent->out.size ? LOOP_WRITE : 0));
}

static void end_rest(struct qemu_agent *agent)
{
    loop_source_free(agent->rest);
    agent->rest = NULL;
    flush(agent);
}

static void on_rested(void *arg) { end_rest(arg); }

static bool is_asked(const struct qemu_agent *agent)
{
    return agent->protocol.state == AGENT_SYNCING || agent->protocol.state == AGENT_ASKED;
}

static void begin_rest(struct qemu_agent *agent)
{
    if (!agent->rest)
        agent->rest =
            loop_timer(loop_of(agent), is_asked(agent) ? REST_MS : REST_IDLE_MS, on_rested, agent);
}

/* --- one thing at a time --- */

static void on_sync_late(void *arg) { lose(arg, "it was not heard of for 5 s"); }

static void begin_sync(struct qemu_agent *agent)
{
    int64_t id = (int64_t)(loop_random(loop_of(agent)) & INT32_MAX);

    agent_protocol_sync(&agent->protocol, id, &agent->out);
    start_timer(agent, SYNC_MS, on_sync_late);
    end_rest(agent);
}

static void on_command_late(void *arg)
{
    struct qemu_agent *agent = arg;
    struct qemu_call *call = take_first(agent);
    struct err err;

    stop_timer(agent);
    agent_protocol_reset(&agent->protocol);
    (void)err_set(&err, ERR_TIMEOUT, "the guest agent did not answer in time");
    qemu_call_end(call, &err);
    if (agent->first)
        begin_sync(agent);
}

static int64_t answer_ms_max(const struct command *command)
{
    int64_t times_ms = command->timeout_ms * LONG_ANSWER_TIMES;

    return times_ms < COMMAND_MS_MAX ? times_ms : COMMAND_MS_MAX;
}

static void begin_command(struct qemu_agent *agent)
{
    struct command *command = agent->first;

    command->is_asked = true;
    command->late_ms = loop_now_ms(loop_of(agent)) + answer_ms_max(command);
    agent_protocol_command(&agent->protocol, command->name, command->arguments, &agent->out);
    start_timer(agent, command->timeout_ms, on_command_late);
    end_rest(agent);
}

/* A part of the answer came: a slow guest takes a minute to say what 16 MiB are. */
static void expect_more(struct qemu_agent *agent)
{
    int64_t rest_ms;

    if (agent->protocol.state != AGENT_ASKED || !agent->protocol.in.size)
        return;
    rest_ms = agent->first->late_ms - loop_now_ms(loop_of(agent));
    if (rest_ms > agent->first->timeout_ms)
        rest_ms = agent->first->timeout_ms;
    loop_timer_again(agent->timer, rest_ms > 0 ? rest_ms : 0);
}

/* Begins the next thing when nothing is at work. */
static void go_on(struct qemu_agent *agent)
{
    if (!agent->port_is_open || agent->fd < 0 || agent->hold)
        return;
    if (agent->protocol.state == AGENT_DEAF)
        begin_sync(agent);
    else if (agent->protocol.state == AGENT_READY && agent->first)
        begin_command(agent);
}

static void on_ping(void *arg)
{
    struct qemu_agent *agent = arg;

    loop_timer_again(agent->ping, PING_EVERY_MS);
    if (!is_asked(agent) && !agent->first && !agent->hold && agent->machine->run_state == MACHINE_RUNNING &&
        agent->port_is_open && agent->fd >= 0)
        begin_sync(agent);
}

static void got_message(struct qemu_agent *agent, const struct agent_message *message)
{
    struct qemu_call *call;

    stop_timer(agent);
    switch (message->kind) {
    case AGENT_NOTHING:
        return;
    case AGENT_SYNCED:
        set_connected(agent, true);
        return;
    case AGENT_BROKEN:
        lose(agent, message->err.text);
        return;
    case AGENT_REPLY:
        call = take_first(agent);
        if (message->err.code)
            qemu_call_end(call, &message->err);
        else
            qemu_call_end_json(call, message->result);
        return;
    }
}

/* False when QEMU hung up. */
static bool read_some(struct qemu_agent *agent)
{
    char bytes[CHUNK];

    for (int i = 0; i < CHUNKS_PER_TURN; i++) {
        ssize_t size = recv(agent->fd, bytes, sizeof bytes, MSG_DONTWAIT);

        if (size < 0)
            return errno == EAGAIN || errno == EINTR;
        if (size == 0)
            return false;
        agent_protocol_feed(&agent->protocol, bytes, (size_t)size);
    }
    return true;
}

static void on_agent(void *arg, int fd, unsigned events)
{
    struct qemu_agent *agent = arg;
    struct qemu_machine *machine = agent->machine;
    struct agent_message message;

    if ((events & LOOP_READ) && !read_some(agent)) {
        connect_later(agent);
        return;
    }
    if (events & LOOP_READ)
        begin_rest(agent);
    if (agent_protocol_next(&agent->protocol, &message) != AGENT_NOTHING)
        got_message(agent, &message);
    else if (events & LOOP_READ)
        expect_more(agent);
    agent_message_done(&message);
    if (machine->agent != agent)
        return; /* stopped from inside an answer */
    go_on(agent);
    flush(agent);
}

static void connect_agent(struct qemu_agent *agent)
{
    struct err err;

    if (socket_connect(agent->machine->paths.run, "agent", &agent->fd, &err) < 0) {
        agent->fd = -1;
        connect_later(agent);
        return;
    }
    agent->io = loop_io(loop_of(agent), agent->fd, LOOP_READ, on_agent, agent);
}

/* --- life --- */

static void set_port_open(struct qemu_agent *agent, bool is_open)
{
    if (agent->port_is_open == is_open)
        return;
    agent->port_is_open = is_open;
    if (is_open)
        go_on(agent);
    else
        lose(agent, "it closed its port");
}

static void on_held(void *arg)
{
    struct qemu_agent *agent = arg;
    int64_t now_ms = loop_now_ms(loop_of(agent));
    int64_t rest_ms = agent->machine->driver->fork_began_ms + FORK_REST_MS - now_ms;

    if (rest_ms > 0 && now_ms - agent->held_since_ms < FORK_REST_MS_MAX) {
        loop_timer_again(agent->hold, rest_ms);
        return;
    }
    loop_source_free(agent->hold);
    agent->hold = NULL;
    go_on(agent);
}

static void begin_hold(struct qemu_agent *agent)
{
    struct qemu_driver *driver = agent->machine->driver;

    agent->held_since_ms = driver->fork_began_ms = loop_now_ms(driver->setup.loop);
    agent->hold = loop_timer(driver->setup.loop, FORK_REST_MS, on_held, agent);
}

void qemu_read_chardevs(struct qemu_machine *machine, const json_t *chardevs)
{
    size_t i;
    json_t *chardev;

    if (!machine->config->guest_agent)
        return;
    qemu_agent_start(machine);
    json_array_foreach ((json_t *)chardevs, i, chardev) {
        if (str_equal(json_text_at(chardev, "label", ""), "agent"))
            set_port_open(machine->agent, json_bool_at(chardev, "frontend-open", false));
    }
}

void qemu_on_port_change(struct qemu_machine *machine, const json_t *data)
{
    if (machine->agent && str_equal(json_text_at(data, "id", ""), "agent"))
        set_port_open(machine->agent, json_bool_at(data, "open", false));
}

void qemu_agent_start(struct qemu_machine *machine)
{
    struct qemu_agent *agent;

    if (machine->agent || !machine->config->guest_agent)
        return;
    agent = mem_new(struct qemu_agent);
    agent->machine = machine;
    agent->fd = -1;
    agent->last = &agent->first;
    agent_protocol_init(&agent->protocol);
    agent->ping = loop_timer(loop_of(agent), PING_EVERY_MS, on_ping, agent);
    if (machine->config->frozen && !machine->is_adopted)
        begin_hold(agent);
    machine->agent = agent;
    connect_agent(agent);
}

void qemu_agent_stop(struct qemu_machine *machine, const struct err *why)
{
    struct qemu_agent *agent = machine->agent;

    if (!agent)
        return;
    machine->agent = NULL;
    disconnect(agent);
    fail_all(agent, why);
    loop_source_free(agent->retry);
    loop_source_free(agent->ping);
    loop_source_free(agent->hold);
    agent_protocol_done(&agent->protocol);
    buf_done(&agent->out);
    free(agent);
}

void qemu_agent_guest_gone(struct qemu_machine *machine, const char *why)
{
    if (machine->agent)
        lose(machine->agent, why);
}

/* --- the contract's call --- */

static struct qemu_agent *agent_for(struct qemu_driver *driver, const char *uid, struct err *err)
{
    struct qemu_machine *machine = qemu_machine_up(driver, uid, err);
    unsigned count = 0;

    if (!machine)
        return NULL;
    if (!machine->agent || !machine->agent->port_is_open) {
        (void)err_set(err, ERR_UNAVAILABLE, "no guest agent runs in the machine");
        return NULL;
    }
    for (const struct command *each = machine->agent->first; each; each = each->next)
        count++;
    if (count >= COMMANDS_MAX) {
        (void)err_set(err, ERR_EXHAUSTED, "%d commands wait for the guest agent", COMMANDS_MAX);
        return NULL;
    }
    return machine->agent;
}

void qemu_agent(struct compute *compute, const char *uid, const char *name, const json_t *arguments,
                int64_t timeout_ms, compute_json_fn *fn, void *arg)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_json(driver, fn, arg);
    struct err err;
    struct qemu_agent *agent = agent_for(driver, uid, &err);
    struct command *command;

    if (!agent) {
        qemu_call_end_later(call, &err);
        return;
    }
    command = mem_new(struct command);
    *command = (struct command){ .call = call, .name = str_dup(name) };
    command->arguments = arguments ? json_deep_copy(arguments) : NULL;
    command->timeout_ms =
        timeout_ms > 0 && timeout_ms < COMMAND_MS_MAX ? timeout_ms : COMMAND_MS_MAX;
    *agent->last = command;
    agent->last = &command->next;
    go_on(agent);
}
