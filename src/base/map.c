/* base/map.c - an index of open slots over a dense array of entries in insertion
 * order. Keys come from users, so the hash is SipHash-1-3 under a key drawn at the first use:
 * nobody can choose names that collide. */
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 8 };
enum { SLOT_EMPTY = 0, SLOT_REMOVED = UINT32_MAX }; /* else: entry number + 1 */

struct entry {
    char *key; /* NULL: removed */
    void *value;
    uint64_t hash;
};

struct map {
    void (*free_value)(void *value);
    struct entry *entries; /* as many as may_use(slot_count) */
    uint32_t *slots;
    size_t slot_count; /* a power of two, or 0 before the first entry */
    size_t used;       /* entries in use, removed ones included */
    size_t count;
};

static uint64_t hash_key[2];
static pthread_once_t hash_key_drawn = PTHREAD_ONCE_INIT;

static void draw_hash_key(void) { random_bytes(hash_key, sizeof hash_key); }

static inline uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1], v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash_of(const char *key, size_t length)
{
    uint64_t v[4] = { hash_key[0] ^ 0x736f6d6570736575u, hash_key[1] ^ 0x646f72616e646f6du,
                      hash_key[0] ^ 0x6c7967656e657261u, hash_key[1] ^ 0x7465646279746573u };
    uint64_t last = (uint64_t)length << 56;
    uint64_t word;

    for (; length >= sizeof word; key += sizeof word, length -= sizeof word) {
        memcpy(&word, key, sizeof word);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = 0; i < length; i++)
        last |= (uint64_t)(unsigned char)key[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Three quarters of the slots at most, so that a search soon meets an empty one. */
static size_t may_use(size_t slot_count) { return slot_count / 4 * 3; }

struct map *map_new(void (*free_value)(void *value))
{
    struct map *map = mem_new(struct map);

    pthread_once(&hash_key_drawn, draw_hash_key);
    map->free_value = free_value;
    return map;
}

static void free_value(const struct map *map, void *value)
{
    if (map->free_value && value)
        map->free_value(value);
}

void map_free(struct map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i < map->used; i++) {
        if (!map->entries[i].key)
            continue;
        free_value(map, map->entries[i].value);
        free(map->entries[i].key);
    }
    free(map->entries);
    free(map->slots);
    free(map);
}

/* The slot of 'key', or NULL. */
static uint32_t *find(const struct map *map, const char *key, uint64_t hash)
{
    size_t mask = map->slot_count - 1;

    if (!map->count)
        return NULL;
    for (size_t at = hash & mask; map->slots[at] != SLOT_EMPTY; at = (at + 1) & mask) {
        if (map->slots[at] == SLOT_REMOVED)
            continue;
        const struct entry *entry = &map->entries[map->slots[at] - 1];
        if (entry->hash == hash && strcmp(entry->key, key) == 0)
            return &map->slots[at];
    }
    return NULL;
}

static struct entry *find_entry(const struct map *map, const char *key)
{
    uint32_t *slot = find(map, key, hash_of(key, strlen(key)));

    return slot ? &map->entries[*slot - 1] : NULL;
}

static void index_entry(struct map *map, size_t number)
{
    size_t mask = map->slot_count - 1;
    size_t at = map->entries[number].hash & mask;

    while (map->slots[at] != SLOT_EMPTY)
        at = (at + 1) & mask;
    map->slots[at] = (uint32_t)number + 1;
}

/* New slots with room to spare; the entries close ranks in their order. */
static void rebuild(struct map *map)
{
    struct entry *old = map->entries;
    size_t old_used = map->used;

    if (!map->slot_count)
        map->slot_count = SLOTS_MIN;
    while (map->count >= may_use(map->slot_count) / 2 + 1)
        map->slot_count *= 2;
    assert(map->slot_count < UINT32_MAX);
    map->entries = mem_array(may_use(map->slot_count), sizeof map->entries[0]);
    free(map->slots);
    map->slots = mem_array(map->slot_count, sizeof map->slots[0]);
    map->used = 0;
    for (size_t i = 0; i < old_used; i++) {
        if (!old[i].key)
            continue;
        map->entries[map->used] = old[i];
        index_entry(map, map->used++);
    }
    free(old);
}

void *map_get(const struct map *map, const char *key)
{
    const struct entry *entry = find_entry(map, key);

    return entry ? entry->value : NULL;
}

bool map_has(const struct map *map, const char *key) { return find_entry(map, key) != NULL; }

/* The old value is freed last: its destructor may look into the map. */
static void replace(const struct map *map, struct entry *entry, void *value)
{
    void *old = entry->value;

    entry->value = value;
    if (old != value)
        free_value(map, old);
}

void map_set(struct map *map, const char *key, void *value)
{
    size_t length = strlen(key);
    uint64_t hash = hash_of(key, length);
    uint32_t *slot = find(map, key, hash);

    if (slot) {
        replace(map, &map->entries[*slot - 1], value);
        return;
    }
    if (map->used == may_use(map->slot_count))
        rebuild(map);
    map->entries[map->used] =
        (struct entry){ .key = mem_copy(key, length + 1), .value = value, .hash = hash };
    index_entry(map, map->used++);
    map->count++;
}

/* Every removed slot belongs to a removed entry, so both are bounded by may_use(). */
static bool remove_entry(struct map *map, const char *key, void **ret_value)
{
    uint32_t *slot = find(map, key, hash_of(key, strlen(key)));
    struct entry *entry;

    if (!slot)
        return false;
    entry = &map->entries[*slot - 1];
    *ret_value = entry->value;
    *slot = SLOT_REMOVED;
    free(entry->key); /* 'key' may be this very text: not used from here on */
    *entry = (struct entry){ 0 };
    map->count--;
    return true;
}

bool map_remove(struct map *map, const char *key)
{
    void *value;

    if (!remove_entry(map, key, &value))
        return false;
    free_value(map, value);
    return true;
}

void *map_take(struct map *map, const char *key)
{
    void *value = NULL;

    return remove_entry(map, key, &value) ? value : NULL;
}

size_t map_count(const struct map *map) { return map->count; }

bool map_next(const struct map *map, size_t *at, const char **ret_key, void **ret_value)
{
    while (*at < map->used) {
        const struct entry *entry = &map->entries[(*at)++];

        if (!entry->key)
            continue;
        if (ret_key)
            *ret_key = entry->key;
        if (ret_value)
            *ret_value = entry->value;
        return true;
    }
    return false;
}

char **map_keys(const struct map *map)
{
    char **keys = mem_array(map->count + 1, sizeof *keys), **next = keys;
    const char *key;

    for (size_t at = 0; map_next(map, &at, &key, NULL);)
        *next++ = str_dup(key);
    *next = NULL;
    return keys;
}
