/* tests/unit/base/loop_pair.h - one test, run on the real and on the simulated loop. */
#pragma once
#include "base/loop.h"
#include "check.h"

/* TEST_ON_BOTH(sentence) { ... 'loop' ... } */
#define TEST_ON_BOTH(sentence)                                                                     \
    static void sentence##_with(struct loop *loop);                                                \
    TEST(sentence)                                                                                 \
    {                                                                                              \
        struct err err;                                                                            \
        struct loop *loop = loop_new(&err);                                                        \
                                                                                                   \
        CHECK(loop);                                                                               \
        sentence##_with(loop);                                                                     \
        loop_free(loop);                                                                           \
    }                                                                                              \
    TEST(sentence##_simulated)                                                                     \
    {                                                                                              \
        struct loop *loop = loop_sim_new(7);                                                       \
                                                                                                   \
        sentence##_with(loop);                                                                     \
        loop_free(loop);                                                                           \
    }                                                                                              \
    static void sentence##_with(struct loop *loop)

/* Runs until somebody calls loop_stop(). */
static inline void run(struct loop *loop)
{
    struct err err;

    CHECK_OK(loop_run(loop, &err), &err);
}
