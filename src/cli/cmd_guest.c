/* cli/cmd_guest.c - exec, cp, logs, screenshot: what reaches into one instance. */
#include "cli/common.h"
#include "base/files.h"
#include "base/mem.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *instance_path(const struct session *session, const char *name, const char *sub)
{
    return object_path(session, kind_find_name("instances"), name, sub);
}

/* --- exec --- */

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static void decode(const char *text, struct buf *to)
{
    unsigned bits = 0;
    int count = 0, digit;

    for (; (digit = base64_digit(*text)) >= 0; text++) {
        bits = (bits << 6 | (unsigned)digit) & 0xffffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_add_char(to, (char)(bits >> count & 0xff));
        }
    }
}

static void print_output(const json_t *answer, const char *name, FILE *to)
{
    auto_buf struct buf bytes = { 0 };

    decode(json_text_at(answer, name, ""), &bytes);
    if (bytes.size)
        fwrite(bytes.bytes, 1, bytes.size, to);
    fflush(to);
}

COMMAND(cmd_exec)
{
    enum { SIGNAL_BASE = 128 };
    struct client *client = session_client(session, err);
    auto_free char *path = instance_path(session, arguments->operands[0], "exec");
    auto_json json_t *body = json_pack("{s:[]}", "command"), *answer = NULL;
    const char *timeout = argument(arguments, "timeout");
    int64_t signal;

    for (int i = 1; i < arguments->operand_count; i++)
        json_array_append_new(json_object_get(body, "command"),
                              json_string_repaired(arguments->operands[i],
                                                   strlen(arguments->operands[i])));
    if (timeout)
        client_path_option(&path, "timeout", timeout);
    if (!client || client_send(client,
                               &(struct client_request){ .method = "POST", .path = path, .body = body },
                               &answer, err) < 0)
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

static char *files_path(const struct session *session, const char *guest, size_t name_length)
{
    auto_free char *name = str_dup_part(guest, name_length);
    char *path = instance_path(session, name, "files");

    client_path_option(&path, "path", guest + name_length + 1);
    return path;
}

static int copy_in(struct session *session, const char *from, const char *guest, struct err *err)
{
    auto_free char *path = files_path(session, guest, guest_name_length(guest));
    struct client *client = session_client(session, err);
    auto_close int fd = open(from, O_RDONLY | O_CLOEXEC);
    struct stat stat;

    if (!client)
        return -1;
    if (fd < 0 || fstat(fd, &stat) < 0)
        return err_errno(err, "%s", from);
    if (!S_ISREG(stat.st_mode))
        return err_set(err, ERR_BAD_REQUEST, "%s: is no plain file", from);
    auto_free char *mode = str_printf("%04o", (unsigned)stat.st_mode & 0777);
    client_path_option(&path, "mode", mode);
    return client_send(client,
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

COMMAND(cmd_cp)
{
    const char *from = arguments->operands[0], *to = arguments->operands[1];
    size_t from_guest = guest_name_length(from), to_guest = guest_name_length(to);

    if (!from_guest == !to_guest)
        return usage_error(session, err, "one of FROM and TO must be NAME:/PATH");
    if (to_guest)
        return copy_in(session, from, to, err);
    auto_free char *path = files_path(session, from, from_guest);
    return fetch(session, path, to, "*/*", err);
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
