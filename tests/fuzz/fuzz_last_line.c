/* tests/fuzz/fuzz_last_line.c - a program's name, a line end, and what it complained. */
#include "fuzz.h"
#include "base/json.h"
#include "base/last_line.h"
#include "base/str.h"
#include <string.h>

static void check_is_one_line_of_text(const char *line, size_t size_max)
{
    json_t *text = json_string(line); /* NULL for what is not UTF-8 */

    assert(text);
    json_decref(text);
    assert(strlen(line) <= size_max);
    for (; *line; line++)
        assert((unsigned char)*line >= ' ' && *line != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *input = (const char *)bytes;
    const char *line_end = size > 0 ? memchr(input, '\n', size) : NULL;
    size_t name_length = line_end ? (size_t)(line_end - input) : 0;
    size_t begin = line_end ? name_length + 1 : 0;
    auto_free char *program = str_dup_part(size > 0 ? input : "", name_length);
    auto_free char *line = last_line(size > 0 ? input + begin : NULL, size - begin, program);

    check_is_one_line_of_text(line, size);
    return 0;
}
