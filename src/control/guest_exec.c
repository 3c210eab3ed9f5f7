/* control/guest_exec.c - guest-exec, then guest-exec-status until the command has ended.
 * Source: qga/qapi-schema.json of QEMU. */
#include "control/guest_exec.h"
#include "control/internal.h"
#include "base/mem.h"
#include "base/str.h"
#include "kinds/names.h"
#include <stdlib.h>
#include <string.h>

enum { ASK_FIRST_MS = 20, ASK_LAST_MS = 500, ANSWER_MS = 10 * 1000, OUTPUT_MAX = 4096 };

struct exec {
    struct exec *next, **link;
    struct control *control; /* NULL: it is gone, nobody waits */
    char *uid;
    int64_t pid, deadline_ms, ask_again_ms;
    bool is_asked;           /* an answer of the agent is to come */
    struct loop_source *timer;
    guest_exec_fn *fn;
    void *arg;
};

static void exec_free(struct exec *exec)
{
    if (exec->link) {
        *exec->link = exec->next;
        if (exec->next)
            exec->next->link = exec->link;
    }
    loop_source_free(exec->timer);
    free(exec->uid);
    free(exec);
}

/* --- all of a control --- */

struct execs {
    struct exec *first;
};

static void exec_end(struct exec *exec, const struct err *err, int exit_code, const char *output);

static void execs_free(void *state)
{
    struct execs *execs = state;
    struct err gone;

    (void)err_set(&gone, ERR_CANCELLED, "the daemon ends");
    while (execs->first) {
        struct exec *exec = execs->first;

        execs->first = exec->next;
        if (exec->next)
            exec->next->link = &execs->first;
        exec->link = NULL;
        exec->control = NULL;
        if (!exec->is_asked) /* else the driver answers yet */
            exec_end(exec, &gone, -1, "");
    }
    free(execs);
}

static struct execs *execs_of(struct control *control)
{
    struct execs *execs = control_extension(control, "guest execs");

    if (!execs) {
        execs = mem_new(struct execs);
        control_set_extension(control, "guest execs", execs, execs_free);
    }
    return execs;
}

/* --- one --- */

static void exec_end(struct exec *exec, const struct err *err, int exit_code, const char *output)
{
    guest_exec_fn *fn = exec->fn;
    void *arg = exec->arg;
    struct err gone;

    if (!exec->control && !err) {
        (void)err_set(&gone, ERR_CANCELLED, "the daemon ends");
        err = &gone;
    }
    exec_free(exec);
    fn(arg, err, exit_code, output);
}

static void ask_status(void *arg);

/* Base64 of the agent, decoded as far as it goes. */
static char *decoded(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf out = { .size_max = OUTPUT_MAX };
    unsigned bits = 0, count = 0;

    for (; *text && *text != '='; text++) {
        const char *digit = strchr(digits, *text);

        if (!digit)
            break;
        bits = bits << 6 | (unsigned)(digit - digits);
        if ((count += 6) < 8)
            continue;
        count -= 8;
        buf_add_char(&out, (char)(bits >> count & 0xff));
    }
    return buf_take(&out);
}

static void on_status(void *arg, const struct err *err, const json_t *result)
{
    struct exec *exec = arg;
    struct err late;

    exec->is_asked = false;
    if (!exec->control || err) {
        exec_end(exec, err, -1, "");
    } else if (json_bool_at(result, "exited", false)) {
        auto_free char *out = decoded(json_text_at(result, "out-data", ""));
        auto_free char *errors = decoded(json_text_at(result, "err-data", ""));
        auto_free char *output = str_printf("%s%s", out, errors);

        exec_end(exec, NULL, (int)json_int_at(result, "exitcode", 128 + json_int_at(result, "signal", 0)), output);
    } else if (loop_now_ms(exec->control->setup.loop) >= exec->deadline_ms) {
        (void)err_set(&late, ERR_TIMEOUT, "the command did not end in time");
        exec_end(exec, &late, -1, "");
    } else {
        exec->timer = loop_timer(exec->control->setup.loop, exec->ask_again_ms, ask_status, exec);
        exec->ask_again_ms += exec->ask_again_ms < ASK_LAST_MS ? exec->ask_again_ms / 4 + 1 : 0;
    }
}

static void ask(struct exec *exec, const char *command, const json_t *arguments, compute_json_fn *fn)
{
    struct compute *compute = exec->control->setup.compute;

    exec->is_asked = true;
    compute->ops->agent(compute, exec->uid, command, arguments, ANSWER_MS, fn, exec);
}

static void ask_status(void *arg)
{
    struct exec *exec = arg;
    auto_json json_t *arguments = json_pack("{s:I}", "pid", (json_int_t)exec->pid);

    loop_source_free(exec->timer);
    exec->timer = NULL;
    ask(exec, "guest-exec-status", arguments, on_status);
}

static void on_begun(void *arg, const struct err *err, const json_t *result)
{
    struct exec *exec = arg;

    exec->is_asked = false;
    exec->pid = json_int_at(result, "pid", -1);
    if (!exec->control || err)
        exec_end(exec, err, -1, "");
    else
        exec->timer = loop_timer(exec->control->setup.loop, ASK_FIRST_MS, ask_status, exec);
}

static json_t *arguments_of(const char *const *argv, const char *input)
{
    json_t *arguments = json_pack("{s:s,s:[],s:b}", "path", argv[0], "arg", "capture-output", 1);

    for (size_t i = 1; argv[i]; i++)
        json_array_append_new(json_object_get(arguments, "arg"), json_string_repaired(argv[i], strlen(argv[i])));
    if (input) {
        auto_free char *base64 = text_to_base64(input, strlen(input));
        json_object_set_new(arguments, "input-data", json_string(base64));
    }
    return arguments;
}

void guest_exec(struct control *control, const char *uid, const char *const *argv, const char *input,
                int64_t timeout_ms, guest_exec_fn *fn, void *arg)
{
    auto_json json_t *arguments = arguments_of(argv, input);
    struct execs *execs = execs_of(control);
    struct exec *exec = mem_new(struct exec);

    *exec = (struct exec){ .next = execs->first, .link = &execs->first, .control = control, .uid = str_dup(uid),
                           .deadline_ms = loop_now_ms(control->setup.loop) + timeout_ms,
                           .ask_again_ms = ASK_FIRST_MS, .fn = fn, .arg = arg };
    if (exec->next)
        exec->next->link = &exec->next;
    execs->first = exec;
    ask(exec, "guest-exec", arguments, on_begun);
}
