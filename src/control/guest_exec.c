/* control/guest_exec.c - commands in guests that end with their control at the latest. */
#include "control/guest_exec.h"
#include "control/internal.h"
#include "base/chain.h"
#include "base/mem.h"
#include "base/str.h"
#include "kinds/names.h"
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_MAX = 4096, BASE64_MAX = OUTPUT_MAX / 3 * 4 };

struct exec {
    struct exec *next, **link; /* of the control's; 'link' NULL: it is gone */
    struct compute_exec *command;
    compute_exec_fn *fn;
    void *arg;
};

/* --- all of a control --- */

struct execs {
    struct exec *first;
};

static void execs_free(void *state)
{
    struct execs *execs = state;

    while (execs->first) {
        struct exec *exec = execs->first;

        chain_remove(exec);
        compute_exec_cancel(exec->command);
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

static void ended(void *arg, const struct err *err, const json_t *status)
{
    struct exec *exec = arg;
    compute_exec_fn *fn = exec->fn;
    void *fn_arg = exec->arg;

    chain_remove(exec);
    free(exec);
    fn(fn_arg, err, status);
}

void guest_exec_status(struct control *control, const struct compute_exec_request *request, compute_exec_fn *fn,
                       void *arg)
{
    struct compute_exec_request own = *request;
    struct exec *exec = mem_new(struct exec);

    own.loop = control->setup.loop;
    own.compute = control->setup.compute;
    *exec = (struct exec){ .fn = fn, .arg = arg };
    chain_add(&execs_of(control)->first, exec);
    exec->command = compute_exec_start(&own, ended, exec);
}

/* --- one whose output is text --- */

struct reader {
    guest_exec_fn *fn;
    void *arg;
};

/* The end of what the agent sent as base64, in whole fours of it; "" of what is none. */
static char *decoded(const char *text)
{
    size_t size = strlen(text), skipped = size > BASE64_MAX ? (size - BASE64_MAX + 3) / 4 * 4 : 0;
    gnutls_datum_t from = { (unsigned char *)(uintptr_t)text + skipped, (unsigned)(size - skipped) }, to;
    char *result;

    if (from.size == 0 || gnutls_base64_decode2(&from, &to) < 0)
        return str_dup("");
    result = str_dup_part((const char *)to.data, to.size);
    gnutls_free(to.data);
    return result;
}

static void read_output(void *arg, const struct err *err, const json_t *status)
{
    auto_free struct reader *reader = arg;
    auto_free char *out = decoded(json_text_at(status, "out-data", ""));
    auto_free char *errors = decoded(json_text_at(status, "err-data", ""));
    auto_free char *output = str_printf("%s%s", out, errors);

    reader->fn(reader->arg, err,
               err ? -1 : (int)json_int_at(status, "exitcode", 128 + json_int_at(status, "signal", 0)), output);
}

void guest_exec(struct control *control, const char *uid, const char *const *argv, const void *input,
                size_t input_size, int64_t timeout_ms, guest_exec_fn *fn, void *arg)
{
    auto_json json_t *arguments = json_array();
    auto_free char *base64 = input ? text_to_base64(input, input_size) : NULL;
    const struct compute_exec_request request = {
        .uid = uid, .path = argv[0], .arguments = arguments, .input_base64 = base64, .timeout_ms = timeout_ms
    };
    const struct reader reader = { fn, arg };

    for (size_t i = 1; argv[i]; i++)
        json_array_append_new(arguments, json_string_repaired(argv[i], strlen(argv[i])));
    guest_exec_status(control, &request, read_output, mem_copy(&reader, sizeof reader));
}
