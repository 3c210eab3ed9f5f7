/* control/decoded.c - the latest objects, decoded once.
 *
 * A change of one member of a group has all members looked at, by the group, its balancer and its
 * network: to decode each of them again took most of the processor time of a group that grows. What is
 * kept is bounded, and found by the revision, which no two versions of objects share. */
#include "control/internal.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/object.h"
#include <stdlib.h>

enum { SLOTS = DECODED_MAX, SIZE_MAX_KEPT = 32 * 1024 };

struct decoded {
    struct {
        char *key;
        int64_t revision;
        json_t *object;
    } slots[SLOTS];
};

struct decoded *decoded_new(void) { return mem_new(struct decoded); }

void decoded_free(struct decoded *decoded)
{
    if (!decoded)
        return;
    for (unsigned i = 0; i < SLOTS; i++) {
        free(decoded->slots[i].key);
        json_decref(decoded->slots[i].object);
    }
    free(decoded);
}

json_t *decoded_get(struct decoded *decoded, const struct record *record)
{
    unsigned i = (uint64_t)record->revision % SLOTS;

    if (record->size > SIZE_MAX_KEPT)
        return object_decode(record);
    if (decoded->slots[i].revision != record->revision || !str_equal(decoded->slots[i].key, record->key)) {
        free(decoded->slots[i].key);
        json_decref(decoded->slots[i].object);
        decoded->slots[i].key = str_dup(record->key);
        decoded->slots[i].revision = record->revision;
        decoded->slots[i].object = object_decode(record);
    }
    return json_incref(decoded->slots[i].object);
}
