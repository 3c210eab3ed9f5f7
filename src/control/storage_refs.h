/* control/storage_refs.h - from stored objects to what the storage driver is told. */
#pragma once
#include "base/json.h"
#include "drivers/storage.h"

/* Texts are borrowed from the StoragePool object. */
struct storage_pool storage_pool_of(const json_t *pool);
