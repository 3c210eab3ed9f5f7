#include "check.h"
#include "cli/base64.h"
#include <string.h>

/* RFC 4648, section 10 */
TEST(texts_of_every_length_go_there_and_back)
{
    static const char *const pairs[][2] = { { "", "" },         { "f", "Zg==" },
                                            { "fo", "Zm8=" },   { "foo", "Zm9v" },
                                            { "foob", "Zm9vYg==" }, { "foobar", "Zm9vYmFy" } };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        auto_free char *text = base64_encode(pairs[i][0], strlen(pairs[i][0]));
        auto_buf struct buf bytes = { 0 };

        CHECK_STR(text, pairs[i][1]);
        base64_decode(text, &bytes);
        CHECK_STR(bytes.size ? bytes.bytes : "", pairs[i][0]);
    }
}

TEST(all_bytes_survive)
{
    unsigned char all[256];
    auto_buf struct buf bytes = { 0 };

    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    auto_free char *text = base64_encode(all, sizeof all);
    base64_decode(text, &bytes);
    CHECK_EQ(bytes.size, sizeof all);
    CHECK(memcmp(bytes.bytes, all, sizeof all) == 0);
}
