/* tests/sim/desk.c - what a user asks for, by the API's own way of writing: defaults, validation,
 * admission, generation, compare-and-swap; and its garbage collector. */
#include "sim.h"
#include "api/collector.h"
#include "api/delete.h"
#include "api/index.h"
#include "api/patch.h"
#include "api/write.h"
#include "base/mem.h"
#include <stdlib.h>

/* A request that is not answered yet. */
struct ask {
    struct sim *sim;
    char *text;
    struct thing *thing; /* that it is about; NULL for a creation */
    struct ask *next, **link;
};

static void ask_free(struct ask *ask)
{
    *ask->link = ask->next;
    if (ask->next)
        ask->next->link = ask->link;
    free(ask->text);
    free(ask);
}

static struct ask *ask_new(struct sim *sim, const char *verb, const struct kind *kind,
                           const char *namespace_name, const char *name, const json_t *body)
{
    struct ask *ask = mem_new(struct ask);
    auto_free char *shown = body ? json_text(body) : str_dup("");

    *ask = (struct ask){ .sim = sim, .next = sim->asks, .link = &sim->asks };
    if (ask->next)
        ask->next->link = &ask->next;
    sim->asks = ask;
    ask->thing = thing_named(sim, kind, namespace_name, name);
    if (ask->thing)
        ask->thing->writes++;
    ask->text = str_printf("%s %s %s/%s", verb, kind->singular, namespace_name ? namespace_name : "",
                           name);
    sim_trace(sim, "wish: %s %s", ask->text, shown);
    return ask;
}

static void granted(struct ask *ask, const struct record *record)
{
    struct sim *sim = ask->sim;
    struct thing *thing = map_get(sim->by_key, record->key);

    sim_trace(sim, "granted: %s (revision %lld)", ask->text, (long long)record->revision);
    sim->counts->accepted++;
    if (thing && thing->acknowledged < record->revision)
        thing->acknowledged = record->revision;
}

static void answered(void *arg, const struct write *write, const struct failure *failure,
                     const struct record *record, const json_t *object)
{
    struct ask *ask = arg;
    struct sim *sim = ask->sim;
    const char *why = !failure ? "" : failure->message ? failure->message : failure->err.text;

    watchdog_look(sim);
    if (ask->thing)
        ask->thing->writes--;
    if (failure) {
        sim_trace(sim, "refused: %s: %s", ask->text, why);
        sim->counts->refused++;
        if (ask->thing)
            ask->thing->deletion_wished = thing_is_deleting(ask->thing);
    } else {
        granted(ask, record);
    }
    ask_free(ask);
}

/* --- the three verbs --- */

static int make_new(struct write *write, const json_t *old, json_t **ret_object,
                    struct failure *failure)
{
    *ret_object = json_deep_copy(write->body);
    return 0;
}

static int make_patched(struct write *write, const json_t *old, json_t **ret_object,
                        struct failure *failure)
{
    auto_json json_t *merged = patch_merge(old, write->body);

    *ret_object = json_deep_copy(merged);
    return 0;
}

static struct write *write_for(struct ask *ask, const struct kind *kind, const char *namespace_name,
                               const char *name)
{
    struct write *write = write_new(&ask->sim->api, resource_of(&ask->sim->api.resources, kind),
                                    namespace_name, name);

    write->manager = str_dup("user");
    write->validation = VALIDATE_STRICT;
    write->done = answered;
    write->arg = ask;
    return write;
}

void ask_create(struct sim *sim, const struct kind *kind, const char *namespace_name,
                json_t *take_object)
{
    const char *name = json_text_at(take_object, "metadata.name", "");
    struct ask *ask = ask_new(sim, "create", kind, namespace_name, name, take_object);
    struct write *write = write_for(ask, kind, namespace_name, name);

    write->body = take_object;
    write->creates = true;
    write->make = make_new;
    write_start(write);
}

void ask_patch(struct sim *sim, const struct kind *kind, const char *namespace_name,
               const char *name, json_t *take_patch)
{
    struct ask *ask = ask_new(sim, "patch", kind, namespace_name, name, take_patch);
    struct write *write = write_for(ask, kind, namespace_name, name);

    write->body = take_patch;
    write->make = make_patched;
    write_start(write);
}

void ask_delete(struct sim *sim, const struct kind *kind, const char *namespace_name,
                const char *name)
{
    static const struct {
        enum propagation propagation;
        const char *verb;
    } ways[] = { { PROPAGATE_BACKGROUND, "delete" },
                 { PROPAGATE_BACKGROUND, "delete" },
                 { PROPAGATE_FOREGROUND, "delete in the foreground" },
                 { PROPAGATE_ORPHAN, "delete without dependents" } };
    uint64_t way = sim_draw(sim, 4);
    struct delete_options options = { .propagation = ways[way].propagation, .grace_seconds = -1 };
    struct ask *ask = ask_new(sim, ways[way].verb, kind, namespace_name, name, NULL);
    struct write *write = write_for(ask, kind, namespace_name, name);

    if (ask->thing && !ask->thing->deletion_wished) {
        ask->thing->deletion_wished = true;
        ask->thing->spares_dependents = options.propagation == PROPAGATE_ORPHAN;
    }
    delete_prepare(write, &options);
    write_start(write);
}

/* --- the server behind it --- */

static void fill(void *arg, const struct kind *kind, json_t *object)
{
    struct sim *sim = arg;

    if (sim->control)
        control_fill(sim->control, kind, object);
}

static void admit(void *arg, const struct kind *kind, json_t *object, const json_t *old,
                  struct causes *causes)
{
    struct sim *sim = arg;

    if (sim->control)
        control_admit(sim->control, kind, object, old, causes);
}

void desk_open(struct sim *sim)
{
    struct api *api = &sim->api;

    *api = (struct api){ .loop = sim->loop, .store = sim->store };
    api->options = (struct api_options){ .loop = sim->loop,
                                         .store = sim->store,
                                         .host_name = HOST_NAME,
                                         .fill = fill,
                                         .admit = admit,
                                         .hook_arg = sim };
    resources_init(&api->resources);
    api->writes_by_key = map_new(NULL);
    api->collector = collector_new(api);
}

/* Requests under way are cut: whether they were carried out nobody knows. */
void desk_close(struct sim *sim)
{
    struct api *api = &sim->api;

    api->stopping = true;
    collector_free(api->collector);
    writes_orphan(api);
    resources_done(&api->resources);
    map_free(api->writes_by_key);
    while (sim->asks) {
        sim_trace(sim, "cut off: %s", sim->asks->text);
        sim->counts->cut++;
        ask_free(sim->asks);
    }
}
