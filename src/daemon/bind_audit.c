/* daemon/bind_audit.c - audit: the log, or whether its chain is whole. */
#include "daemon/assemble.h"
#include "daemon/audit.h"
#include "kinds/tables/tables.h"
#include "base/mem.h"
#include "base/str.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The log grows without a bound: reading all of it is for a worker. */
struct verification {
    struct api_call *call;
    char *state_dir;
    struct audit_summary summary;
};

static int verify(void *arg, struct err *err)
{
    struct verification *verification = arg;

    return audit_verify(verification->state_dir, &verification->summary, err);
}

static void verified(void *arg, const struct err *err)
{
    struct verification *verification = arg;

    if (err)
        api_call_error(verification->call, err);
    else
        api_call_json(verification->call, 200,
                      json_pack("{s:I,s:s}", "lines", (json_int_t)verification->summary.lines,
                                "hash", verification->summary.hash));
    free(verification->state_dir);
    free(verification);
}

static bool is_asked(const struct api_call *call, const char *option)
{
    const char *text = api_call_option(call, option);

    return text && !str_equal(text, "false") && !str_equal(text, "0");
}

static void send_log(const struct daemon *daemon, struct api_call *call)
{
    auto_free char *path = audit_path(daemon->config.state_dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct err err;

    if (fd >= 0) {
        api_call_file(call, fd, "application/jsonl", is_asked(call, "follow"));
        return;
    }
    (void)err_errno(&err, "open %s", path);
    api_call_error(call, &err);
}

static void audit(void *arg, struct api_call *call)
{
    struct daemon *daemon = arg;
    struct verification *verification;

    if (!is_asked(call, "verify")) {
        send_log(daemon, call);
        return;
    }
    verification = mem_new(struct verification);
    *verification = (struct verification){ .call = call, .state_dir = str_dup(daemon->config.state_dir) };
    worker_run(daemon->workers, (struct worker_job){ verify, verified, verification, NULL });
}

void bind_audit(struct daemon *daemon)
{
    api_bind(daemon->api, &kind_host, "audit", audit, daemon);
}
