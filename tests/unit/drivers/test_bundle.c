#include "check.h"
#include "drivers/storage/directory/bundle.h"
#include "base/auto.h"
#include "base/str.h"
#include <string.h>

static int parse(const char *text, struct bundle *bundle, struct err *err)
{
    err_clear(err);
    return bundle_parse(text, strlen(text), bundle, err);
}

#define FIELDS(text) "{\"format\":\"virga-bundle/1\"," text "}"

TEST(a_manifest_is_read_whole)
{
    struct bundle bundle;
    struct err err;

    CHECK_OK(parse(FIELDS("\"name\":\"n\",\"architecture\":\"x86_64\",\"os\":\"Debian 12\","
                          "\"kernelVersion\":\"6\",\"defaultUser\":\"root\",\"disk\":\"d.qcow2\","
                          "\"boot\":{\"kernel\":\"k\",\"initrd\":\"i\",\"commandLine\":\"a b\"},"
                          "\"guestAgent\":true"),
                   &bundle, &err),
             &err);
    CHECK_STR(bundle.architecture, "x86_64");
    CHECK_STR(bundle.os, "Debian 12");
    CHECK_STR(bundle.default_user, "root");
    CHECK_STR(bundle.disk, "d.qcow2");
    CHECK_STR(bundle.kernel, "k");
    CHECK_STR(bundle.initrd, "i");
    CHECK_STR(bundle.command_line, "a b");
    CHECK(bundle.guest_agent);
}

TEST(a_disk_is_all_it_takes)
{
    struct bundle bundle;
    struct err err;

    CHECK_OK(parse(FIELDS("\"disk\":\"d\""), &bundle, &err), &err);
    CHECK_STR(bundle.kernel, "");
    CHECK(!bundle.guest_agent);
}

TEST(what_is_wrong_is_refused_with_the_field)
{
    static const struct {
        const char *text;
        const char *part;
    } rows[] = {
        { "", "image.json" },
        { "[]", "not an object" },
        { "{\"disk\":\"d\"}", "format" },
        { "{\"format\":\"virga-bundle/2\",\"disk\":\"d\"}", "format" },
        { "{\"format\":1}", "format is no text" },
        { FIELDS("\"name\":\"n\""), "disk is missing" },
        { FIELDS("\"disk\":7"), "disk is no text" },
        { FIELDS("\"disk\":\"\""), "disk is missing" },
        { FIELDS("\"disk\":\"/etc/shadow\""), "disk: \"/etc/shadow\" is no plain file name" },
        { FIELDS("\"disk\":\"..\""), "no plain file name" },
        { FIELDS("\"disk\":\"a\\nb\""), "no plain file name" },
        { FIELDS("\"disk\":\"image.json\""), "not distinct" },
        { FIELDS("\"disk\":\"d\",\"boot\":{\"kernel\":\"d\"}"), "not distinct" },
        { FIELDS("\"disk\":\"d\",\"boot\":{\"kernel\":\"k\",\"initrd\":\"k\"}"), "not distinct" },
        { FIELDS("\"disk\":\"d\",\"boot\":{\"initrd\":\"i\"}"), "needs boot.kernel" },
        { FIELDS("\"disk\":\"d\",\"boot\":{\"kernel\":\"k\",\"commandLine\":\"a\\nb\"}"),
          "boot.commandLine" },
        { FIELDS("\"disk\":\"d\",\"disk\":\"e\""), "image.json" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bundle bundle;
        struct err err;

        CHECK_FAILS(parse(rows[i].text, &bundle, &err), &err, ERR_INVALID);
        CHECK_CONTAINS(err.text, rows[i].part);
        CHECK_CONTAINS(err.text, "image.json");
    }
}

TEST(texts_longer_than_their_field_are_refused_not_cut)
{
    auto_buf struct buf text = { 0 };
    struct bundle bundle;
    struct err err;

    buf_add_text(&text, "{\"format\":\"virga-bundle/1\",\"disk\":\"");
    for (int i = 0; i < 101; i++)
        buf_add_char(&text, 'd');
    buf_add_text(&text, "\"}");
    CHECK_FAILS(parse(text.bytes, &bundle, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, "disk is longer than 100 bytes");
}
