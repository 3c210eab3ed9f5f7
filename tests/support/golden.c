/* tests/support/golden.c - compares with tests/golden or rewrites it. */
#include "golden.h"
#include "base/files.h"
#include "base/str.h"
#include "check.h"
#include <stdlib.h>
#include <string.h>

enum { GOLDEN_SIZE_MAX = 8 * 1024 * 1024 };

static void rewrite(const char *path, const char *text)
{
    struct err err;

    CHECK_OK(file_write_atomic(path, text, strlen(text), 0644, &err), &err);
}

static size_t line_length(const char *text) { return strcspn(text, "\n"); }

static void compare(const char *name, const char *wanted, const char *text)
{
    for (unsigned line = 1;; line++) {
        size_t wanted_length = line_length(wanted), length = line_length(text);

        if (wanted_length != length || memcmp(wanted, text, length) != 0)
            check_fail(CHECK_HERE,
                       "tests/golden/%s:%u:\n  is:     %.*s\n  should: %.*s\n"
                       "(VIRGA_GOLDEN=write accepts the new text)",
                       name, line, (int)length, text, (int)wanted_length, wanted);
        if (!wanted[length] && !text[length])
            return;
        if (!wanted[length] || !text[length])
            check_fail(CHECK_HERE, "tests/golden/%s:%u: %s ends here", name, line,
                       wanted[length] ? "the new text" : "the file");
        wanted += length + 1;
        text += length + 1;
    }
}

void golden_check(const char *name, const char *text)
{
    const char *source = getenv("VIRGA_SOURCE"), *mode = getenv("VIRGA_GOLDEN");
    auto_free char *path = str_printf("%s/tests/golden/%s", source ? source : ".", name);
    auto_buf struct buf wanted = { 0 };
    struct err err;

    if (str_equal(mode, "write")) {
        rewrite(path, text);
        return;
    }
    CHECK_OK(file_read(path, GOLDEN_SIZE_MAX, &wanted, &err), &err);
    compare(name, wanted.bytes ? wanted.bytes : "", text);
}
