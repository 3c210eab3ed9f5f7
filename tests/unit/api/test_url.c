#include "check.h"
#include "api/url.h"
#include <stdlib.h>
#include <string.h>

static void check_refused(const char *raw)
{
    struct url url;
    struct err err;

    CHECK_FAILS(url_parse(raw, &url, &err), &err, ERR_BAD_REQUEST);
    url_done(&url);
}

TEST(a_path_is_cut_into_decoded_segments)
{
    struct url url;
    struct err err;

    CHECK_OK(url_parse("/apis/virga.dev/v1/namespaces/a%2db/x", &url, &err), &err);
    CHECK_EQ(url.segment_count, 6);
    CHECK_STR(url.segments[4], "a-b");
    url_done(&url);
}

TEST(a_trailing_slash_is_no_segment_but_known)
{
    struct url url;
    struct err err;

    CHECK_OK(url_parse("/version/?x", &url, &err), &err);
    CHECK_EQ(url.segment_count, 1);
    CHECK(url.has_trailing_slash);
    CHECK_STR(url_option(&url, "x"), "");
    url_done(&url);
    CHECK_OK(url_parse("/version?x", &url, &err), &err);
    CHECK(!url.has_trailing_slash);
    url_done(&url);
    CHECK_OK(url_parse("/", &url, &err), &err);
    CHECK(!url.has_trailing_slash);
    url_done(&url);
}

TEST(options_are_decoded_and_the_first_of_a_name_counts)
{
    struct url url;
    struct err err;

    CHECK_OK(url_parse("/x?labelSelector=a%20in+(b)&labelSelector=z&&limit=5&q", &url, &err), &err);
    CHECK_STR(url_option(&url, "labelSelector"), "a in (b)");
    CHECK_STR(url_option(&url, "limit"), "5");
    CHECK(url_option(&url, "other") == NULL);
    url_done(&url);
}

TEST(booleans_are_false_only_for_zero_and_false)
{
    struct url url;
    struct err err;

    CHECK_OK(url_parse("/x?a=0&b=FALSE&c=True&d=&e=1&f", &url, &err), &err);
    CHECK(!url_flag(&url, "a"));
    CHECK(!url_flag(&url, "b"));
    CHECK(url_flag(&url, "c"));
    CHECK(url_flag(&url, "d"));
    CHECK(url_flag(&url, "e"));
    CHECK(url_flag(&url, "f"));
    CHECK(!url_flag(&url, "absent"));
    url_done(&url);
}

TEST(numbers_are_plain_decimals)
{
    struct url url;
    struct err err;
    long long number = 7;

    CHECK_OK(url_parse("/x?a=12&b=-1&c=1x&d=&e=99999999999999999999", &url, &err), &err);
    CHECK_OK(url_number(&url, "absent", &number, &err), &err);
    CHECK_OK(url_number(&url, "d", &number, &err), &err);
    CHECK_EQ(number, 7);
    CHECK_OK(url_number(&url, "a", &number, &err), &err);
    CHECK_EQ(number, 12);
    CHECK_FAILS(url_number(&url, "b", &number, &err), &err, ERR_BAD_REQUEST);
    CHECK_FAILS(url_number(&url, "c", &number, &err), &err, ERR_BAD_REQUEST);
    CHECK_FAILS(url_number(&url, "e", &number, &err), &err, ERR_BAD_REQUEST);
    url_done(&url);
}

TEST(hostile_paths_are_refused)
{
    check_refused("version");
    check_refused("*");
    check_refused("/a/../b");
    check_refused("/a/%2e%2E/b");
    check_refused("/a%2fb");
    check_refused("/a%00b");
    check_refused("/a%zz");
    check_refused("/a%4");
    check_refused("/1/2/3/4/5/6/7/8/9/10/11/12/13");
}

TEST(more_options_than_allowed_are_refused)
{
    char raw[1000] = "/x?";

    for (int i = 0; i <= URL_OPTIONS_MAX; i++)
        strcat(raw, "a=1&");
    check_refused(raw);
}
