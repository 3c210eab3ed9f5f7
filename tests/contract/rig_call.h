/* tests/contract/rig_call.h - calls of a driver that end with a 'struct done', and what is wanted of
 * them. Each family's rig.h has its RIG_DRIVER(), struct wait, wait_done() and rig_wait(). */
#pragma once
#include "check.h"

#define RIG_OPS(rig) (RIG_DRIVER(rig)->ops)

/* Makes the call and waits for its end; the result is in the named wait. */
#define RIG_CALL(rig, wait, name, ...)                                                             \
    do {                                                                                           \
        struct done done_ = wait_done(rig, wait);                                                  \
        RIG_OPS(rig)->name(RIG_DRIVER(rig), __VA_ARGS__, done_);                                  \
        CHECK(!(wait)->called);                                                                    \
        rig_wait(rig, wait);                                                                       \
    } while (0)
#define RIG_OK(rig, name, ...)                                                                     \
    do {                                                                                           \
        struct wait wait_ = { 0 };                                                                 \
        RIG_CALL(rig, &wait_, name, __VA_ARGS__);                                                  \
        CHECK_STR(wait_.err.text, "");                                                             \
    } while (0)
#define RIG_FAILS(rig, wanted, name, ...)                                                          \
    do {                                                                                           \
        struct wait wait_ = { 0 };                                                                 \
        RIG_CALL(rig, &wait_, name, __VA_ARGS__);                                                  \
        CHECK_EQ(wait_.err.code, wanted);                                                          \
        CHECK(wait_.err.text[0] != '\0');                                                          \
    } while (0)
