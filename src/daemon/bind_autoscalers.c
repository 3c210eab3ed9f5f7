/* daemon/bind_autoscalers.c - decisions and samples of an Autoscaler, as JSON lines; metrics that
 * are pushed for a group. */
#include "daemon/assemble.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "control/autoscaler_logbook.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The lines are copied by a worker into a file without a name, which then is sent. */
struct recall {
    struct api_call *call;
    char *state_dir, *uid;
    enum logbook_part part;
    int64_t since_ms;
    int fd;
};

static int copy_job(void *arg, struct err *err)
{
    struct recall *recall = arg;

    recall->fd = open(recall->state_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (recall->fd < 0)
        return err_errno(err, "make room for the history");
    if (logbook_copy(recall->state_dir, recall->uid, recall->part, recall->since_ms, recall->fd,
                     err) < 0)
        return -1;
    return lseek(recall->fd, 0, SEEK_SET) < 0 ? err_errno(err, "history") : 0;
}

static void copied(void *arg, const struct err *err)
{
    struct recall *recall = arg;

    if (!err)
        api_call_file(recall->call, recall->fd, "application/jsonl", false);
    else {
        if (recall->fd >= 0)
            close(recall->fd);
        api_call_error(recall->call, err);
    }
    free(recall->state_dir);
    free(recall->uid);
    free(recall);
}

/* "last=1h": how far back; absent: all there is. */
static int read_since(const struct daemon *daemon, const struct api_call *call,
                      int64_t *ret_since_ms, struct err *err)
{
    const char *last = api_call_option(call, "last");
    int64_t back_ms;

    *ret_since_ms = 0;
    if (!last)
        return 0;
    if (duration_parse(last, &back_ms, err) < 0) {
        err->code = ERR_BAD_REQUEST;
        return err_wrap(err, "last");
    }
    *ret_since_ms = loop_wall_ms(daemon->loop) - back_ms;
    return 0;
}

static void send_history(struct daemon *daemon, struct api_call *call, enum logbook_part part)
{
    const char *uid = object_uid(api_call_object(call));
    auto_free char *lane = logbook_lane(uid);
    struct recall *recall;
    int64_t since_ms;
    struct err err;

    if (read_since(daemon, call, &since_ms, &err) < 0) {
        api_call_error(call, &err);
        return;
    }
    control_write_logbook(daemon->control, uid);
    recall = mem_new(struct recall);
    *recall = (struct recall){ call,         str_dup(daemon->config.state_dir),
                               str_dup(uid), part,
                               since_ms,     -1 };
    worker_run(daemon->workers, (struct worker_job){ copy_job, copied, recall, lane });
}

static void decisions(void *arg, struct api_call *call)
{
    send_history(arg, call, LOGBOOK_DECISIONS);
}
static void samples(void *arg, struct api_call *call) { send_history(arg, call, LOGBOOK_SAMPLES); }

/* --- metrics --- */

static int read_metric(const json_t *item, struct pushed_metric *ret_pushed, struct err *err)
{
    const json_t *value = json_object_get(item, "value");

    *ret_pushed = (struct pushed_metric){ json_text_at(item, "name", NULL), json_text_at(item, "member", NULL),
                                          json_number_value(value) };
    if (str_is_empty(ret_pushed->name))
        return err_set(err, ERR_BAD_REQUEST, "name: is required");
    if (json_object_get(item, "member") && str_is_empty(ret_pushed->member))
        return err_set(err, ERR_BAD_REQUEST, "member: must be the name of a member");
    return json_is_number(value) ? 0 : err_set(err, ERR_BAD_REQUEST, "value: must be a number");
}

static int push_all(struct daemon *daemon, const json_t *group, const json_t *items,
                    struct err *err)
{
    size_t count = json_array_size(items);
    auto_free struct pushed_metric *pushed = mem_array(count + 1, sizeof *pushed);

    if (count == 0)
        return err_set(err, ERR_BAD_REQUEST, "metrics: must be a list of at least one value");
    for (size_t i = 0; i < count; i++)
        if (read_metric(json_array_get(items, i), &pushed[i], err) < 0)
            return err_wrap(err, "metrics[%zu]", i);
    return control_push_metrics(daemon->control, object_namespace(group), object_name(group), pushed, count, err);
}

static void metrics(void *arg, struct api_call *call)
{
    struct err err;

    if (push_all(arg, api_call_object(call), json_object_get(api_call_body(call), "metrics"),
                 &err) < 0)
        api_call_error(call, &err);
    else
        api_call_json(call, 200, json_object());
}

void bind_autoscalers(struct daemon *daemon)
{
    static const struct kind *const kinds[] = { &kind_autoscaler, &kind_hpa };

    api_bind(daemon->api, &kind_instance_group, "metrics", metrics, daemon);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        api_bind(daemon->api, kinds[i], "decisions", decisions, daemon);
        api_bind(daemon->api, kinds[i], "samples", samples, daemon);
    }
}
