/* control/guest_exec.h - a command in a guest, through its agent, until it has ended. */
#pragma once
#include "control/control.h"
#include "drivers/compute_exec.h"

/* 'err' NULL: it ended with 'exit_code' and wrote 'output' (text, stdout and stderr, of each the last 4 KiB).
 * ERR_CANCELLED when the control goes before: then there is only 'arg' to free. */
typedef void guest_exec_fn(void *arg, const struct err *err, int exit_code, const char *output);

/* 'argv' is NULL-terminated, the program first; 'input' (may be NULL) is its standard input. 'fn' is called
 * once, later; ERR_TIMEOUT: it had not ended within 'timeout_ms' (and runs on). */
void guest_exec(struct control *control, const char *uid, const char *const *argv, const void *input,
                size_t input_size, int64_t timeout_ms, guest_exec_fn *fn, void *arg);

/* The same with what the agent says of its end. The request's loop and driver are set here. */
void guest_exec_status(struct control *control, const struct compute_exec_request *request, compute_exec_fn *fn,
                       void *arg);
