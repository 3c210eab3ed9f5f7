/* daemon/agent_exec.c - a command in the guest: guest-exec, then guest-exec-status until it ended. */
#include "daemon/agent_exec.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

enum { POLL_FIRST_MS = 20, POLL_MAX_MS = 500, CALL_TIMEOUT_MS = 10 * 1000 };

struct agent_exec {
    struct loop *loop;
    struct compute *compute;
    char *uid;
    int64_t guest_pid;
    int64_t deadline_ms, poll_ms;
    struct loop_source *timer;
    agent_exec_fn *fn;
    void *arg;
};

static void finish(struct agent_exec *exec, const struct err *err, const json_t *result)
{
    exec->fn(exec->arg, err, result);
    loop_source_free(exec->timer);
    free(exec->uid);
    free(exec);
}

static void poll(void *arg);

static void poll_later(struct agent_exec *exec)
{
    if (exec->timer)
        loop_timer_again(exec->timer, exec->poll_ms);
    else
        exec->timer = loop_timer(exec->loop, exec->poll_ms, poll, exec);
    exec->poll_ms = exec->poll_ms * 2 > POLL_MAX_MS ? POLL_MAX_MS : exec->poll_ms * 2;
}

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

static void status_read(void *arg, const struct err *err, const json_t *status)
{
    struct agent_exec *exec = arg;
    struct err late;

    if (err) {
        finish(exec, err, NULL);
    } else if (json_bool_at(status, "exited", false)) {
        auto_json json_t *result = result_of(status);
        finish(exec, NULL, result);
    } else if (loop_now_ms(exec->loop) >= exec->deadline_ms) {
        (void)err_set(&late, ERR_TIMEOUT,
                      "the command still runs in the guest (pid %lld); give a longer timeout",
                      (long long)exec->guest_pid);
        finish(exec, &late, NULL);
    } else {
        poll_later(exec);
    }
}

static void poll(void *arg)
{
    struct agent_exec *exec = arg;
    auto_json json_t *arguments = json_pack("{s:I}", "pid", (json_int_t)exec->guest_pid);

    exec->compute->ops->agent(exec->compute, exec->uid, "guest-exec-status", arguments,
                              CALL_TIMEOUT_MS, status_read, exec);
}

static void started(void *arg, const struct err *err, const json_t *result)
{
    struct agent_exec *exec = arg;

    if (err) {
        finish(exec, err, NULL);
        return;
    }
    exec->guest_pid = json_int_at(result, "pid", -1);
    poll_later(exec);
}

void agent_exec_start(const struct agent_exec_request *request, agent_exec_fn *fn, void *arg)
{
    struct agent_exec *exec = mem_new(struct agent_exec);
    auto_json json_t *arguments = json_pack("{s:s,s:b}", "path", request->path, "capture-output", 1);

    *exec = (struct agent_exec){ .loop = request->loop,
                                 .compute = request->compute,
                                 .uid = str_dup(request->uid),
                                 .deadline_ms = loop_now_ms(request->loop) + request->timeout_ms,
                                 .poll_ms = POLL_FIRST_MS,
                                 .fn = fn,
                                 .arg = arg };
    if (request->arguments)
        json_object_set(arguments, "arg", (json_t *)request->arguments);
    if (request->input_base64)
        json_object_set_new(arguments, "input-data", json_string(request->input_base64));
    request->compute->ops->agent(request->compute, exec->uid, "guest-exec", arguments,
                                 CALL_TIMEOUT_MS, started, exec);
}
