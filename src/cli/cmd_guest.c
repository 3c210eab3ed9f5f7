/* cli/cmd_guest.c - exec, cp, logs, screenshot: what reaches into one instance. */
#include "cli/base64.h"
#include "cli/common.h"
#include "cli/progress.h"
#include "base/files.h"
#include "base/mem.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char *instance_path(const struct session *session, const char *name, const char *sub)
{
    return object_path(session, kind_find_name("instances"), name, sub);
}

/* --- the guest agent --- */

/* A full Debian takes more than two minutes to boot when it is emulated. */
enum { AGENT_MS_MAX = 5 * 60 * 1000, AGENT_PAUSE_MS = 200 };

/* Sees that the machine runs, or will in a moment. */
static int await_running(struct session *session, const char *name, bool waits, struct err *err)
{
    const struct kind *kind = kind_find_name("instances");
    struct client *client = session_client(session, err);
    auto_free char *path = instance_path(session, name, NULL);
    auto_json json_t *object = NULL;
    const char *phase;

    if (!client || client_get(client, path, &object, err) < 0) {
        if (client && err->code == ERR_NOT_FOUND)
            session_hint(session, "\"virga ls\" lists what there is");
        return -1;
    }
    phase = json_text_at(object, "status.phase", "Pending");
    if (str_equal(phase, "Running"))
        return 0;
    if (waits && (str_equal(phase, "Pending") || str_equal(phase, "Starting")))
        return wait_for_phase(session, kind, name, "Running", AGENT_MS_MAX, err);
    return refuse_standing(session, object, err);
}

/* For what cannot simply be tried again. */
static int await_agent(struct session *session, const char *name, struct err *err)
{
    if (await_running(session, name, /*waits=*/true, err) < 0)
        return -1;
    return wait_for_condition(session, kind_find_name("instances"), name, "AgentReady",
                              AGENT_MS_MAX, err);
}

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = AGENT_PAUSE_MS * 1000000L }, NULL);
}

/* Sends what needs the guest agent; waits for that while the guest boots, when 'waits'. "Unavailable"
 * says that nothing was begun: all else may have happened in the guest, and is not sent twice. */
static int send_to_agent(struct session *session, const char *name,
                         const struct client_request *request, bool waits, json_t **ret_answer,
                         struct err *err)
{
    int64_t end = monotonic_ms() + AGENT_MS_MAX, left;
    struct client *client;

    if (await_running(session, name, waits, err) < 0 || !(client = session_client(session, err)))
        return -1;
    while (client_send(client, request, ret_answer, err) < 0) {
        if (err->code != ERR_UNAVAILABLE || !client_last_status(client))
            return -1;
        if (!waits || (left = end - monotonic_ms()) <= 0) {
            session_hint(session, "\"virga logs %s\" tells how far it is; the image needs "
                                  "qemu-guest-agent", name);
            return -1;
        }
        /* The condition may be of before the guest's reboot. */
        pause_a_little();
        if (wait_for_condition(session, kind_find_name("instances"), name, "AgentReady", left, err) < 0)
            return -1;
    }
    return 0;
}

/* --- exec --- */

enum { STDIN_MAX = 1024 * 1024 };

static void print_output(const json_t *answer, const char *name, FILE *to)
{
    auto_buf struct buf bytes = { 0 };

    base64_decode(json_text_at(answer, name, ""), &bytes);
    if (bytes.size)
        fwrite(bytes.bytes, 1, bytes.size, to);
    fflush(to);
}

static json_t *exec_body(const struct arguments *arguments, struct err *err)
{
    auto_json json_t *body = json_pack("{s:[]}", "command");
    auto_buf struct buf input = { 0 };

    for (int i = 1; i < arguments->operand_count; i++)
        json_array_append_new(json_object_get(body, "command"),
                              json_string_repaired(arguments->operands[i],
                                                   strlen(arguments->operands[i])));
    if (argument_given(arguments, "stdin")) {
        if (read_input("-", STDIN_MAX, &input, err) < 0)
            return NULL;
        auto_free char *text = base64_encode(input.bytes, input.size);
        json_object_set_new(body, "stdin", json_string(text));
    }
    return take_pointer(body);
}

COMMAND(cmd_exec)
{
    enum { SIGNAL_BASE = 128 };
    const char *name = arguments->operands[0], *timeout = argument(arguments, "timeout");
    auto_free char *path = instance_path(session, name, "exec");
    auto_json json_t *body = exec_body(arguments, err), *answer = NULL;
    int64_t signal;

    if (timeout)
        client_path_option(&path, "timeout", timeout);
    if (!body ||
        send_to_agent(session, name,
                      &(struct client_request){ .method = "POST", .path = path, .body = body },
                      !argument_given(arguments, "no-wait"), &answer, err) < 0)
        return -1;
    print_output(answer, "stdout", stdout);
    print_output(answer, "stderr", stderr);
    if (json_bool_at(answer, "truncated", false))
        fputs("virga: the guest agent cut the output\n", stderr);
    signal = json_int_at(answer, "signal", 0);
    session->exit_status = (int)(signal ? SIGNAL_BASE + signal : json_int_at(answer, "exitCode", 0));
    return 0;
}

/* --- cp --- */

/* "web:/etc/hosts": the name's length, or 0 for a path of this machine. */
static size_t guest_name_length(const char *text)
{
    const char *colon = strchr(text, ':');

    return colon && colon[1] == '/' && !memchr(text, '/', (size_t)(colon - text))
               ? (size_t)(colon - text)
               : 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The path of a guest's file. One that ends in a slash is a folder, and the file in it is called as
 * 'other' is. */
static char *files_path(const struct session *session, const char *guest, size_t name_length,
                        const char *other)
{
    auto_free char *name = str_dup_part(guest, name_length);
    auto_free char *file = str_printf("%s%s", guest + name_length + 1,
                                      str_ends(guest, "/") ? base_name(other) : "");
    char *path = instance_path(session, name, "files");

    client_path_option(&path, "path", file);
    return path;
}

static int copy_in(struct session *session, const char *from, const char *guest, struct err *err)
{
    size_t name_length = guest_name_length(guest);
    auto_free char *name = str_dup_part(guest, name_length);
    auto_free char *path = files_path(session, guest, name_length, from);
    auto_close int fd = open(from, O_RDONLY | O_CLOEXEC);
    struct stat stat;

    if (fd < 0 || fstat(fd, &stat) < 0)
        return err_errno(err, "%s", from);
    if (!S_ISREG(stat.st_mode))
        return err_set(err, ERR_BAD_REQUEST, "%s: is no plain file", from);
    auto_free char *mode = str_printf("%04o", (unsigned)stat.st_mode & 0777);
    client_path_option(&path, "mode", mode);
    if (await_agent(session, name, err) < 0)
        return -1;
    return client_send(session->client,
                       &(struct client_request){ .method = "PUT",
                                                 .path = path,
                                                 .content_type = "application/octet-stream",
                                                 .body_from_fd = true,
                                                 .body_fd = fd,
                                                 .body_size = stat.st_size },
                       NULL, err);
}

/* Into 'to', which is made anew; what came before a failure is taken away again. */
static int fetch(struct session *session, const char *path, const char *to, const char *accept,
                 struct err *err)
{
    if (str_equal(to, "-"))
        return stream_to(session, path, accept, STDOUT_FILENO, err);

    auto_free char *part = str_printf("%s.part", to);
    auto_close int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int result;

    if (fd < 0)
        return err_errno(err, "%s", part);
    result = stream_to(session, path, accept, fd, err);
    if (result == 0 && rename(part, to) < 0)
        result = err_errno(err, "%s", to);
    if (result < 0)
        unlink(part);
    return result;
}

static bool is_folder(const char *path)
{
    struct stat found;

    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

static int copy_out(struct session *session, const char *guest, const char *to, struct err *err)
{
    size_t name_length = guest_name_length(guest);
    auto_free char *name = str_dup_part(guest, name_length);
    auto_free char *path = files_path(session, guest, name_length, "");
    auto_free char *inside = str_printf("%s/%s", to, base_name(guest));

    if (await_agent(session, name, err) < 0)
        return -1;
    return fetch(session, path, is_folder(to) ? inside : to, "*/*", err);
}

COMMAND(cmd_cp)
{
    const char *from = arguments->operands[0], *to = arguments->operands[1];
    size_t from_guest = guest_name_length(from), to_guest = guest_name_length(to);

    if (!from_guest == !to_guest) {
        session_hint(session, "as in: virga cp notes.txt web:/tmp/notes.txt");
        return usage_error(session, err, "one of FROM and TO must be NAME:/PATH");
    }
    return to_guest ? copy_in(session, from, to, err) : copy_out(session, from, to, err);
}

/* --- logs, screenshot --- */

COMMAND(cmd_logs)
{
    auto_free char *path = instance_path(session, arguments->operands[0], "log");
    const char *tail = argument(arguments, "tail");

    if (argument_given(arguments, "qemu"))
        client_path_option(&path, "source", "qemu");
    if (argument_given(arguments, "follow"))
        client_path_option(&path, "follow", "true");
    if (tail)
        client_path_option(&path, "tailLines", tail);
    return stream_to(session, path, "*/*", STDOUT_FILENO, err);
}

COMMAND(cmd_screenshot)
{
    const char *name = arguments->operands[0], *to = argument(arguments, "output");
    auto_free char *path = instance_path(session, name, "screenshot");
    auto_free char *usual = str_printf("%s.png", name);

    return fetch(session, path, to ? to : usual, "*/*", err);
}
