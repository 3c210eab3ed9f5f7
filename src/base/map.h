/* base/map.h - a hash map from text to a pointer. Keys are copied. Order is by insertion
 * for map_next(), which tolerates removal of any entry, but no new ones, between
 * its calls. */
#pragma once
#include "auto.h"
#include <stdbool.h>
#include <stddef.h>

struct map;

/* 'free_value' (may be NULL) is called for each value that is replaced, removed
 * or still there when the map is freed. */
struct map *map_new(void (*free_value)(void *value));
void map_free(struct map *map);
DEFINE_AUTO(struct map, map_free)

void *map_get(const struct map *map, const char *key); /* NULL when absent */
bool map_has(const struct map *map, const char *key);
void map_set(struct map *map, const char *key, void *value);
bool map_remove(struct map *map, const char *key);     /* false when absent */
void *map_take(struct map *map, const char *key);      /* removes without free_value */
size_t map_count(const struct map *map);

/* Copies of the keys, by insertion, and NULL; the caller frees each and the list. */
char **map_keys(const struct map *map);

/* for (size_t at = 0; map_next(map, &at, &key, &value);) ... Either result may be NULL. */
bool map_next(const struct map *map, size_t *at, const char **ret_key, void **ret_value);
