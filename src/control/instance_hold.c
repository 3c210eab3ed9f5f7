/* control/instance_hold.c - instances that others have standing still for a moment. */
#include "control/instance_hold.h"
#include "control/internal.h"
#include "base/map.h"
#include "base/str.h"
#include <stdlib.h>

#define NAME "instance holds"

/* From an instance's uid to the key of the Snapshot that holds it. */
static struct map *holds(struct control *control)
{
    struct map *map = control_extension(control, NAME);

    if (!map) {
        map = map_new(free);
        control_set_extension(control, NAME, map, (void (*)(void *))map_free);
    }
    return map;
}

bool instance_is_held(struct control *control, const char *instance_uid)
{
    const char *key = map_get(holds(control), instance_uid);

    if (key && !entry_get(control, key)) {
        map_remove(holds(control), instance_uid);
        return false;
    }
    return key != NULL;
}

bool instance_hold(struct work *work, const char *instance_uid)
{
    if (instance_is_held(work->control, instance_uid))
        return str_equal(map_get(holds(work->control), instance_uid), work->key);
    map_set(holds(work->control), instance_uid, str_dup(work->key));
    return true;
}

void instance_let_go(struct work *work)
{
    const char *uid;
    void *key;

    for (size_t at = 0; map_next(holds(work->control), &at, &uid, &key);) {
        if (str_equal(key, work->key)) {
            map_remove(holds(work->control), uid);
            return;
        }
    }
}
