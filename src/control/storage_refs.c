/* control/storage_refs.c - from stored objects to what the storage driver is told. */
#include "control/storage_refs.h"
#include "kinds/tables/tables.h"

struct storage_pool storage_pool_of(const json_t *pool)
{
    return (struct storage_pool){ .type = view_text(&kind_storage_pool, pool, "spec.type"),
                                  .path = view_text(&kind_storage_pool, pool, "spec.directory.path") };
}
