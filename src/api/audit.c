/* api/audit.c - one entry for every write and every refused request.
 *
 * No bodies: they may hold secrets. Of requests by nobody at all only so many a second get an entry
 * of their own, or whoever reaches the port could drown the others. */
#include "api/audit.h"
#include "api/internal.h"
#include "api/request.h"
#include "base/quantity.h"

enum { STRANGERS_PER_SECOND = 10 };

/* A console is opened by a GET, and so is a guest's file. */
static bool touches_a_guest(const struct connect *connect)
{
    return connect && (connect->websocket || !str_equal(connect->verbs, "GET"));
}

static bool is_write(const struct request *request)
{
    bool reads = request->method == METHOD_GET || request->method == METHOD_HEAD;

    return request->route.type == ROUTE_OBJECT &&
           (!reads || touches_a_guest(request->route.connect));
}

/* Counts a request of nobody; false when there were enough of them in this second. */
static bool has_room(struct api *api)
{
    struct audit_bound *bound = &api->audit_bound;
    int64_t second = loop_now_ms(api->loop) / 1000;

    if (second != bound->second)
        *bound = (struct audit_bound){ second, 0, bound->unmentioned };
    if (bound->count++ < STRANGERS_PER_SECOND)
        return true;
    bound->unmentioned++;
    return false;
}

static void add_unmentioned(json_t *entry, struct audit_bound *bound)
{
    if (bound->unmentioned)
        json_object_set_new(entry, "unmentionedBefore", json_integer((json_int_t)bound->unmentioned));
    bound->unmentioned = 0;
}

static bool is_refused(const struct request *request)
{
    return request->http_status == 401 || request->http_status == 403;
}

static void add_text(json_t *entry, const char *key, const char *text)
{
    if (!str_is_empty(text))
        json_object_set_new(entry, key, json_printf("%s", text));
}

static void add_groups(json_t *entry, const struct api_user *user)
{
    json_t *groups = json_array();

    for (const char *const *group = user->groups; *group; group++)
        json_array_append_new(groups, json_printf("%s", *group));
    json_object_set_new(entry, "groups", groups);
}

static void add_user(json_t *entry, const struct request *request)
{
    if (request->user) {
        add_text(entry, "user", request->user->view.name);
        add_groups(entry, &request->user->view);
        add_text(entry, "impersonator", request->impersonator);
    }
    add_text(entry, "peer", request->connection->peer);
}

static void add_target(json_t *entry, const struct request *request)
{
    const struct route *route = &request->route;

    add_text(entry, "verb", request->verb ? request->verb : request->method_text);
    if (!route->kind) {
        add_text(entry, "path", request->url.text);
        return;
    }
    add_text(entry, "group", route->kind->group);
    add_text(entry, "resource", route->kind->plural);
    add_text(entry, "subresource", route->subresource);
    add_text(entry, "namespace", route->namespace_name);
    add_text(entry, "name", request->object_name ? request->object_name : route->name);
    if (request->is_dry_run)
        json_object_set_new(entry, "dryRun", json_true());
}

void audit_request(struct request *request)
{
    const struct api_options *options = &request->api->options;
    char time[32];

    if (!options->audit || request->audited || (!is_write(request) && !is_refused(request)))
        return;
    request->audited = true;
    if (!request->user && !has_room(request->api))
        return;
    auto_json json_t *entry = json_object();
    time_format(loop_wall_ms(request->api->loop), time, sizeof time);
    add_text(entry, "time", time);
    add_user(entry, request);
    add_target(entry, request);
    json_object_set_new(entry, "code", json_integer(request->http_status));
    add_unmentioned(entry, &request->api->audit_bound);
    options->audit(options->hook_arg, entry);
}
