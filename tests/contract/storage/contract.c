/* tests/contract/storage/contract.c - what every storage driver must do. */
#include "rig.h"
#include "base/auto.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const one = "11111111-1111-4111-8111-111111111111";
static const char *const two = "22222222-2222-4222-8222-222222222222";
static const char *const image = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
static const int64_t MIB = 1 << 20;

static struct rig rig;

static void begin(void)
{
    rig_open(&rig);
    RIG_OK(&rig, pool_ensure, &rig.pool);
}

static void end(void) { rig_close(&rig); }

static struct volume_request request(const char *uid, int64_t size)
{
    return (struct volume_request){ .pool = rig.pool, .uid = uid, .size_bytes = size };
}

static void make_volume(const char *uid, int64_t size)
{
    struct volume_request blank = request(uid, size);

    RIG_OK(&rig, volume_create, &blank);
}

static struct volume_info read_volume(const char *uid)
{
    struct wait wait = { .rig = &rig };

    RIG_OPS(&rig)->volume_read(rig.driver, &rig.pool, uid, wait_volume, &wait);
    CHECK_EQ(wait.called, 0);
    rig_wait(&rig, &wait);
    CHECK_STR(wait.err.text, "");
    return wait.volume;
}

static void start_import(const char *uid, const char *sha256, struct wait *wait)
{
    struct image_request from_upload = { .uid = uid, .sha256 = sha256 };

    *wait = (struct wait){ .rig = &rig };
    RIG_OPS(&rig)->image_import(rig.driver, &from_upload, wait_progress, wait_image, wait);
    CHECK_EQ(wait->called, 0);
}

static struct wait import(const char *uid, const char *sha256)
{
    struct wait wait;

    start_import(uid, sha256, &wait);
    rig_wait(&rig, &wait);
    return wait;
}

static void make_image(const char *uid)
{
    rig_upload(&rig, uid);
    CHECK_STR(import(uid, rig.sha256).err.text, "");
}

static struct wait read_image(const char *uid)
{
    struct wait wait = { .rig = &rig };

    RIG_OPS(&rig)->image_read(rig.driver, uid, wait_image, &wait);
    rig_wait(&rig, &wait);
    return wait;
}

static size_t count_uids(char **uids, const char *uid)
{
    size_t count = 0;

    for (char **each = uids; *each; each++)
        count += str_equal(*each, uid);
    return count;
}

static bool has_volume(const char *uid)
{
    auto_clean(compute_uids_free_auto) char **uids =
        RIG_OPS(&rig)->pool_list(rig.driver, &rig.pool);

    return count_uids(uids, uid) == 1;
}

static bool has_image(const char *uid)
{
    auto_clean(compute_uids_free_auto) char **uids = RIG_OPS(&rig)->image_list(rig.driver);

    return count_uids(uids, uid) == 1;
}

/* --- pools --- */

TEST(a_pool_can_be_ensured_again_and_knows_its_space)
{
    struct wait wait = { .rig = &rig };

    begin();
    RIG_OK(&rig, pool_ensure, &rig.pool);
    RIG_OPS(&rig)->pool_read(rig.driver, &rig.pool, wait_usage, &wait);
    rig_wait(&rig, &wait);
    CHECK_STR(wait.err.text, "");
    CHECK(wait.usage.capacity_bytes > 0);
    CHECK(wait.usage.available_bytes <= wait.usage.capacity_bytes);
    CHECK_EQ(wait.usage.used_bytes, 0);
    end();
}

TEST(volumes_count_as_used_space)
{
    struct wait wait = { .rig = &rig };

    begin();
    make_volume(one, 8 * MIB);
    RIG_OPS(&rig)->pool_read(rig.driver, &rig.pool, wait_usage, &wait);
    rig_wait(&rig, &wait);
    CHECK(wait.usage.used_bytes > 0);
    CHECK(wait.usage.used_bytes < 8 * MIB);
    end();
}

TEST(a_pool_needs_an_absolute_path)
{
    struct storage_pool relative = { .type = "Directory", .path = "pool" };

    begin();
    RIG_FAILS(&rig, ERR_INVALID, pool_ensure, &relative);
    end();
}

/* --- volumes --- */

TEST(a_blank_volume_is_there_thin_and_alone)
{
    struct disk_source source;
    struct volume_info info;
    struct err err = { 0 };

    begin();
    make_volume(one, 8 * MIB);
    info = read_volume(one);
    CHECK(info.exists);
    CHECK_EQ(info.size_bytes, 8 * MIB);
    CHECK(info.allocated_bytes < MIB);
    CHECK_STR(info.image_uid, "");
    CHECK_OK(RIG_OPS(&rig)->volume_source(rig.driver, &rig.pool, one, &source, &err), &err);
    CHECK_EQ(source.file_count, 1);
    CHECK_STR(source.files[0].format, "qcow2");
    CHECK(!source.read_only);
    disk_source_done(&source);
    CHECK(has_volume(one));
    end();
}

TEST(creating_again_succeeds_with_the_same_size_only)
{
    struct volume_request other;

    begin();
    make_volume(one, 8 * MIB);
    make_volume(one, 8 * MIB);
    other = request(one, 9 * MIB);
    RIG_FAILS(&rig, ERR_ALREADY_EXISTS, volume_create, &other);
    CHECK_EQ(read_volume(one).size_bytes, 8 * MIB);
    end();
}

TEST(a_volume_without_a_size_is_refused)
{
    struct volume_request nothing;

    begin();
    nothing = request(one, 0);
    RIG_FAILS(&rig, ERR_INVALID, volume_create, &nothing);
    CHECK(!has_volume(one));
    end();
}

TEST(an_absent_volume_reads_as_absent)
{
    struct disk_source source;
    struct err err = { 0 };

    begin();
    CHECK(!read_volume(one).exists);
    CHECK(!has_volume(one));
    CHECK_FAILS(RIG_OPS(&rig)->volume_source(rig.driver, &rig.pool, one, &source, &err), &err,
                ERR_NOT_FOUND);
    end();
}

TEST(a_volume_grows_and_never_shrinks)
{
    begin();
    make_volume(one, 8 * MIB);
    RIG_OK(&rig, volume_grow, &rig.pool, one, 16 * MIB);
    CHECK_EQ(read_volume(one).size_bytes, 16 * MIB);
    RIG_OK(&rig, volume_grow, &rig.pool, one, 16 * MIB);
    RIG_FAILS(&rig, ERR_INVALID, volume_grow, &rig.pool, one, 8 * MIB);
    CHECK_EQ(read_volume(one).size_bytes, 16 * MIB);
    RIG_FAILS(&rig, ERR_NOT_FOUND, volume_grow, &rig.pool, two, 8 * MIB);
    end();
}

TEST(a_removed_volume_is_gone_and_removing_again_succeeds)
{
    begin();
    make_volume(one, 8 * MIB);
    make_volume(two, 8 * MIB);
    RIG_OK(&rig, volume_remove, &rig.pool, one);
    RIG_OK(&rig, volume_remove, &rig.pool, one);
    CHECK(!read_volume(one).exists);
    CHECK(!has_volume(one));
    CHECK(has_volume(two));
    make_volume(one, 9 * MIB);
    CHECK_EQ(read_volume(one).size_bytes, 9 * MIB);
    end();
}

TEST(calls_for_one_volume_end_in_the_order_they_came)
{
    struct volume_request blank;
    struct wait created, grown, removed;

    begin();
    blank = request(one, 8 * MIB);
    RIG_OPS(&rig)->volume_create(rig.driver, &blank, wait_done(&rig, &created));
    RIG_OPS(&rig)->volume_grow(rig.driver, &rig.pool, one, 16 * MIB, wait_done(&rig, &grown));
    RIG_OPS(&rig)->volume_remove(rig.driver, &rig.pool, one, wait_done(&rig, &removed));
    rig_wait(&rig, &created);
    rig_wait(&rig, &grown);
    rig_wait(&rig, &removed);
    CHECK_STR(created.err.text, "");
    CHECK_STR(grown.err.text, "");
    CHECK_STR(removed.err.text, "");
    CHECK(!has_volume(one));
    end();
}

TEST(a_copy_stands_alone_and_has_the_size_asked_for)
{
    struct volume_request copy;
    struct disk_source source;
    struct err err = { 0 };

    begin();
    make_volume(one, 8 * MIB);
    copy = request(two, 16 * MIB);
    copy.volume_uid = one;
    RIG_OK(&rig, volume_create, &copy);
    CHECK_EQ(read_volume(two).size_bytes, 16 * MIB);
    CHECK_OK(RIG_OPS(&rig)->volume_source(rig.driver, &rig.pool, two, &source, &err), &err);
    CHECK_EQ(source.file_count, 1);
    disk_source_done(&source);
    RIG_OK(&rig, volume_remove, &rig.pool, one);
    CHECK(read_volume(two).exists);
    end();
}

TEST(without_a_size_a_volume_has_that_of_its_source)
{
    struct volume_request child, copy;

    begin();
    make_image(image);
    child = request(one, 0);
    child.image_uid = image;
    RIG_OK(&rig, volume_create, &child);
    RIG_OK(&rig, volume_create, &child);
    CHECK_EQ(read_volume(one).size_bytes, rig.image_bytes);
    copy = request(two, 0);
    copy.volume_uid = one;
    RIG_OK(&rig, volume_create, &copy);
    CHECK_EQ(read_volume(two).size_bytes, rig.image_bytes);
    end();
}

static unsigned file_count(const char *uid)
{
    struct disk_source source = { 0 };
    struct err err;
    unsigned count;

    CHECK_OK(RIG_OPS(&rig)->volume_source(rig.driver, &rig.pool, uid, &source, &err), &err);
    count = source.file_count;
    disk_source_done(&source);
    return count;
}

static const char *numbered_uid(unsigned number)
{
    static char uid[40];

    snprintf(uid, sizeof uid, "33333333-3333-4333-8333-%012u", number);
    return uid;
}

TEST(a_child_stands_on_its_parent_and_on_what_that_stands_on)
{
    struct volume_request first, child;
    struct volume_info info;

    begin();
    make_image(image);
    first = request(one, 0);
    first.image_uid = image;
    RIG_OK(&rig, volume_create, &first);
    child = request(two, 2 * rig.image_bytes);
    child.parent_uid = one;
    RIG_OK(&rig, volume_create, &child);
    RIG_OK(&rig, volume_create, &child);
    info = read_volume(two);
    CHECK_STR(info.parent_uid, one);
    CHECK_STR(info.image_uid, image);
    CHECK_EQ(info.size_bytes, 2 * rig.image_bytes);
    CHECK_EQ(file_count(two), 3);
    CHECK_EQ(file_count(one), 2);
    child.parent_uid = image;
    RIG_FAILS(&rig, ERR_ALREADY_EXISTS, volume_create, &child);
    end();
}

TEST(a_twin_stands_on_the_same_as_the_volume_it_was_copied_from)
{
    struct volume_request child, twin;
    struct volume_info info;

    begin();
    make_volume(one, 16 * MIB);
    child = request(two, 0);
    child.parent_uid = one;
    RIG_OK(&rig, volume_create, &child);
    twin = request(numbered_uid(1), 0);
    twin.twin_uid = two;
    RIG_OK(&rig, volume_create, &twin);
    RIG_OK(&rig, volume_create, &twin);
    info = read_volume(numbered_uid(1));
    CHECK_STR(info.parent_uid, one);
    CHECK_EQ(info.size_bytes, 16 * MIB);
    RIG_OK(&rig, volume_remove, &rig.pool, two);
    CHECK_EQ(file_count(numbered_uid(1)), 2);
    twin = request(numbered_uid(2), 0);
    twin.twin_uid = two;
    RIG_FAILS(&rig, ERR_NOT_FOUND, volume_create, &twin);
    end();
}

TEST(a_copy_of_a_child_stands_alone)
{
    struct volume_request child, copy;

    begin();
    make_volume(one, 8 * MIB);
    child = request(two, 0);
    child.parent_uid = one;
    RIG_OK(&rig, volume_create, &child);
    copy = request(numbered_uid(1), 0);
    copy.volume_uid = two;
    RIG_OK(&rig, volume_create, &copy);
    CHECK_EQ(file_count(numbered_uid(1)), 1);
    CHECK_STR(read_volume(numbered_uid(1)).parent_uid, "");
    end();
}

TEST(no_more_volumes_stand_on_each_other_than_a_machine_can_open)
{
    struct volume_request child;

    begin();
    make_volume(numbered_uid(0), MIB);
    for (unsigned i = 1; i < DISK_CHAIN_MAX; i++) {
        auto_free char *parent = str_dup(numbered_uid(i - 1));

        child = request(numbered_uid(i), 0);
        child.parent_uid = parent;
        RIG_OK(&rig, volume_create, &child);
    }
    auto_free char *last = str_dup(numbered_uid(DISK_CHAIN_MAX - 1));
    CHECK_EQ(file_count(last), DISK_CHAIN_MAX);
    child = request(numbered_uid(DISK_CHAIN_MAX), 0);
    child.parent_uid = last;
    RIG_FAILS(&rig, ERR_TOO_LARGE, volume_create, &child);
    end();
}

TEST(a_copy_needs_its_source_and_room_for_it)
{
    struct volume_request copy;

    begin();
    copy = request(two, 8 * MIB);
    copy.volume_uid = one;
    RIG_FAILS(&rig, ERR_NOT_FOUND, volume_create, &copy);
    make_volume(one, 16 * MIB);
    RIG_FAILS(&rig, ERR_INVALID, volume_create, &copy);
    CHECK(!has_volume(two));
    end();
}

/* --- images --- */

TEST(an_uploaded_image_is_imported_and_read_again)
{
    struct wait imported, again;

    begin();
    rig_upload(&rig, image);
    imported = import(image, rig.sha256);
    CHECK_STR(imported.err.text, "");
    CHECK_EQ(imported.image.virtual_bytes, rig.image_bytes);
    CHECK_STR(imported.image.sha256, rig.sha256);
    CHECK(!imported.image.is_cdrom);
    again = read_image(image);
    CHECK_STR(again.err.text, "");
    CHECK_STR(again.image.format, imported.image.format);
    CHECK_EQ(again.image.virtual_bytes, imported.image.virtual_bytes);
    CHECK(has_image(image));
    end();
}

TEST(importing_what_is_there_succeeds)
{
    begin();
    make_image(image);
    CHECK_STR(import(image, rig.sha256).err.text, "");
    end();
}

TEST(a_wrong_checksum_is_refused_and_names_both)
{
    static const char wrong[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    struct wait wait;

    begin();
    rig_upload(&rig, image);
    wait = import(image, wrong);
    CHECK_EQ(wait.err.code, ERR_INVALID);
    CHECK_CONTAINS(wait.err.text, wrong);
    CHECK_CONTAINS(wait.err.text, rig.sha256);
    CHECK_EQ(read_image(image).err.code, ERR_NOT_FOUND);
    CHECK(!has_image(image));
    end();
}

TEST(what_is_no_image_is_refused_and_forgotten)
{
    begin();
    rig_upload_bytes(&rig, image, "corrupt", 7);
    CHECK(has_image(image));
    CHECK_EQ(import(image, NULL).err.code, ERR_INVALID);
    CHECK(!has_image(image));
    make_image(image);
    CHECK(has_image(image));
    end();
}

TEST(an_import_without_an_upload_is_refused)
{
    begin();
    CHECK_EQ(import(image, NULL).err.code, ERR_INVALID);
    end();
}

TEST(an_upload_goes_on_where_it_was)
{
    struct err err = { 0 };
    int64_t offset = 0;
    int fd = -1;

    begin();
    rig_upload_bytes(&rig, image, "12345", 5);
    rig_reopen(&rig);
    CHECK(has_image(image));
    CHECK_OK(RIG_OPS(&rig)->image_upload(rig.driver, image, &fd, &offset, &err), &err);
    CHECK_EQ(offset, 5);
    close(fd);
    end();
}

TEST(a_cancelled_upload_is_forgotten)
{
    begin();
    rig_upload(&rig, image);
    RIG_OPS(&rig)->image_cancel(rig.driver, image);
    CHECK_EQ(import(image, NULL).err.code, ERR_INVALID);
    CHECK(!has_image(image));
    end();
}

TEST(a_running_import_can_be_cancelled)
{
    struct wait wait;

    begin();
    rig_upload(&rig, image);
    start_import(image, NULL, &wait);
    RIG_OPS(&rig)->image_cancel(rig.driver, image);
    CHECK_EQ(wait.called, 0);
    rig_wait(&rig, &wait);
    CHECK_EQ(wait.err.code, ERR_CANCELLED);
    CHECK(!has_image(image));
    end();
}

TEST(a_second_import_beside_a_running_one_is_refused)
{
    struct wait first, second;

    begin();
    rig_upload(&rig, image);
    start_import(image, NULL, &first);
    start_import(image, NULL, &second);
    rig_wait(&rig, &second);
    rig_wait(&rig, &first);
    CHECK_EQ(second.err.code, ERR_CONFLICT);
    CHECK_STR(first.err.text, "");
    end();
}

TEST(a_removed_image_is_gone_and_removing_again_succeeds)
{
    struct image_boot boot;
    struct err err = { 0 };

    begin();
    make_image(image);
    RIG_OK(&rig, image_remove, image);
    RIG_OK(&rig, image_remove, image);
    CHECK_EQ(read_image(image).err.code, ERR_NOT_FOUND);
    CHECK_FAILS(RIG_OPS(&rig)->image_boot(rig.driver, image, &boot, &err), &err, ERR_NOT_FOUND);
    CHECK(!has_image(image));
    end();
}

TEST(removing_an_image_ends_its_import)
{
    struct wait imported, removed;

    begin();
    rig_upload(&rig, image);
    start_import(image, NULL, &imported);
    RIG_OPS(&rig)->image_remove(rig.driver, image, wait_done(&rig, &removed));
    rig_wait(&rig, &removed);
    CHECK_EQ(imported.called, 1);
    CHECK_EQ(imported.err.code, ERR_CANCELLED);
    CHECK(!has_image(image));
    end();
}

TEST(an_image_boots_by_firmware_from_a_read_only_source)
{
    struct image_boot boot;
    struct err err = { 0 };

    begin();
    make_image(image);
    CHECK_OK(RIG_OPS(&rig)->image_boot(rig.driver, image, &boot, &err), &err);
    CHECK(!boot.kernel);
    CHECK_EQ(boot.source.file_count, 1);
    CHECK(boot.source.read_only);
    image_boot_done(&boot);
    end();
}

TEST(a_volume_on_an_image_names_both_files)
{
    struct volume_request child;
    struct disk_source source;
    struct image_boot boot;
    struct err err = { 0 };

    begin();
    make_image(image);
    child = request(one, 8 * MIB);
    child.image_uid = image;
    RIG_OK(&rig, volume_create, &child);
    RIG_OK(&rig, volume_create, &child);
    CHECK_STR(read_volume(one).image_uid, image);
    CHECK_OK(RIG_OPS(&rig)->volume_source(rig.driver, &rig.pool, one, &source, &err), &err);
    CHECK_OK(RIG_OPS(&rig)->image_boot(rig.driver, image, &boot, &err), &err);
    CHECK_EQ(source.file_count, 2);
    CHECK_STR(source.files[1].path, boot.source.files[0].path);
    disk_source_done(&source);
    image_boot_done(&boot);
    RIG_OK(&rig, volume_remove, &rig.pool, one);
    end();
}

TEST(a_volume_on_an_image_needs_the_image_and_its_size)
{
    struct volume_request child;

    begin();
    child = request(one, rig.image_bytes / 2);
    child.image_uid = image;
    RIG_FAILS(&rig, ERR_NOT_FOUND, volume_create, &child);
    make_image(image);
    RIG_FAILS(&rig, ERR_INVALID, volume_create, &child);
    CHECK(!has_volume(one));
    end();
}

/* --- seeds --- */

static void write_seed(const char *uid)
{
    RIG_OK(&rig, seed_write, uid, "instance-id: i\n", "#cloud-config\n", NULL);
}

TEST(a_seed_is_a_read_only_raw_file)
{
    struct disk_source source;
    struct err err = { 0 };

    begin();
    CHECK_FAILS(RIG_OPS(&rig)->seed_source(rig.driver, one, &source, &err), &err, ERR_NOT_FOUND);
    write_seed(one);
    write_seed(one);
    CHECK_OK(RIG_OPS(&rig)->seed_source(rig.driver, one, &source, &err), &err);
    CHECK_EQ(source.file_count, 1);
    CHECK_STR(source.files[0].format, "raw");
    CHECK(source.read_only);
    disk_source_done(&source);
    end();
}

TEST(a_removed_seed_is_gone_and_removing_again_succeeds)
{
    struct disk_source source;
    struct err err = { 0 };

    begin();
    write_seed(one);
    RIG_OK(&rig, seed_remove, one);
    RIG_OK(&rig, seed_remove, one);
    CHECK_FAILS(RIG_OPS(&rig)->seed_source(rig.driver, one, &source, &err), &err, ERR_NOT_FOUND);
    end();
}

/* --- the daemon ends and comes back --- */

TEST(all_that_was_made_is_there_after_a_restart)
{
    struct disk_source source;
    struct volume_request child;
    struct err err = { 0 };

    begin();
    make_image(image);
    child = request(one, 8 * MIB);
    child.image_uid = image;
    RIG_OK(&rig, volume_create, &child);
    write_seed(two);
    rig_reopen(&rig);
    RIG_OK(&rig, pool_ensure, &rig.pool);
    CHECK_EQ(read_volume(one).size_bytes, 8 * MIB);
    CHECK_STR(read_volume(one).image_uid, image);
    CHECK_STR(read_image(image).err.text, "");
    CHECK_OK(RIG_OPS(&rig)->seed_source(rig.driver, two, &source, &err), &err);
    disk_source_done(&source);
    end();
}

TEST(closing_ends_every_call_once)
{
    struct volume_request blank;
    struct wait created, imported, read = { .rig = &rig };

    begin();
    rig_upload(&rig, image);
    blank = request(one, 8 * MIB);
    start_import(image, NULL, &imported);
    RIG_OPS(&rig)->volume_create(rig.driver, &blank, wait_done(&rig, &created));
    RIG_OPS(&rig)->volume_read(rig.driver, &rig.pool, one, wait_volume, &read);
    rig_reopen(&rig);
    CHECK_EQ(imported.called, 1);
    CHECK_EQ(imported.err.code, ERR_CANCELLED);
    CHECK_EQ(created.called, 1);
    CHECK_EQ(created.err.code, ERR_CANCELLED);
    CHECK_EQ(read.called, 1);
    CHECK_EQ(read.err.code, ERR_CANCELLED);
    RIG_OK(&rig, pool_ensure, &rig.pool);
    RIG_OK(&rig, volume_create, &blank);
    CHECK_STR(import(image, rig.sha256).err.text, "");
    end();
}
