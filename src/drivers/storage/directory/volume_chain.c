/* drivers/storage/directory/volume_chain.c - the files that stand on each other below a volume. */
#include "base/str.h"
#include "drivers/storage/directory/volume.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void volume_chain_done(struct volume_chain *chain)
{
    for (unsigned i = 0; i < chain->count; i++)
        free(chain->paths[i]);
    chain->count = 0;
}

static int add(struct volume_chain *chain, char *take_path, struct err *err)
{
    if (chain->count == DISK_CHAIN_MAX) {
        free(take_path);
        return err_set(err, ERR_TOO_LARGE, "more than %d files stand on each other", DISK_CHAIN_MAX);
    }
    chain->paths[chain->count++] = take_path;
    return 0;
}

/* From a volume to what it stands on. */
static int read_next(const char *pool, struct volume_facts *facts, struct err *err)
{
    char uid[IMAGE_UID_SIZE];

    memcpy(uid, facts->parent_uid, sizeof uid);
    return volume_facts_read(pool, uid, facts, err);
}

static int follow(const struct place *place, const char *pool, const char *uid, struct volume_chain *chain,
                  struct err *err)
{
    struct volume_facts facts = { 0 };

    snprintf(facts.parent_uid, sizeof facts.parent_uid, "%s", uid);
    while (facts.parent_uid[0]) {
        char *path = place_volume(pool, facts.parent_uid, "disk.qcow2");

        if (add(chain, path, err) < 0 || read_next(pool, &facts, err) < 0)
            return -1;
    }
    return facts.image_uid[0] ? add(chain, place_image(place, facts.image_uid, "disk.qcow2"), err) : 0;
}

int volume_chain_read(const struct place *place, const char *pool, const char *uid,
                      struct volume_chain *ret_chain, struct err *err)
{
    *ret_chain = (struct volume_chain){ 0 };
    if (follow(place, pool, uid, ret_chain, err) == 0)
        return 0;
    volume_chain_done(ret_chain);
    return -1;
}
