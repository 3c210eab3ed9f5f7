/* drivers/compute_exec.c - guest-exec, then guest-exec-status until the command has ended. */
#include "drivers/compute_exec.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

enum { ASK_FIRST_MS = 20, ASK_LAST_MS = 500, ANSWER_MS = 10 * 1000 };

struct compute_exec {
    struct loop *loop;
    struct compute *compute;
    char *uid;
    int64_t pid, deadline_ms, ask_again_ms;
    bool is_asked;     /* an answer of the agent is to come */
    bool is_cancelled;
    struct loop_source *timer;
    compute_exec_fn *fn;
    void *arg;
};

static void end(struct compute_exec *exec, const struct err *err, const json_t *status)
{
    compute_exec_fn *fn = exec->fn;
    void *arg = exec->arg;
    struct err gone;

    if (exec->is_cancelled) {
        (void)err_set(&gone, ERR_CANCELLED, "nobody waits for the command any more");
        err = &gone;
    }
    loop_source_free(exec->timer);
    free(exec->uid);
    free(exec);
    fn(arg, err, err ? NULL : status);
}

static void ask(struct compute_exec *exec, const char *command, const json_t *arguments, compute_json_fn *fn)
{
    exec->is_asked = true;
    exec->compute->ops->agent(exec->compute, exec->uid, command, arguments, ANSWER_MS, fn, exec);
}

static void ask_status(void *arg);

static void ask_later(struct compute_exec *exec)
{
    exec->timer = loop_timer(exec->loop, exec->ask_again_ms, ask_status, exec);
    exec->ask_again_ms += exec->ask_again_ms < ASK_LAST_MS ? exec->ask_again_ms / 4 + 1 : 0;
}

/* Not ERR_UNAVAILABLE, by which a caller would have it run once more. */
static void end_unknown(struct compute_exec *exec, const struct err *err)
{
    struct err unknown;

    (void)err_set(&unknown, err->code == ERR_CANCELLED || err->code == ERR_TIMEOUT ? err->code : ERR_IO,
                  "the command was begun in the guest (pid %lld), how it ended is not known: %s",
                  (long long)exec->pid, err->text);
    end(exec, &unknown, NULL);
}

static void on_status(void *arg, const struct err *err, const json_t *status)
{
    struct compute_exec *exec = arg;
    struct err late;

    exec->is_asked = false;
    if (err) {
        end_unknown(exec, err);
    } else if (exec->is_cancelled || json_bool_at(status, "exited", false)) {
        end(exec, NULL, status);
    } else if (loop_now_ms(exec->loop) >= exec->deadline_ms) {
        (void)err_set(&late, ERR_TIMEOUT, "the command still runs in the guest (pid %lld); give a longer timeout",
                      (long long)exec->pid);
        end(exec, &late, NULL);
    } else {
        ask_later(exec);
    }
}

static void ask_status(void *arg)
{
    struct compute_exec *exec = arg;
    auto_json json_t *arguments = json_pack("{s:I}", "pid", (json_int_t)exec->pid);

    loop_source_free(exec->timer);
    exec->timer = NULL;
    ask(exec, "guest-exec-status", arguments, on_status);
}

static void on_begun(void *arg, const struct err *err, const json_t *result)
{
    struct compute_exec *exec = arg;

    exec->is_asked = false;
    exec->pid = json_int_at(result, "pid", -1);
    if (exec->is_cancelled || err)
        end(exec, err, NULL);
    else
        ask_later(exec);
}

struct compute_exec *compute_exec_start(const struct compute_exec_request *request, compute_exec_fn *fn,
                                        void *arg)
{
    struct compute_exec *exec = mem_new(struct compute_exec);
    auto_json json_t *arguments = json_pack("{s:s,s:b}", "path", request->path, "capture-output", 1);

    *exec = (struct compute_exec){ .loop = request->loop, .compute = request->compute, .uid = str_dup(request->uid),
                                   .deadline_ms = loop_now_ms(request->loop) + request->timeout_ms,
                                   .ask_again_ms = ASK_FIRST_MS, .fn = fn, .arg = arg };
    if (request->arguments)
        json_object_set(arguments, "arg", (json_t *)request->arguments);
    if (request->input_base64)
        json_object_set_new(arguments, "input-data", json_string(request->input_base64));
    ask(exec, "guest-exec", arguments, on_begun);
    return exec;
}

void compute_exec_cancel(struct compute_exec *exec)
{
    exec->is_cancelled = true;
    loop_source_free(exec->timer);
    exec->timer = NULL;
    if (!exec->is_asked) /* else the driver answers yet */
        end(exec, NULL, NULL);
}
