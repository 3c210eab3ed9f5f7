/* tests/sim/watchdog.c - what must hold at every step. Every committed record passes here, in order
 * of revisions and before the next event. */
#include "sim.h"
#include "api/index.h"
#include "base/mem.h"
#include "control/internal.h"
#include "drivers/compute/fake/world.h"
#include "drivers/network/fake/world.h"
#include "store/record.h"
#include <stdlib.h>
#include <string.h>

enum { LOOK_INSIDE_STEPS = 64 };

/* --- things --- */

static void thing_free(void *pointer)
{
    struct thing *thing = pointer;

    json_decref(thing->object);
    free(thing->key);
    free(thing->uid);
    free(thing);
}

struct thing *thing_here(struct sim *sim, const char *uid)
{
    struct thing *thing;

    watchdog_look(sim);
    thing = map_get(sim->by_uid, uid);
    return thing && !thing->is_gone ? thing : NULL;
}

struct thing *thing_named(struct sim *sim, const struct kind *kind, const char *namespace_name,
                          const char *name)
{
    auto_free char *key = object_key(kind->group, kind->plural,
                                     kind->flags & KIND_NAMESPACED ? namespace_name : "", name);

    return map_get(sim->by_key, key);
}

const char *thing_text(const struct thing *thing, const char *path)
{
    return json_text_at(thing->object, path, NULL);
}

bool thing_is_deleting(const struct thing *thing) { return object_is_deleting(thing->object); }

static int64_t generation_of(const json_t *object) { return json_int_at(object, "metadata.generation", 0); }

/* --- an object goes --- */

static void check_no_port(struct sim *sim, const struct thing *thing)
{
    const char *id;
    void *network;

    for (size_t at = 0; map_next(sim->networks->networks, &at, NULL, &network);)
        for (size_t in = 0; map_next(((struct fake_network *)network)->ports, &in, &id, NULL);)
            if (str_starts(id, thing->uid))
                sim_fail(sim, "%s is gone, and its port %s is there", thing->key, id);
}

static void check_nothing_left(struct sim *sim, const struct thing *thing)
{
    auto_free char *disks = storage_fake_describe(sim->disks);

    if (fake_machine_find(sim->machines, thing->uid))
        sim_fail(sim, "%s is gone, and its machine is there", thing->key);
    if (map_has(sim->networks->networks, thing->uid))
        sim_fail(sim, "%s is gone, and the network is there", thing->key);
    if (strstr(disks, thing->uid))
        sim_fail(sim, "%s is gone, and a file of it is there", thing->key);
    if (thing->kind == &kind_instance)
        check_no_port(sim, thing);
}

/* Its root volume is to outlive it. */
static bool retains(const struct thing *owner)
{
    return str_equal(thing_text(owner, "spec.rootDisk.deletePolicy"), "Retain");
}

static bool was_wished(struct sim *sim, const struct thing *thing, const json_t *object)
{
    const json_t *owners = json_at(object, "metadata.ownerReferences");

    if (thing->deletion_wished || thing->kind == &kind_event)
        return true;
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const struct thing *owner = map_get(sim->by_uid, json_text_at(json_array_get(owners, i), "uid", ""));
        if (owner && owner->deletion_wished && !owner->spares_dependents && !retains(owner))
            return true;
    }
    return false;
}

static void thing_goes(struct sim *sim, struct thing *thing)
{
    if (!thing_is_deleting(thing) && !was_wished(sim, thing, thing->object))
        sim_fail(sim, "%s was deleted, and nobody wished it", thing->key);
    thing->is_gone = true;
    map_remove(sim->by_key, thing->key);
    if (thing->kind != &kind_event)
        sim_trace(sim, "  gone: %s", thing->key);
    if (!sim->is_restored) /* else it may have had more than an older store knows */
        check_nothing_left(sim, thing);
}

/* --- an object comes or changes --- */

static struct thing *thing_comes(struct sim *sim, const struct record *record, json_t *object)
{
    struct thing *thing = mem_new(struct thing);

    *thing = (struct thing){ .kind = index_kind(record->key),
                             .key = str_dup(record->key),
                             .uid = str_dup(object_uid(object)),
                             .deletion_wished = object_is_deleting(object) /* in a restored store */ };
    if (map_has(sim->by_uid, thing->uid))
        sim_fail(sim, "%s has the uid of something before it", thing->key);
    map_set(sim->by_key, thing->key, thing);
    map_set(sim->by_uid, thing->uid, thing);
    return thing;
}

/* The Instance controller enlarges its root volume. */
static bool may_grow(const struct thing *thing, const json_t *object)
{
    const json_t *annotations = json_at(object, "metadata.annotations");

    return thing->kind == &kind_volume && json_object_get(annotations, "virga.dev/root-of") &&
           view_bytes(&kind_volume, object, "spec.size") >
               view_bytes(&kind_volume, thing->object, "spec.size");
}

static bool has_same_spec(const json_t *a, const json_t *b)
{
    const json_t *mine = json_object_get(a, "spec"), *its = json_object_get(b, "spec");

    return (!mine && !its) || json_equal(mine, its);
}

static void check_spec(struct sim *sim, const struct thing *thing, const json_t *object)
{
    bool is_same = has_same_spec(thing->object, object);
    bool was_deleting = thing_is_deleting(thing), is_deleting = object_is_deleting(object);
    int64_t before = generation_of(thing->object), now = generation_of(object);

    if (!is_same && !thing->writes && !may_grow(thing, object))
        sim_fail(sim, "the spec of %s was changed, and no user did it", thing->key);
    if (was_deleting && !is_deleting)
        sim_fail(sim, "%s is no longer being deleted", thing->key);
    if (!was_deleting && is_deleting && !was_wished(sim, thing, object))
        sim_fail(sim, "%s is being deleted, and nobody wished it", thing->key);
    if (thing->kind->flags & KIND_NO_GENERATION)
        return;
    if (now < before || (now == before && !is_same) ||
        (now > before && is_same && was_deleting == is_deleting))
        sim_fail(sim, "the generation of %s went from %lld to %lld", thing->key, (long long)before,
                 (long long)now);
}

static void check_observed(struct sim *sim, const struct thing *thing, const json_t *object)
{
    int64_t observed = json_int_at(object, "status.observedGeneration", 0);

    if (observed > generation_of(object))
        sim_fail(sim, "%s: generation %lld observed, %lld is the last", thing->key, (long long)observed,
                 (long long)generation_of(object));
    if (thing->object && observed < json_int_at(thing->object, "status.observedGeneration", 0))
        sim_fail(sim, "%s: the observed generation fell to %lld", thing->key, (long long)observed);
}

/* A machine has to be where its addresses are: they stay while it runs. */
static void check_addresses(struct sim *sim, const struct thing *thing, const json_t *object)
{
    static const char *const fields[] = { "macAddress", "ipv4Address", "ipv6Address" };
    const json_t *cards = json_at(object, "status.networks");
    void *each;

    for (size_t at = 0; map_next(sim->by_key, &at, NULL, &each);) {
        const struct thing *other = each;
        const json_t *theirs = json_at(other->object, "status.networks");
        if (other->kind != &kind_instance || other == thing)
            continue;
        for (size_t i = 0; i < json_array_size(cards) * json_array_size(theirs); i++) {
            const json_t *mine = json_array_get(cards, i % json_array_size(cards));
            const json_t *its = json_array_get(theirs, i / json_array_size(cards));
            if (!str_equal(json_text_at(mine, "networkUID", ""), json_text_at(its, "networkUID", "")))
                continue;
            for (unsigned j = 0; j < 3; j++)
                if (json_object_get(mine, fields[j]) &&
                    json_equal(json_object_get(mine, fields[j]), json_object_get(its, fields[j])))
                    sim_fail(sim, "%s and %s both have %s", thing->key, other->key,
                             json_text_at(mine, fields[j], ""));
        }
    }
}

static void tell(struct sim *sim, const struct thing *thing, const json_t *object)
{
    if (!sim->traces || thing->kind == &kind_event)
        return;
    auto_free char *spec = json_text(json_at(object, "spec") ? json_at(object, "spec") : json_null());
    bool is_new = !thing->object || !has_same_spec(thing->object, object);
    sim_trace(sim, "  stored: %s r%s g%lld/%lld%s %s %s%s%s", thing->key,
              json_text_at(object, "metadata.resourceVersion", "?"),
              (long long)json_int_at(object, "status.observedGeneration", 0),
              (long long)generation_of(object), object_is_deleting(object) ? " deleting" : "",
              json_text_at(object, "status.phase", "-"), json_text_at(object, "status.message", ""),
              is_new ? " spec " : "", is_new ? spec : "");
}

static void record_seen(struct sim *sim, struct record *record)
{
    struct thing *thing = map_get(sim->by_key, record->key);
    json_t *object = object_decode(record);

    if (record_is_deleted(record)) {
        if (!thing || !str_equal(thing->uid, object_uid(object)))
            sim_fail(sim, "%s was deleted, and was not there", record->key);
        json_decref(object);
        thing_goes(sim, thing);
        return;
    }
    if (!thing)
        thing = thing_comes(sim, record, object);
    else if (!str_equal(thing->uid, object_uid(object)))
        sim_fail(sim, "%s became another object", thing->key);
    else
        check_spec(sim, thing, object);
    check_observed(sim, thing, object);
    if (thing->kind == &kind_instance)
        check_addresses(sim, thing, object);
    tell(sim, thing, object);
    json_decref(thing->object);
    thing->object = object;
    thing->revision = record->revision;
}

/* --- every record passes the hook of the API, and ours --- */

static void *hook(void *arg, const struct record *record)
{
    struct sim *sim = arg;

    if (sim->fresh_count == sim->fresh_capacity) {
        sim->fresh_capacity = sim->fresh_capacity ? 2 * sim->fresh_capacity : 64;
        sim->fresh = mem_resize(sim->fresh, sim->fresh_capacity * sizeof sim->fresh[0]);
    }
    sim->fresh[sim->fresh_count++] = record_ref((struct record *)record);
    return index_hook().make(index_hook().arg, record);
}

static void forget_things(struct sim *sim)
{
    map_free(sim->by_key);
    map_free(sim->by_uid);
    sim->by_key = map_new(NULL);
    sim->by_uid = map_new(thing_free);
}

void watchdog_forgets(struct sim *sim)
{
    while (sim->fresh_count)
        record_unref(sim->fresh[--sim->fresh_count]);
    forget_things(sim);
}

bool stranger_may_go(struct sim *sim, const char *uid)
{
    const struct thing *host = thing_named(sim, &kind_host, "", HOST_NAME);
    const json_t *annotations = host ? json_at(host->object, "metadata.annotations") : NULL;
    const char *named = json_string_value(json_object_get(annotations, "virga.dev/remove-unknown"));

    return named && strstr(named, uid);
}

void watchdog_begin(struct sim *sim)
{
    struct store_index index = { hook, index_hook().free_extra, sim };

    forget_things(sim);
    store_set_index(sim->store, index);
    watchdog_look(sim);
}

void watchdog_end(struct sim *sim)
{
    while (sim->fresh_count)
        record_unref(sim->fresh[--sim->fresh_count]);
    free(sim->fresh);
    map_free(sim->by_key);
    map_free(sim->by_uid);
}

/* What waits somewhere is bounded by what there is. */
static void look_inside(struct sim *sim)
{
    const struct control *control = sim->control;
    size_t objects = map_count(sim->by_key), queued = 0;

    for (const struct entry *entry = control->queue_first; entry; entry = entry->next)
        queued++;
    if (queued > map_count(control->entries) || map_count(control->entries) > objects + 64)
        sim_fail(sim, "%zu keys wait, %zu are known, %zu objects are there", queued,
                 map_count(control->entries), objects);
    if (map_count(control->results) > 8 * (objects + 8))
        sim_fail(sim, "%zu results are kept for %zu objects", map_count(control->results), objects);
    if (map_count(control->keys_by_uid) > objects + 64)
        sim_fail(sim, "%zu uids are kept for %zu objects", map_count(control->keys_by_uid), objects);
}

void watchdog_look(struct sim *sim)
{
    for (size_t i = 0; i < sim->fresh_count; i++) {
        record_seen(sim, sim->fresh[i]);
        record_unref(sim->fresh[i]);
    }
    sim->fresh_count = 0;
    if (network_fake_violation(sim->networks) && !sim->is_restored)
        sim_fail(sim, "%s", network_fake_violation(sim->networks));
    if (storage_fake_violation(sim->disks))
        sim_fail(sim, "%s", storage_fake_violation(sim->disks));
    if (sim->control && sim->counts->steps % LOOK_INSIDE_STEPS == 0)
        look_inside(sim);
}

/* What a user was told of is there after the crash, or something later. */
void watchdog_crashed(struct sim *sim)
{
    void *each;

    watchdog_look(sim);
    for (size_t at = 0; map_next(sim->by_key, &at, NULL, &each);) {
        struct thing *thing = each;
        struct record *record = sim->store->ops->get(sim->store, thing->key);
        if (!record || record->revision < thing->acknowledged)
            sim_fail(sim, "%s at revision %lld was acknowledged and is lost", thing->key,
                     (long long)thing->acknowledged);
        record_unref(record);
        thing->writes = 0;
        thing->deletion_wished &= thing_is_deleting(thing); /* else it was cut off */
    }
}
