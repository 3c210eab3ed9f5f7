#include "check.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TEST(copies_are_own_texts)
{
    auto_free char *copy = str_dup("abc");
    auto_free char *part = str_dup_part("abcdef", 2);
    auto_free char *empty = str_dup_part(NULL, 0);
    auto_free char *printed = str_printf("%s-%05d", "vm", 42);

    CHECK_STR(copy, "abc");
    CHECK_STR(part, "ab");
    CHECK_STR(empty, "");
    CHECK_STR(printed, "vm-00042");
    CHECK(!str_dup(NULL));
}

TEST(comparisons_accept_null)
{
    CHECK(str_equal(NULL, NULL));
    CHECK(!str_equal(NULL, ""));
    CHECK(!str_equal("", NULL));
    CHECK(str_equal("a", "a"));
    CHECK(str_starts("virga.dev/v1", "virga.dev"));
    CHECK(str_starts("x", ""));
    CHECK(!str_starts("vir", "virga"));
    CHECK(!str_starts(NULL, ""));
    CHECK(str_ends("a.qcow2", ".qcow2"));
    CHECK(str_ends("a", ""));
    CHECK(!str_ends("ow2", ".qcow2"));
    CHECK(!str_ends(NULL, ""));
    CHECK(str_is_empty(NULL));
    CHECK(str_is_empty(""));
    CHECK(!str_is_empty(" "));
}

TEST(only_well_formed_utf8_characters_have_a_size)
{
    static const struct {
        const char *text;
        size_t size;
    } rows[] = {
        { "a", 1 },
        { "\x7f", 1 },
        { "\xc2\x80", 2 },
        { "\xe0\xa0\x80", 3 },
        { "\xed\x9f\xbf", 3 },
        { "\xef\xbf\xbf", 3 },
        { "\xf0\x90\x80\x80", 4 },
        { "\xf4\x8f\xbf\xbf", 4 },
        { "\x80", 0 },
        { "\xc1\xbf", 0 },
        { "\xc2", 0 },
        { "\xc2 ", 0 },
        { "\xe0\x9f\xbf", 0 },
        { "\xed\xa0\x80", 0 },
        { "\xe2\x82", 0 },
        { "\xe2\x82 ", 0 },
        { "\xf0\x8f\xbf\xbf", 0 },
        { "\xf4\x90\x80\x80", 0 },
        { "\xf5\x80\x80\x80", 0 },
        { "\xfa\xab\xab\xab", 0 },
        { "\xff", 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_EQ(str_utf8_size(rows[i].text, strlen(rows[i].text)), rows[i].size);
    CHECK_EQ(str_utf8_size("\0", 1), 1);
    CHECK_EQ(str_utf8_size("a", 0), 0);
}

TEST(a_buffer_grows_and_stays_terminated)
{
    auto_buf struct buf buf = { 0 };

    CHECK(!buf.bytes);
    for (int i = 0; i < 1000; i++) {
        buf_add_char(&buf, (char)('a' + i % 26));
        CHECK_EQ(buf.bytes[buf.size], '\0');
    }
    CHECK_EQ(buf.size, 1000);
    CHECK_EQ(buf.bytes[27], 'b');
    buf_clear(&buf);
    CHECK_STR(buf.bytes, "");
    buf_add_text(&buf, "x=");
    buf_printf(&buf, "%d;", 7);
    CHECK_STR(buf.bytes, "x=7;");
}

TEST(a_buffer_holds_any_bytes)
{
    auto_buf struct buf buf = { 0 };

    buf_add(&buf, "a\0b", 3);
    buf_add(&buf, NULL, 0);
    CHECK_EQ(buf.size, 3);
    CHECK_EQ(memcmp(buf.bytes, "a\0b", 4), 0);
}

TEST(long_prints_arrive_whole)
{
    auto_buf struct buf buf = { 0 };

    for (int width = 250; width < 260; width++) {
        buf_clear(&buf);
        buf_printf(&buf, "%*d", width, 1);
        CHECK_EQ(buf.size, width);
        CHECK_EQ(buf.bytes[width - 1], '1');
    }
}

TEST(a_bounded_buffer_keeps_what_fits_and_says_so)
{
    auto_buf struct buf buf = { .size_max = 5 };

    buf_add_text(&buf, "abc");
    CHECK(!buf.overflowed);
    buf_add_text(&buf, "def");
    CHECK(buf.overflowed);
    CHECK_STR(buf.bytes, "abcde");
    buf_add_char(&buf, 'x');
    CHECK_STR(buf.bytes, "abcde");
    buf_clear(&buf);
    CHECK(!buf.overflowed);
    buf_add_text(&buf, "12345");
    CHECK(!buf.overflowed);
}

TEST(front_bytes_can_be_dropped)
{
    auto_buf struct buf buf = { 0 };

    buf_drop_front(&buf, 3);
    buf_add_text(&buf, "hello world");
    buf_drop_front(&buf, 0);
    buf_drop_front(&buf, 6);
    CHECK_STR(buf.bytes, "world");
    buf_drop_front(&buf, 99);
    CHECK_STR(buf.bytes, "");
    CHECK_EQ(buf.size, 0);
}

TEST(taking_the_text_leaves_an_empty_buffer)
{
    auto_buf struct buf buf = { .size_max = 4 };

    auto_free char *nothing = buf_take(&buf);
    buf_add_text(&buf, "abcdef");
    auto_free char *text = buf_take(&buf);
    CHECK_STR(nothing, "");
    CHECK_STR(text, "abcd");
    CHECK_EQ(buf.size, 0);
    CHECK_EQ(buf.size_max, 4);
    CHECK(!buf.bytes);
    CHECK(!buf.overflowed);
}

TEST(reserved_room_is_not_moved)
{
    auto_buf struct buf buf = { 0 };

    buf_reserve(&buf, 5000);
    CHECK_STR(buf.bytes, "");
    const char *before = buf.bytes;
    for (int i = 0; i < 5000; i++)
        buf_add_char(&buf, 'x');
    CHECK(buf.bytes == before);
}

TEST(descriptors_close_at_the_end_of_their_scope_and_keep_errno)
{
    int number;

    errno = EDOM;
    {
        auto_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        auto_close int none = -1;
        number = fd;
        CHECK(fd >= 0);
        (void)none;
    }
    CHECK_EQ(errno, EDOM);
    CHECK_EQ(fcntl(number, F_GETFD), -1);
}

TEST(a_taken_pointer_is_gone)
{
    char *text = str_dup("x");
    auto_free char *mine = take_pointer(text);

    CHECK(!text);
    CHECK_STR(mine, "x");
}

TEST(allocation_of_nothing_is_something)
{
    auto_free void *a = mem_alloc(0);
    auto_free void *b = mem_zero(0);
    auto_free void *c = mem_copy(NULL, 0);
    auto_free int *d = mem_array(3, sizeof *d);

    CHECK(a && b && c);
    CHECK_EQ(d[0] + d[1] + d[2], 0);
    d = mem_resize(d, 100 * sizeof *d);
    CHECK_EQ(d[2], 0);
}
