/* drivers/compute/changes.c - reports changed machines once per turn of the loop. */
#include "drivers/compute/changes.h"
#include "base/map.h"

void changes_init(struct changes *changes, const struct compute_setup *setup)
{
    *changes = (struct changes){ .setup = setup, .uids = map_new(NULL) };
}

void changes_done(struct changes *changes)
{
    loop_source_free(changes->report);
    map_free(changes->uids);
    *changes = (struct changes){ 0 };
}

static void report(void *arg)
{
    struct changes *changes = arg;
    struct map *uids = changes->uids;
    const char *uid;

    loop_source_free(changes->report);
    changes->report = NULL;
    changes->uids = map_new(NULL);
    for (size_t at = 0; map_next(uids, &at, &uid, NULL);)
        changes->setup->changed(changes->setup->arg, uid);
    map_free(uids);
}

void changes_add(struct changes *changes, const char *uid)
{
    if (!changes->setup->changed)
        return;
    map_set(changes->uids, uid, NULL);
    if (!changes->report)
        changes->report = loop_defer(changes->setup->loop, report, changes);
}
