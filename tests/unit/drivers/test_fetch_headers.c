#include "check.h"
#include "drivers/storage/directory/fetch_headers.h"
#include <string.h>

static struct fetch_headers parse(const char *text)
{
    struct fetch_headers headers;

    fetch_headers_parse(text, strlen(text), &headers);
    return headers;
}

TEST(nothing_said_is_nothing_known)
{
    CHECK_EQ(parse("").status, 0);
    CHECK_EQ(parse("").total_bytes, -1);
    CHECK_STR(parse("").validator, "");
}

TEST(the_whole_size_comes_from_the_length_or_the_range)
{
    CHECK_EQ(parse("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").total_bytes, 1000);
    CHECK_EQ(
        parse("HTTP/2 206\r\ncontent-length: 5\r\ncontent-range: bytes 5-9/10\r\n").total_bytes,
        10);
    CHECK_EQ(parse("HTTP/1.1 206 P\r\nContent-Length: 5\r\n\r\n").total_bytes, -1);
    CHECK_EQ(parse("HTTP/1.1 416 No\r\nContent-Range: bytes */77\r\n\r\n").total_bytes, 77);
    CHECK_EQ(parse("HTTP/1.1 416 No\r\nContent-Range: bytes */77\r\n\r\n").status, 416);
}

TEST(only_the_last_response_counts)
{
    struct fetch_headers headers =
        parse("HTTP/1.1 302 Found\r\nETag: \"first\"\r\nContent-Length: 3\r\n\r\n"
              "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");

    CHECK_EQ(headers.status, 200);
    CHECK_EQ(headers.total_bytes, 9);
    CHECK_STR(headers.validator, "");
}

TEST(a_strong_etag_goes_before_the_date_in_either_order)
{
    CHECK_STR(parse("HTTP/1.1 200 OK\nETag: \"e\"\nLast-Modified: d\n").validator, "\"e\"");
    CHECK_STR(parse("HTTP/1.1 200 OK\nLast-Modified: d\nETag: \"e\"\n").validator, "\"e\"");
    CHECK_STR(parse("HTTP/1.1 200 OK\nETag: W/\"e\"\nLast-Modified: d\n").validator, "d");
}

TEST(what_is_malformed_cut_or_too_long_is_passed_over)
{
    char text[4096] = "HTTP/1.1 200 OK\nETag: \"";

    CHECK_EQ(parse("HTTP/1.1 200 OK\nContent-Length: 12x\n").total_bytes, -1);
    CHECK_EQ(parse("HTTP/1.1 200 OK\nContent-Length: -1\n").total_bytes, -1);
    CHECK_EQ(parse("HTTP/1.1 200 OK\nContent-Length: 99999999999999999999\n").total_bytes, -1);
    CHECK_EQ(parse("HTTP/1.1 200 OK\nContent-Length: 12").total_bytes, -1); /* no line end yet */
    CHECK_STR(parse("HTTP/1.1 200 OK\nETag: \"a\001b\"\n").validator, "");
    CHECK_EQ(parse("HTTP/1.1\nfoo\n\n:\n").status, 0);
    memset(text + strlen(text), 'x', 300);
    strcat(text, "\"\n");
    CHECK_STR(parse(text).validator, "");
    memset(text + strlen("HTTP/1.1 200 OK\nETag: \""), 'x', 3000);
    strcat(text, "\"\nLast-Modified: d\n");
    CHECK_STR(parse(text).validator, "d");
}
