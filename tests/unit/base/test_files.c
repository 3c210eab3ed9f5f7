#include "scratch.h"
#include "base/files.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *scratch(void)
{
    return scratch_new_in(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
}

static void remove_scratch(char **path) { scratch_remove(*path); }
#define auto_scratch __attribute__((cleanup(remove_scratch)))

static unsigned mode_of(const char *path)
{
    struct stat status;

    CHECK_EQ(lstat(path, &status), 0);
    return status.st_mode & 07777;
}

TEST(a_file_is_written_whole_with_its_mode_and_read_back)
{
    auto_scratch char *folder = scratch();
    auto_free char *path = str_printf("%s/a", folder);
    auto_free char *fresh = str_printf("%s/a.new", folder);
    auto_buf struct buf text = { 0 };
    struct err err;

    CHECK_OK(file_write_atomic(path, "x\0y", 3, 0640, &err), &err);
    CHECK_EQ(mode_of(path), 0640);
    CHECK_OK(file_read(path, 3, &text, &err), &err);
    CHECK_EQ(text.size, 3);
    CHECK_EQ(memcmp(text.bytes, "x\0y", 3), 0);
    CHECK_OK(file_write_atomic(path, "shorter", 0, 0600, &err), &err);
    CHECK_EQ(mode_of(path), 0600);
    CHECK_OK(file_read(path, 100, &text, &err), &err);
    CHECK_EQ(text.size, 0);
    CHECK(access(fresh, F_OK) < 0);
}

TEST(what_a_crash_left_behind_is_replaced_and_never_followed)
{
    auto_scratch char *folder = scratch();
    auto_free char *path = str_printf("%s/a", folder);
    auto_free char *fresh = str_printf("%s/a.new", folder);
    auto_free char *victim = str_printf("%s/victim", folder);
    auto_buf struct buf text = { 0 };
    struct err err;

    CHECK_OK(file_write_atomic(victim, "keep", 4, 0600, &err), &err);
    CHECK_EQ(symlink(victim, fresh), 0);
    CHECK_OK(file_write_atomic(path, "new", 3, 0600, &err), &err);
    CHECK_OK(file_read(victim, 100, &text, &err), &err);
    CHECK_STR(text.bytes, "keep");
    CHECK_OK(file_read(path, 100, &text, &err), &err);
    CHECK_STR(text.bytes, "new");
}

TEST(a_write_that_fails_leaves_the_old_file_and_nothing_beside_it)
{
    auto_scratch char *folder = scratch();
    auto_free char *path = str_printf("%s/a", folder);
    auto_free char *inside = str_printf("%s/a/b", folder);
    auto_free char *fresh = str_printf("%s/a.new", folder);
    struct err err;

    CHECK_OK(dir_make(inside, 0755, &err), &err);
    CHECK_EQ(file_write_atomic(path, "x", 1, 0600, &err), -1);
    CHECK_CONTAINS(err.text, "rename to ");
    CHECK(access(fresh, F_OK) < 0);
    CHECK(access(inside, F_OK) == 0);
    auto_free char *nowhere = str_printf("%s/none/a", folder);
    CHECK_FAILS(file_write_atomic(nowhere, "x", 1, 0600, &err), &err, ERR_NOT_FOUND);
}

TEST(reading_stops_at_the_bound)
{
    auto_scratch char *folder = scratch();
    auto_free char *path = str_printf("%s/a", folder);
    auto_buf struct buf text = { 0 };
    auto_buf struct buf big = { 0 };
    struct err err;

    for (int i = 0; i < 50000; i++)
        buf_add_char(&big, (char)('a' + i % 7));
    CHECK_OK(file_write_atomic(path, big.bytes, big.size, 0600, &err), &err);
    CHECK_OK(file_read(path, 50000, &text, &err), &err);
    CHECK_STR(text.bytes, big.bytes);
    CHECK_FAILS(file_read(path, 49999, &text, &err), &err, ERR_TOO_LARGE);
    CHECK_CONTAINS(err.text, path);
    CHECK_FAILS(file_read("/dev/zero", 1000, &text, &err), &err, ERR_TOO_LARGE);
    CHECK_FAILS(file_read("/dev/zero", 0, &text, &err), &err, ERR_TOO_LARGE);
    CHECK_OK(file_read("/proc/self/stat", 4096, &text, &err), &err);
    CHECK(text.size > 50);
    CHECK_FAILS(file_read(folder, 10, &text, &err), &err, ERR_IO);
    CHECK_FAILS(file_read("/nonexistent", 10, &text, &err), &err, ERR_NOT_FOUND);
    CHECK_STR(err.text, "open /nonexistent: No such file or directory");
}

TEST(text_goes_into_existing_files_only)
{
    auto_scratch char *folder = scratch();
    auto_free char *path = str_printf("%s/a", folder);
    auto_buf struct buf text = { 0 };
    struct err err;

    CHECK_FAILS(file_write_text(path, "1", &err), &err, ERR_NOT_FOUND);
    CHECK_OK(file_write_atomic(path, "", 0, 0600, &err), &err);
    CHECK_OK(file_write_text(path, "100000\n", &err), &err);
    CHECK_OK(file_read(path, 100, &text, &err), &err);
    CHECK_STR(text.bytes, "100000\n");
    CHECK_FAILS(file_write_text("/dev/full", "x", &err), &err, ERR_NO_SPACE);
}

TEST(folders_are_made_with_their_parents_whatever_the_umask)
{
    auto_scratch char *folder = scratch();
    auto_free char *b = str_printf("%s/a//b", folder);
    auto_free char *c = str_printf("%s/a/b/c/", folder);
    auto_free char *c_plain = str_printf("%s/a/b/c", folder);
    struct err err;
    mode_t before = umask(077);

    CHECK_OK(dir_make(c, 02711, &err), &err);
    umask(before);
    CHECK_EQ(mode_of(b), 0755);
    CHECK_EQ(mode_of(c_plain), 02711);
    CHECK_OK(dir_make(c, 0700, &err), &err);
    CHECK_EQ(mode_of(c_plain), 02711);
    CHECK_OK(dir_make("/", 0700, &err), &err);
    CHECK_OK(dir_make("//tmp", 0700, &err), &err);
    CHECK_FAILS(dir_make("", 0700, &err), &err, ERR_NOT_FOUND);
}

TEST(a_file_in_the_way_of_a_folder_is_named)
{
    auto_scratch char *folder = scratch();
    auto_free char *file = str_printf("%s/f", folder);
    auto_free char *below = str_printf("%s/f/x", folder);
    struct err err;

    CHECK_OK(file_write_atomic(file, "", 0, 0600, &err), &err);
    CHECK_FAILS(dir_make(file, 0755, &err), &err, ERR_IO);
    CHECK_CONTAINS(err.text, file);
    CHECK_FAILS(dir_make(below, 0755, &err), &err, ERR_IO);
    CHECK_CONTAINS(err.text, "Not a directory");
}

TEST(removal_takes_the_tree_but_never_what_links_point_to)
{
    auto_scratch char *folder = scratch();
    auto_free char *tree = str_printf("%s/t", folder);
    auto_free char *deep = str_printf("%s/t/x/y/z", folder);
    auto_free char *outside = str_printf("%s/outside", folder);
    auto_free char *kept = str_printf("%s/outside/kept", folder);
    auto_free char *link_inside = str_printf("%s/t/x/link", folder);
    auto_free char *link_beside = str_printf("%s/link", folder);
    struct err err;

    CHECK_OK(dir_make(deep, 0755, &err), &err);
    CHECK_OK(dir_make(outside, 0755, &err), &err);
    CHECK_OK(file_write_atomic(kept, "", 0, 0600, &err), &err);
    CHECK_EQ(symlink(outside, link_inside), 0);
    CHECK_EQ(symlink(outside, link_beside), 0);
    for (int i = 0; i < 300; i++) {
        auto_free char *path = str_printf("%s/t/x/file-%d", folder, i);
        CHECK_OK(file_write_atomic(path, "", 0, 0600, &err), &err);
    }
    CHECK_OK(dir_remove(tree, &err), &err);
    CHECK_OK(dir_remove(link_beside, &err), &err);
    CHECK(access(tree, F_OK) < 0);
    CHECK(access(link_beside, F_OK) < 0);
    CHECK(access(kept, F_OK) == 0);
    CHECK_OK(dir_remove(tree, &err), &err);
}

TEST(removal_gives_up_below_sixty_four_folders)
{
    auto_scratch char *folder = scratch();
    auto_buf struct buf path = { 0 };
    struct err err;

    buf_printf(&path, "%s/t", folder);
    for (int i = 0; i < 64; i++)
        buf_add_text(&path, "/d");
    CHECK_OK(dir_make(path.bytes, 0755, &err), &err);
    auto_free char *tree = str_printf("%s/t", folder);
    CHECK_FAILS(dir_remove(tree, &err), &err, ERR_IO);
    CHECK_CONTAINS(err.text, "nested deeper");
    CHECK_EQ(rmdir(path.bytes), 0);
    CHECK_OK(dir_remove(tree, &err), &err);
}

TEST(writing_all_reports_a_descriptor_that_takes_nothing)
{
    struct err err;
    auto_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    auto_close int sink = open("/dev/null", O_WRONLY | O_CLOEXEC);

    CHECK_FAILS(write_all(full, "x", 1, &err), &err, ERR_NO_SPACE);
    CHECK_FAILS(write_all(-1, "x", 1, &err), &err, ERR_IO);
    CHECK_OK(write_all(sink, "x", 1, &err), &err);
    CHECK_OK(write_all(-1, NULL, 0, &err), &err);
}
