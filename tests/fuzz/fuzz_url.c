/* tests/fuzz/fuzz_url.c - a raw request target. */
#include "fuzz.h"
#include "api/router.h"
#include "api/url.h"
#include "base/str.h"
#include <string.h>

/* Whatever the path says, no step of it leads upwards or hides a slash. */
static void check_segments(const struct url *url)
{
    assert(url->segment_count <= URL_SEGMENTS_MAX && url->option_count <= URL_OPTIONS_MAX);
    for (unsigned i = 0; i < url->segment_count; i++)
        assert(strcmp(url->segments[i], "..") != 0 && strcmp(url->segments[i], ".") != 0 &&
               !strchr(url->segments[i], '/'));
}

static void use_options(const struct url *url)
{
    for (unsigned i = 0; i < url->option_count; i++) {
        long long number = -1;
        struct err err;

        (void)url_flag(url, url->options[i].name);
        assert(url_option(url, url->options[i].name));
        if (url_number(url, url->options[i].name, &number, &err) == 0)
            assert(number >= -1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    auto_free char *raw = str_dup_part((const char *)bytes, size);
    struct err err = { 0 };
    struct url url;

    if (url_parse(raw, &url, &err) == 0) {
        check_segments(&url);
        use_options(&url);
    } else {
        assert(err.code == ERR_BAD_REQUEST && err.text[0]);
    }
    url_done(&url);
    return 0;
}
