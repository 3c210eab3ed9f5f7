/* control/dependencies.c - who looks at whom: a change of one has the others called again. */
#include "control/internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

static void free_set(void *set) { map_free(set); }

static struct map *dependents(struct control *control)
{
    if (!control->dependents)
        control->dependents = map_new(free_set);
    return control->dependents;
}

void dependencies_clear(struct entry *entry)
{
    for (size_t i = 0; i < entry->depends_on_count; i++) {
        struct map *set = map_get(dependents(entry->control), entry->depends_on[i]);

        if (set) {
            map_remove(set, entry->key);
            if (map_count(set) == 0)
                map_remove(entry->control->dependents, entry->depends_on[i]);
        }
        free(entry->depends_on[i]);
    }
    entry->depends_on_count = 0;
}

void dependencies_add(struct entry *entry, const char *key)
{
    struct map *all = dependents(entry->control);
    struct map *set = map_get(all, key);

    if (!set) {
        set = map_new(NULL);
        map_set(all, key, set);
    }
    if (map_has(set, entry->key))
        return;
    map_set(set, entry->key, entry);
    entry->depends_on = mem_resize(entry->depends_on,
                                   (entry->depends_on_count + 1) * sizeof entry->depends_on[0]);
    entry->depends_on[entry->depends_on_count++] = str_dup(key);
}

void dependencies_wake(struct control *control, const char *key)
{
    struct map *set = map_get(dependents(control), key);
    const char *waiting;

    if (!set)
        return;
    for (size_t at = 0; map_next(set, &at, &waiting, NULL);) {
        struct entry *entry = entry_get(control, waiting);
        if (entry)
            entry_queue(entry);
    }
}
