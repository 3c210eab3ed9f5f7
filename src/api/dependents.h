/* api/dependents.h - which stored objects name which owner, by UID. Pure bookkeeping. */
#pragma once
#include "base/map.h"
#include "store/store.h"

struct dependents;
struct dependents *dependents_new(void);
void dependents_free(struct dependents *dependents);

/* A record appeared, changed or went: either may be NULL. */
void dependents_update(struct dependents *dependents, const struct record *before,
                       const struct record *now);
/* The keys that name 'uid' as an owner: a map from key to nothing; NULL when there is none. */
const struct map *dependents_of(const struct dependents *dependents, const char *uid);
