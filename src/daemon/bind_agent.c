/* daemon/bind_agent.c - exec and files. */
#include "daemon/agent_file.h"
#include "daemon/assemble.h"
#include "control/guest_exec.h"
#include "kinds/names.h"
#include "kinds/tables/tables.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "store/object.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXEC_TIMEOUT_MS = 60 * 1000 };

/* A fork that is still its parent's double is nobody to be talked to. */
static bool is_itself(struct daemon *daemon, struct api_call *call)
{
    const json_t *instance = api_call_object(call);
    struct machine_status machine;
    struct err err;

    daemon->compute->ops->observe(daemon->compute, object_uid(instance), &machine);
    if (!machine.is_fork || condition_is_true(instance, "Forked"))
        return true;
    (void)err_set(&err, ERR_UNAVAILABLE, "the fork is being given an identity of its own");
    api_call_error(call, &err);
    return false;
}

/* --- exec --- */

/* {"exitCode":0 | "signal":9, "stdout":BASE64, "stderr":BASE64, "truncated"?:true} */
static json_t *result_of(const json_t *status)
{
    json_t *result = json_pack("{s:s,s:s}", "stdout", json_text_at(status, "out-data", ""), "stderr",
                               json_text_at(status, "err-data", ""));

    if (json_object_get(status, "signal"))
        json_object_set(result, "signal", json_object_get(status, "signal"));
    else
        json_object_set_new(result, "exitCode", json_integer(json_int_at(status, "exitcode", -1)));
    if (json_bool_at(status, "out-truncated", false) || json_bool_at(status, "err-truncated", false))
        json_object_set_new(result, "truncated", json_true());
    return result;
}

static void exec_ended(void *arg, const struct err *err, const json_t *status)
{
    struct api_call *call = arg;

    if (err)
        api_call_error(call, err);
    else
        api_call_json(call, 200, result_of(status));
}

static int check_command(const json_t *command, struct err *err)
{
    if (!json_is_array(command) || json_array_size(command) == 0)
        return err_set(err, ERR_BAD_REQUEST,
                       "command: must be a list of at least one text, as [\"uname\", \"-a\"]");
    for (size_t i = 0; i < json_array_size(command); i++)
        if (!json_is_string(json_array_get(command, i)))
            return err_set(err, ERR_BAD_REQUEST, "command[%zu]: must be a text", i);
    return 0;
}

static int check_stdin(const json_t *body, struct err *err)
{
    const json_t *input = json_object_get(body, "stdin");

    if (!input || (json_is_string(input) && text_is_base64(json_string_value(input))))
        return 0;
    return err_set(err, ERR_BAD_REQUEST, "stdin: must be base64 (RFC 4648)");
}

static int exec_timeout(const struct api_call *call, int64_t *ret_ms, struct err *err)
{
    const char *text = api_call_option(call, "timeout");

    *ret_ms = EXEC_TIMEOUT_MS;
    return text && duration_parse(text, ret_ms, err) < 0 ? err_wrap(err, "timeout") : 0;
}

static void exec(void *arg, struct api_call *call)
{
    struct daemon *daemon = arg;
    const json_t *body = api_call_body(call), *command = json_object_get(body, "command");
    struct compute_exec_request request = { .uid = object_uid(api_call_object(call)),
                                            .input_base64 = json_text_at(body, "stdin", NULL) };
    struct err err;

    if (check_command(command, &err) < 0 || check_stdin(body, &err) < 0 ||
        exec_timeout(call, &request.timeout_ms, &err) < 0) {
        err.code = ERR_BAD_REQUEST;
        api_call_error(call, &err);
        return;
    }
    if (!is_itself(daemon, call))
        return;
    auto_json json_t *arguments = json_copy((json_t *)command);
    json_array_remove(arguments, 0);
    request.arguments = arguments;
    request.path = json_string_value(json_array_get(command, 0));
    guest_exec_status(daemon->control, &request, exec_ended, call);
}

/* --- files --- */

static void file_opened(void *arg, const struct err *err, int take_fd)
{
    struct api_call *call = arg;

    if (err)
        api_call_error(call, err);
    else
        api_call_file(call, take_fd, "application/octet-stream", false);
}

/* The upload is spooled first: the agent must not hold a half-written file while a client idles. */
struct file_write {
    struct daemon *daemon;
    struct api_call *call;
    int spool;
};

static void mode_set(void *arg, const struct err *err, const json_t *status)
{
    struct api_call *call = arg;
    struct err failure;

    if (!err && json_int_at(status, "exitcode", -1) != 0) {
        (void)err_set(&failure, ERR_IO, "the file is written, but chmod failed in the guest");
        err = &failure;
    }
    if (err)
        api_call_error(call, err);
    else
        api_call_json(call, 200, json_object());
}

static void file_written(void *arg, const struct err *err)
{
    struct file_write *file_write = arg;
    struct api_call *call = file_write->call;
    struct daemon *daemon = file_write->daemon;
    const char *mode = api_call_option(call, "mode");

    free(file_write);
    if (err) {
        api_call_error(call, err);
    } else if (!mode) {
        api_call_json(call, 200, json_object());
    } else {
        auto_json json_t *arguments = json_pack("[s,s,s]", mode, "--", api_call_option(call, "path"));
        struct compute_exec_request request = { .uid = object_uid(api_call_object(call)),
                                                .path = "chmod",
                                                .arguments = arguments,
                                                .timeout_ms = EXEC_TIMEOUT_MS };
        guest_exec_status(daemon->control, &request, mode_set, call);
    }
}

static void upload_ended(void *arg, struct api_call *call, const struct err *err, int64_t bytes)
{
    struct file_write *file_write = arg;

    if (err) {
        close(file_write->spool);
        free(file_write);
        api_call_error(call, err);
        return;
    }
    lseek(file_write->spool, 0, SEEK_SET);
    file_write->call = call;
    agent_file_write(file_write->daemon->loop, file_write->daemon->compute,
                     object_uid(api_call_object(call)), api_call_option(call, "path"),
                     file_write->spool, (struct done){ file_written, file_write });
}

static bool is_mode(const char *text)
{
    return text[0] && strlen(text) <= 4 && strspn(text, "01234567") == strlen(text);
}

static void put_file(struct daemon *daemon, struct api_call *call)
{
    struct file_write *file_write;
    const char *mode = api_call_option(call, "mode");
    struct err err;
    int spool, copy;

    if (mode && !is_mode(mode)) {
        (void)err_set(&err, ERR_BAD_REQUEST, "mode: \"%s\" must be octal, as 0644", mode);
        api_call_error(call, &err);
        return;
    }
    spool = open(daemon->config.state_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    copy = spool < 0 ? -1 : fcntl(spool, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        (void)err_errno(&err, "make room for the upload");
        if (spool >= 0)
            close(spool);
        api_call_error(call, &err);
        return;
    }
    file_write = mem_new(struct file_write);
    *file_write = (struct file_write){ .daemon = daemon, .spool = copy };
    api_call_upload(call, spool, upload_ended, file_write);
}

static void files(void *arg, struct api_call *call)
{
    struct daemon *daemon = arg;
    struct err err;

    if (str_is_empty(api_call_option(call, "path"))) {
        (void)err_set(&err, ERR_BAD_REQUEST, "path: is required: the file in the guest");
        api_call_error(call, &err);
    } else if (!is_itself(daemon, call)) {
        return;
    } else if (str_equal(api_call_method(call), "PUT")) {
        put_file(daemon, call);
    } else {
        agent_file_read(daemon->loop, daemon->compute, object_uid(api_call_object(call)),
                        api_call_option(call, "path"), file_opened, call);
    }
}

void bind_agent(struct daemon *daemon)
{
    api_bind(daemon->api, &kind_instance, "exec", exec, daemon);
    api_bind(daemon->api, &kind_instance, "files", files, daemon);
}
