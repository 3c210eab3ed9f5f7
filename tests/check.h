/* tests/check.h - unit tests on cmocka that read as sentences.
 *
 *     TEST(a_name_is_a_sentence) { CHECK_EQ(1 + 1, 2); }
 *
 * Each TEST registers itself, and main() comes with the library: nothing else is
 * to be written. Run one with "test_map 'a_name*'", the whole file without an argument.
 * A failed check ends its test at once (cleanup attributes of that test do not run). */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/err.h"

struct check_test {
    const char *name;
    void (*run)(void **state);
    struct check_test *next;
};
void check_register(struct check_test *test);

#define TEST(sentence)                                                                             \
    static void sentence(void **state);                                                            \
    __attribute__((constructor)) static void sentence##_registers(void)                            \
    {                                                                                              \
        static struct check_test test = { #sentence, sentence, NULL };                             \
        check_register(&test);                                                                     \
    }                                                                                              \
    static void sentence(void **state __attribute__((unused)))

struct check_place {
    const char *file;
    int line;
};
#define CHECK_HERE ((struct check_place){ __FILE__, __LINE__ })

/* Ends the running test as failed. */
_Noreturn void check_fail(struct check_place place, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_fail(CHECK_HERE, "not true: %s", #condition);                                    \
    } while (0)

/* Integers, enums, booleans. */
#define CHECK_EQ(a, b) check_equal(CHECK_HERE, (intmax_t)(a), (intmax_t)(b), #a, #b)
void check_equal(struct check_place place, intmax_t a, intmax_t b, const char *a_text,
                 const char *b_text);

/* Texts; NULL equals NULL only. */
#define CHECK_STR(a, b) check_text(CHECK_HERE, (a), (b), #a)
void check_text(struct check_place place, const char *actual, const char *expected,
                const char *actual_text);

#define CHECK_CONTAINS(text, part) check_contains(CHECK_HERE, (text), (part), #text)
void check_contains(struct check_place place, const char *text, const char *part,
                    const char *text_text);

/* A call that returns 0 or -1 and fills '*(err)'. */
#define CHECK_OK(call, err) check_ok(CHECK_HERE, (call), (err), #call)
void check_ok(struct check_place place, int result, const struct err *err, const char *call_text);

/* The call returns -1 with this code and some text. */
#define CHECK_FAILS(call, err, wanted) check_fails(CHECK_HERE, (call), (err), (wanted), #call)
void check_fails(struct check_place place, int result, const struct err *err, enum err_code wanted,
                 const char *call_text);
