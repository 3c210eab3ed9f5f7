/* daemon/agent_exec.h - a command in the guest, through the QEMU guest agent
 * (qemu/docs/interop/qemu-ga-ref). Its output is collected by the agent, at most 16 MiB each. */
#pragma once
#include "drivers/compute.h"

struct agent_exec_request { /* borrowed during the call */
    struct loop *loop;
    struct compute *compute;
    const char *uid;
    const char *path;          /* looked up in the guest's PATH */
    const json_t *arguments;   /* an array of texts without the program's name, or NULL */
    const char *input_base64;  /* standard input, or NULL */
    int64_t timeout_ms;
};

/* 'result': {"exitCode":0 | "signal":9, "stdout":BASE64, "stderr":BASE64, "truncated"?:true}. */
typedef void agent_exec_fn(void *arg, const struct err *err, const json_t *result);
void agent_exec_start(const struct agent_exec_request *request, agent_exec_fn *fn, void *arg);
