/* tests/sim/restore.c - an administrator puts back an older backup of the store. */
#include "sim.h"
#include "drivers/compute/fake/world.h"
#include "drivers/network/fake/world.h"
#include <stdlib.h>
#include <string.h>

void store_is_copied(struct sim *sim)
{
    size_t count;
    struct record **records = sim->store->ops->list(sim->store, "/", NULL, 0, &count, NULL);

    sim_trace(sim, "the store is copied");
    json_decref(sim->backup);
    sim->backup = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(sim->backup, json_pack("[s,o]", records[i]->key, object_decode(records[i])));
    record_list_free(records, count);
}

void store_is_put_back(struct sim *sim)
{
    size_t index;
    json_t *item;

    sim_trace(sim, "the older copy of the store is put back");
    sim->counts->restores++;
    sim->is_restored = true;
    watchdog_forgets(sim);
    store_free(sim->store);
    sim->store = store_memory_new(sim->loop);
    watchdog_begin(sim);
    json_array_foreach(sim->backup, index, item) {
        auto_buf struct buf text = { 0 };
        struct store_value value;

        object_encode(json_array_get(item, 1), &text, &value);
        sim->store->ops->put(sim->store, json_string_value(json_array_get(item, 0)), value,
                             STORE_MUST_NOT_EXIST, NULL, NULL);
    }
    store_memory_crash(sim->store, json_array_size(sim->backup)); /* all of it is on disk */
    watchdog_look(sim);
    json_decref(take_pointer(sim->backup));
}

static void add_stranger(struct sim *sim, struct buf *list, const char *uid)
{
    auto_free char *owner = str_dup_part(uid, strcspn(uid, "/"));

    if (!thing_here(sim, owner))
        buf_printf(list, "%s%s", list->size ? "," : "", uid);
}

/* Machines, logs, networks and ports. */
static char *list_strangers(struct sim *sim)
{
    struct buf list = { 0 };
    const char *uid, *id;
    void *network;

    for (size_t at = 0; map_next(sim->machines->machines, &at, &uid, NULL);)
        add_stranger(sim, &list, uid);
    for (size_t at = 0; map_next(sim->machines->logs, &at, &uid, NULL);)
        if (!map_has(sim->machines->machines, uid))
            add_stranger(sim, &list, uid);
    for (size_t at = 0; map_next(sim->networks->networks, &at, &uid, &network);) {
        add_stranger(sim, &list, uid);
        for (size_t in = 0; map_next(((struct fake_network *)network)->ports, &in, &id, NULL);)
            add_stranger(sim, &list, id);
    }
    return buf_take(&list);
}

void strangers_shall_go(struct sim *sim)
{
    auto_free char *uids = list_strangers(sim);

    ask_patch(sim, &kind_host, NULL, HOST_NAME,
              json_pack("{s:{s:{s:s}}}", "metadata", "annotations", "virga.dev/remove-unknown", uids));
}

char *strangers_remain(struct sim *sim)
{
    char *uids = list_strangers(sim);

    if (uids[0])
        return uids;
    free(uids);
    return NULL;
}
