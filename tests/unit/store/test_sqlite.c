/* tests/unit/store/test_sqlite.c - the contract, met by the engine on disk. */
#include "folder.h"

static char *folder;

static struct store *open_store(struct loop *loop)
{
    folder = folder_new();
    return open_in(loop, folder);
}

static void close_store(struct store *store)
{
    store_free(store);
    scratch_remove(folder);
}

static struct store *reopen_store(struct loop *loop, struct store *store)
{
    store_free(store);
    return open_in(loop, folder);
}
static const bool can_reopen = true;
static const uint64_t seed_count = 25;

#include "contract.h"
#include "contract_watches.h"
#include "property.h"
