/* store/memory.c - the engine without a disk: a batch is durable on the next turn of the loop. */
#include "store/core.h"
#include "base/fault.h"
#include "base/mem.h"
#include <assert.h>
#include <stdlib.h>

struct memory {
    struct core core; /* first */
    struct loop_source *commit_source;
    bool finishing;
};

static void conclude(void *arg)
{
    struct memory *memory = arg;
    struct err err;
    int result = fault_fails("store.commit", &err);

    loop_source_free(take_pointer(memory->commit_source));
    core_batch_done(&memory->core, result < 0 ? &err : NULL);
}

static void memory_commit(struct core *core)
{
    struct memory *memory = (struct memory *)core;

    if (memory->finishing)
        conclude(memory);
    else
        memory->commit_source = loop_defer(core->loop, conclude, memory);
}

static void memory_finish(struct core *core)
{
    struct memory *memory = (struct memory *)core;

    memory->finishing = true;
    if (memory->commit_source)
        conclude(memory);
}

static void memory_free(struct core *core) { free(core); }

static const struct core_engine engine = {
    .commit = memory_commit,
    .finish = memory_finish,
    .free = memory_free,
};
static const struct store_ops ops = CORE_STORE_OPS("memory");

struct store *store_memory_new(struct loop *loop)
{
    struct memory *memory = mem_new(struct memory);

    memory->core.store.ops = &ops;
    memory->core.engine = &engine;
    memory->core.bounds =
        (struct history_bounds){ .count_max = STORE_HISTORY_COUNT, .size_max = STORE_HISTORY_SIZE };
    core_init(&memory->core, loop);
    return &memory->core.store;
}

void store_memory_crash(struct store *store, size_t kept_count)
{
    struct memory *memory = (struct memory *)store;

    assert(store->ops == &ops);
    loop_source_free(take_pointer(memory->commit_source));
    core_crash(&memory->core, kept_count);
}
