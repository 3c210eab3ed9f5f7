/* tests/unit/store/test_memory.c - the contract, met by the engine in memory. */
#include "store/store.h"

static struct store *open_store(struct loop *loop) { return store_memory_new(loop); }
static void close_store(struct store *store) { store_free(store); }

#include "contract.h"
