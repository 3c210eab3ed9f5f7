/* daemon/bind_host.c - shutdown: all instances of this host down, in order. */
#include "daemon/assemble.h"
#include "kinds/tables/tables.h"
#include "base/str.h"
#include "store/object.h"

static void all_stopped(void *arg, const struct err *err)
{
    struct api_call *call = arg;

    if (err)
        api_call_error(call, err);
    else
        api_call_json(call, 200, json_pack("{s:s}", "message", "all instances are stopped"));
}

static void shutdown_host(void *arg, struct api_call *call)
{
    struct daemon *daemon = arg;
    const char *name = object_name(api_call_object(call));
    struct err err;

    if (str_equal(name, daemon->config.host_name)) {
        control_shutdown_host(daemon->control, (struct done){ all_stopped, call });
        return;
    }
    (void)err_set(&err, ERR_CONFLICT, "host %s is not served by this virgad", name);
    api_call_error(call, &err);
}

void bind_host(struct daemon *daemon) { api_bind(daemon->api, &kind_host, "shutdown", shutdown_host, daemon); }
