/* drivers/balancer/haproxy/members.c - from the members wanted and the servers there are to the
 * commands between the two. */
#include "drivers/balancer/haproxy/members.h"
#include "base/map.h"
#include "drivers/balancer/haproxy/runtime.h"
#include <stdlib.h>
#include <string.h>

enum server_state server_state_of(const char *status)
{
    if (str_starts(status, "UP") || str_starts(status, "no check") || str_starts(status, "NOLB"))
        return SERVER_UP;
    if (str_starts(status, "DRAIN"))
        return SERVER_DRAINING;
    return str_starts(status, "MAINT") ? SERVER_RESTING : SERVER_DOWN;
}

/* Commands of one line are parted by ';'. A new line is begun where one could grow too long. */
struct plan {
    struct buf *to;
    size_t line_start;
};

static void begin(struct plan *plan)
{
    enum { ROOM = 1024 }; /* for all commands about one server */

    if (plan->to->size - plan->line_start < RUNTIME_LINE_MAX - ROOM)
        return;
    buf_add_char(plan->to, '\n');
    plan->line_start = plan->to->size;
}

static void add_server(struct plan *plan, const struct balancer_backend *backend,
                       const struct balancer_member *member)
{
    bool is_checked = backend->health.type != BALANCER_CHECK_NONE;
    auto_free char *name = str_printf(BACKEND_PREFIX "%s/%s", backend->name, member->id);

    buf_printf(plan->to, "add server %s ", name);
    config_server(backend, member, plan->to);
    /* Drained first: whether it is up can't be said of one in maintenance, and it is to get nothing
     * until its check has passed. */
    buf_printf(plan->to, ";set server %s state drain;", name);
    if (is_checked)
        buf_printf(plan->to, "enable health %s;", name);
    if (backend->health.type == BALANCER_CHECK_AGENT)
        buf_printf(plan->to, "enable agent %s;", name);
    if (is_checked && !member->is_proven)
        buf_printf(plan->to, "set server %s health down;", name);
    if (backend->cookie)
        buf_printf(plan->to, "enable dynamic-cookie backend " BACKEND_PREFIX "%s;", backend->name);
    if (!member->is_draining)
        buf_printf(plan->to, "set server %s state ready;", name);
}

static void remove_server(struct plan *plan, const struct seen_server *server)
{
    auto_free char *name = str_printf(BACKEND_PREFIX "%s/%s", server->backend, server->id);

    begin(plan);
    buf_printf(
        plan->to,
        "disable agent %s;set server %s state maint;shutdown sessions server %s;del server %s;",
        name, name, name, name);
}

/* "drain" lets clients in who come with the cookie of the server, for as long as they come. */
static const char *drained_state(const struct balancer_backend *backend) { return backend->cookie ? "maint" : "drain"; }

static void adjust(struct plan *plan, const struct balancer_backend *backend,
                   const struct balancer_member *member, const struct seen_server *server)
{
    enum server_state state = server_state_of(server->status);
    bool is_drained = str_equal(server->status, backend->cookie ? "MAINT" : "DRAIN"); /* by us, not by its agent */

    begin(plan);
    if (member->is_draining && !is_drained)
        buf_printf(plan->to, "set server " BACKEND_PREFIX "%s/%s state %s;", backend->name, member->id,
                   drained_state(backend));
    else if (!member->is_draining &&
             (is_drained || state == SERVER_RESTING || str_equal(server->status, "DRAIN")))
        buf_printf(plan->to,
                   "set server " BACKEND_PREFIX "%s/%s state ready;set server " BACKEND_PREFIX
                   "%s/%s weight 1;",
                   backend->name, member->id, backend->name, member->id);
    else if (state == SERVER_DOWN && member->is_proven && !server->was_up)
        buf_printf(plan->to, "set server " BACKEND_PREFIX "%s/%s health up;", backend->name,
                   member->id);
}

static char *key_of(const char *backend, const char *id)
{
    return str_printf("%s/%s", backend, id);
}

static bool has_address(const struct seen_server *server, const struct balancer_member *member)
{
    char endpoint[ENDPOINT_TEXT_SIZE];

    endpoint_format(&member->addr, member->port, endpoint);
    return str_equal(server->address, endpoint);
}

static void plan_backend(struct plan *plan, const struct balancer_backend *backend, bool draining,
                         struct map *servers, size_t *missing)
{
    for (size_t i = 0; i < backend->member_count; i++) {
        const struct balancer_member *member = &backend->members[i];
        if (member->is_draining != draining)
            continue;
        auto_free char *key = key_of(backend->name, member->id);
        const struct seen_server *server = map_get(servers, key);

        if (server && !has_address(server, member)) {
            (*missing)++; /* goes first and comes again with the next plan */
            continue;
        }
        if (server) {
            adjust(plan, backend, member, server);
            map_remove(servers, key);
            continue;
        }
        begin(plan);
        add_server(plan, backend, member);
        (*missing)++;
    }
}

void members_plan(const struct balancer_config *config, const struct seen_server *seen,
                  size_t seen_count, struct buf *ret_commands, size_t *ret_missing)
{
    struct plan plan = { ret_commands, ret_commands->size };
    auto_clean(map_free_auto) struct map *unwanted = map_new(NULL);
    void *server;

    for (size_t i = 0; i < seen_count; i++) {
        auto_free char *key = key_of(seen[i].backend, seen[i].id);
        map_set(unwanted, key, (void *)&seen[i]);
    }
    *ret_missing = 0;
    for (size_t i = 0; i < config->backend_count; i++)
        plan_backend(&plan, &config->backends[i], false, unwanted, ret_missing);
    for (size_t i = 0; i < config->backend_count; i++)
        plan_backend(&plan, &config->backends[i], true, unwanted, ret_missing);
    for (size_t at = 0; map_next(unwanted, &at, NULL, &server);)
        remove_server(&plan, server);
}
