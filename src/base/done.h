/* base/done.h - how work that takes time reports its end. */
#pragma once
#include "err.h"

/* Called exactly once, later from the loop, never from inside the call that
 * started the work. 'err' is NULL on success and valid only during the call. */
struct done {
    void (*fn)(void *arg, const struct err *err);
    void *arg;
};

static inline void done_call(struct done done, const struct err *err)
{
    if (done.fn)
        done.fn(done.arg, err);
}
