/* tests/check.c - the checks, and the list of tests of this program. */
#include "check.h"
#include "check_run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct check_test *first;
static struct check_test **end = &first;
static size_t test_count;

void check_register(struct check_test *test)
{
    *end = test;
    end = &test->next;
    test_count++;
}

int check_run_all(const char *filter)
{
    struct CMUnitTest *tests = calloc(test_count + 1, sizeof *tests);
    size_t at = 0;
    int failed_count;

    if (!tests || !test_count) {
        fprintf(stderr, "no tests\n");
        free(tests);
        return -1;
    }
    for (const struct check_test *test = first; test; test = test->next)
        tests[at++] = (struct CMUnitTest){ .name = test->name, .test_func = test->run };
    cmocka_set_test_filter(filter);
    failed_count = _cmocka_run_group_tests("tests", tests, test_count, NULL, NULL);
    free(tests);
    return failed_count;
}

void check_fail(struct check_place place, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprint_error(format, args);
    va_end(args);
    print_error("\n");
    _fail(place.file, place.line); /* leaves by longjmp */
    abort();
}

void check_equal(struct check_place place, intmax_t a, intmax_t b, const char *a_text,
                 const char *b_text)
{
    if (a != b)
        check_fail(place, "%s is %jd, %s is %jd", a_text, a, b_text, b);
}

void check_text(struct check_place place, const char *actual, const char *expected,
                const char *actual_text)
{
    if (actual == expected || (actual && expected && strcmp(actual, expected) == 0))
        return;
    check_fail(place, "%s\n  is        %s\n  should be %s", actual_text, actual ? actual : "(null)",
               expected ? expected : "(null)");
}

void check_contains(struct check_place place, const char *text, const char *part,
                    const char *text_text)
{
    if (!text || !strstr(text, part))
        check_fail(place, "%s\n  is              %s\n  should contain %s", text_text,
                   text ? text : "(null)", part);
}

void check_ok(struct check_place place, int result, const struct err *err, const char *call_text)
{
    if (result)
        check_fail(place, "%s\n  failed: %s: %s", call_text, err_code_name(err->code), err->text);
}

void check_fails(struct check_place place, int result, const struct err *err, enum err_code wanted,
                 const char *call_text)
{
    if (result != -1)
        check_fail(place, "%s\n  returned %d, should fail with %s", call_text, result,
                   err_code_name(wanted));
    if (err->code != wanted)
        check_fail(place, "%s\n  failed with %s: %s\n  should be   %s", call_text,
                   err_code_name(err->code), err->text, err_code_name(wanted));
    if (!err->text[0])
        check_fail(place, "%s\n  failed with %s and no text", call_text, err_code_name(wanted));
}
