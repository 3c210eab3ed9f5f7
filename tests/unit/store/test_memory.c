/* tests/unit/store/test_memory.c - the contract, met by the engine in memory. */
#include "store/store.h"

static struct store *open_store(struct loop *loop) { return store_memory_new(loop); }
static void close_store(struct store *store) { store_free(store); }

static struct store *reopen_store(struct loop *loop, struct store *store) { return store; }
static const bool can_reopen = false;
static const uint64_t seed_count = 50;

#include "contract.h"
#include "property.h"
