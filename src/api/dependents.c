/* api/dependents.c - which stored objects name which owner. */
#include "api/dependents.h"
#include "api/index.h"
#include "api/scan.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

struct dependents {
    struct map *by_uid; /* owner's uid -> struct map of keys */
};

static void free_keys(void *keys) { map_free(keys); }

struct dependents *dependents_new(void)
{
    struct dependents *dependents = mem_new(struct dependents);

    dependents->by_uid = map_new(free_keys);
    return dependents;
}

void dependents_free(struct dependents *dependents)
{
    if (!dependents)
        return;
    map_free(dependents->by_uid);
    free(dependents);
}

static void add(struct dependents *dependents, const char *uid, const char *key)
{
    struct map *keys = map_get(dependents->by_uid, uid);

    if (!keys) {
        keys = map_new(NULL);
        map_set(dependents->by_uid, uid, keys);
    }
    map_set(keys, key, NULL);
}

static void drop(struct dependents *dependents, const char *uid, const char *key)
{
    struct map *keys = map_get(dependents->by_uid, uid);

    if (!keys)
        return;
    map_remove(keys, key);
    if (map_count(keys) == 0)
        map_remove(dependents->by_uid, uid);
}

typedef void change_fn(struct dependents *dependents, const char *uid, const char *key);

static void each_owner(struct dependents *dependents, const struct record *record, change_fn *fn)
{
    struct scan owners, name, owner;

    if (!record || !index_has_owners(record))
        return;
    owners = scan_path(scan_text(record->bytes, record->size), "metadata.ownerReferences");
    for (const char *at = NULL; scan_next(owners, &at, &name, &owner);) {
        auto_free char *uid = scan_copy(scan_member(owner, "uid"));
        if (uid)
            fn(dependents, uid, record->key);
    }
}

void dependents_update(struct dependents *dependents, const struct record *before,
                       const struct record *now)
{
    each_owner(dependents, before, drop);
    each_owner(dependents, now, add);
}

const struct map *dependents_of(const struct dependents *dependents, const char *uid)
{
    return map_get(dependents->by_uid, uid);
}
