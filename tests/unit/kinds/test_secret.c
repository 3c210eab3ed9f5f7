#include "check.h"
#include "kinds/names.h"
#include "kinds/tables/tables.h"
#include <stdlib.h>
#include <string.h>

TEST(base64_pads_to_groups_of_four)
{
    static const char *const rows[][2] = { { "", "" },         { "f", "Zg==" },   { "fo", "Zm8=" },
                                           { "foo", "Zm9v" },  { "foob", "Zm9vYg==" },
                                           { "\xff\xfe", "//4=" } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_free char *text = text_to_base64(rows[i][0], strlen(rows[i][0]));
        CHECK_STR(text, rows[i][1]);
        CHECK(text_is_base64(text));
    }
}

TEST(string_data_of_a_secret_ends_up_in_data)
{
    auto_json json_t *secret = json_pack("{s:{s:s,s:s},s:{s:s}}", "stringData", "a", "b", "c", "d",
                                         "data", "c", "eHh4");

    kind_default(&kind_secret, secret);
    CHECK(json_object_get(secret, "stringData") == NULL);
    CHECK_STR(json_text_at(secret, "data.a", NULL), "Yg==");
    CHECK_STR(json_text_at(secret, "data.c", NULL), "ZA==");
    CHECK_STR(json_text_at(secret, "type", NULL), "Opaque");
}

TEST(string_data_that_is_no_text_is_left_for_validation)
{
    auto_json json_t *secret = json_pack("{s:{s:i}}", "stringData", "a", 1);

    kind_default(&kind_secret, secret);
    CHECK_EQ(json_int_at(secret, "stringData.a", 0), 1);
}
