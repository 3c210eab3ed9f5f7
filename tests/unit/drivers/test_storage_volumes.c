/* What the directory driver does with volumes that a guest's process has spoiled, and with seeds.
 */
#include "check.h"
#include "storage_rig.h"
#include "base/files.h"
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const one = "11111111-1111-4111-8111-111111111111";
static const char *const two = "22222222-2222-4222-8222-222222222222";
static const char *const image = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
static const int64_t MIB = 1 << 20;

static struct storage_rig rig;

static struct storage_answer answer;

static struct done answered(void)
{
    answer = (struct storage_answer){ .rig = &rig };
    return (struct done){ storage_answer_done, &answer };
}

static void begin(void)
{
    storage_rig_open(&rig, NULL);
    rig.driver->ops->pool_ensure(rig.driver, &rig.pool, answered());
    storage_rig_wait(&rig, &answer);
    CHECK_STR(answer.err.text, "");
}

static void end(void) { storage_rig_close(&rig); }

static void create(const char *uid, const char *image_uid, const char *copied)
{
    struct volume_request request = { .pool = rig.pool,
                                      .uid = uid,
                                      .size_bytes = 4 * MIB,
                                      .image_uid = image_uid,
                                      .volume_uid = copied };

    rig.driver->ops->volume_create(rig.driver, &request, answered());
    storage_rig_wait(&rig, &answer);
}

static void grow(const char *uid, int64_t size)
{
    rig.driver->ops->volume_grow(rig.driver, &rig.pool, uid, size, answered());
    storage_rig_wait(&rig, &answer);
}

TEST(uefi_variables_go_with_their_volume)
{
    begin();
    create(one, NULL, NULL);
    auto_free char *path = rig.driver->ops->volume_vars(rig.driver, &rig.pool, one);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    close(fd);
    rig.driver->ops->volume_remove(rig.driver, &rig.pool, one, answered());
    storage_rig_wait(&rig, &answer);
    CHECK_STR(answer.err.text, "");
    CHECK(access(path, F_OK) < 0);
    end();
}

static void make_image(void)
{
    struct image_request from = { .uid = image };
    auto_free char *path = str_printf("%s/disk.raw", rig.folder);

    run_shell("head -c 1048576 /dev/urandom > %s", path);
    storage_rig_upload_file(&rig, image, path);
    CHECK_STR(storage_rig_import(&rig, &from).err.text, "");
}

static char *disk_of(const char *uid) { return str_printf("%s/%s/disk.qcow2", rig.pool.path, uid); }

/* --- volumes --- */

TEST(a_volume_on_an_image_reads_as_the_image_and_writes_apart)
{
    auto_free char *disk = NULL;

    begin();
    make_image();
    create(one, image, NULL);
    CHECK_STR(answer.err.text, "");
    disk = disk_of(one);
    run_shell("qemu-img compare -q -f raw -F qcow2 %s/disk.raw %s && "
              "qemu-img info --backing-chain %s | grep -q %s/%s/disk.qcow2",
              rig.folder, disk, disk, rig.setup.image_dir, image);
    run_shell("qemu-io -f qcow2 -c 'read -P 0 2M 1M' -c 'write -P 7 0 64k' %s > /dev/null && "
              "qemu-img check -q %s",
              disk, disk);
    end();
}

TEST(a_copy_holds_what_the_chain_holds)
{
    auto_free char *from = NULL, *to = NULL;

    begin();
    make_image();
    create(one, image, NULL);
    from = disk_of(one);
    to = disk_of(two);
    run_shell("qemu-io -f qcow2 -c 'write -P 7 512k 64k' -c 'write -P 9 3M 64k' %s > /dev/null",
              from);
    create(two, NULL, one);
    CHECK_STR(answer.err.text, "");
    run_shell("qemu-img compare -q -f qcow2 -F qcow2 %s %s && "
              "! qemu-img info %s | grep -q backing",
              from, to, to);
    end();
}

TEST(files_of_volumes_are_roots_and_reached_by_descriptors_only)
{
    auto_free char *folder = NULL, *disk = NULL;
    struct stat found;

    begin();
    create(one, NULL, NULL);
    grow(one, 8 * MIB);
    create(two, NULL, one);
    CHECK_EQ(answer.err.code, ERR_INVALID); /* smaller than its source */
    folder = str_printf("%s/%s", rig.pool.path, one);
    disk = disk_of(one);
    CHECK_EQ(stat(folder, &found), 0);
    CHECK_EQ(found.st_mode & 07777, 0700);
    CHECK_EQ(stat(disk, &found), 0);
    CHECK_EQ(found.st_mode & 07777, 0644);
    CHECK_EQ(found.st_uid, 0);
    end();
}

/* A guest that broke out into its QEMU writes any header it likes. */
TEST(a_backing_file_that_a_guest_wrote_into_its_disk_is_followed_by_nobody)
{
    struct disk_source source;
    struct err err = { 0 };
    auto_free char *disk = NULL, *copy = NULL;

    begin();
    create(one, NULL, NULL);
    disk = disk_of(one);
    copy = disk_of(two);
    run_shell("qemu-img rebase -q -u -f qcow2 -b /etc/passwd -F raw %s", disk);
    CHECK_OK(rig.driver->ops->volume_source(rig.driver, &rig.pool, one, &source, &err), &err);
    CHECK_EQ(source.file_count, 1);
    disk_source_done(&source);
    create(two, NULL, one);
    CHECK_STR(answer.err.text, "");
    run_shell("qemu-io -f qcow2 -c 'read -P 0 0 4M' %s | grep -q '4 MiB' && "
              "! grep -q root: %s",
              copy, copy);
    grow(one, 8 * MIB);
    CHECK_STR(answer.err.text, "");
    end();
}

TEST(a_data_file_that_a_guest_wrote_into_its_disk_is_refused)
{
    static const uint8_t bit[8] = { 0, 0, 0, 0, 0, 0, 0, 4 };
    auto_free char *disk = NULL;
    int fd;

    begin();
    create(one, NULL, NULL);
    disk = disk_of(one);
    fd = open(disk, O_WRONLY);
    CHECK_EQ(pwrite(fd, bit, sizeof bit, 72), sizeof bit);
    close(fd);
    create(two, NULL, one);
    CHECK_EQ(answer.err.code, ERR_IO);
    CHECK_CONTAINS(answer.err.text, "another file");
    grow(one, 8 * MIB);
    CHECK_EQ(answer.err.code, ERR_IO);
    end();
}

/* As a running QEMU holds it: it writes (byte 101) and lets nobody else write (byte 201). */
static int hold(const char *path)
{
    int fd = open(path, O_RDWR);

    for (int at = 101; at <= 201; at += 100) {
        struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
        CHECK_EQ(fcntl(fd, F_OFD_SETLK, &lock), 0);
    }
    return fd;
}

TEST(a_volume_that_is_in_use_is_neither_grown_nor_copied)
{
    auto_free char *disk = NULL;
    int fd;

    begin();
    create(one, NULL, NULL);
    disk = disk_of(one);
    fd = hold(disk);
    grow(one, 8 * MIB);
    CHECK_EQ(answer.err.code, ERR_CONFLICT);
    CHECK_CONTAINS(answer.err.text, "in use");
    create(two, NULL, one);
    CHECK_EQ(answer.err.code, ERR_CONFLICT);
    close(fd);
    create(two, NULL, one);
    CHECK_STR(answer.err.text, "");
    grow(one, 8 * MIB);
    CHECK_STR(answer.err.text, "");
    end();
}

TEST(a_pool_is_no_file_and_no_relative_path)
{
    static const char *const paths[] = {
        "pool", "", "/etc/passwd", "/etc/passwd/pool", "/proc/pool", "/tmp/../etc/pool", "/tmp/.."
    };

    begin();
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct storage_pool pool = { .type = "Directory", .path = paths[i] };

        rig.driver->ops->pool_ensure(rig.driver, &pool, answered());
        storage_rig_wait(&rig, &answer);
        CHECK_EQ(answer.err.code, ERR_INVALID);
    }
    end();
}

TEST(a_volume_in_a_pool_that_is_not_there_makes_no_pool)
{
    begin();
    run_shell("rm -r %s", rig.pool.path);
    create(one, NULL, NULL);
    CHECK_EQ(answer.err.code, ERR_NOT_FOUND);
    CHECK(access(rig.pool.path, F_OK) < 0);
    end();
}

TEST(the_driver_needs_another_user_for_foreign_bytes)
{
    struct storage_setup setup;
    struct err err = { 0 };

    begin();
    setup = rig.setup;
    setup.convert_uid = 0;
    CHECK(!storage_directory.open(&setup, &err));
    CHECK_EQ(err.code, ERR_INVALID);
    setup = rig.setup;
    setup.image_dir = "images";
    CHECK(!storage_directory.open(&setup, &err));
    end();
}

/* --- seeds --- */

static char *read_member(struct archive *archive)
{
    struct buf text = { 0 };
    char chunk[256];
    la_ssize_t got;

    while ((got = archive_read_data(archive, chunk, sizeof chunk)) > 0)
        buf_add(&text, chunk, (size_t)got);
    return buf_take(&text);
}

static void check_member(const char *path, const char *name, const char *wanted)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    bool seen = false;

    archive_read_support_format_iso9660(archive);
    CHECK_EQ(archive_read_open_filename(archive, path, 4096), ARCHIVE_OK);
    while (!seen && archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        if (strcmp(archive_entry_pathname(entry), name) != 0)
            continue;
        auto_free char *text = read_member(archive);
        CHECK_STR(text, wanted);
        seen = true;
    }
    archive_read_free(archive);
    CHECK_EQ(seen, wanted != NULL);
}

static void write_seed(const char *user_data, const char *network_config)
{
    rig.driver->ops->seed_write(rig.driver, one, "instance-id: one\n", user_data, network_config,
                                answered());
    storage_rig_wait(&rig, &answer);
    CHECK_STR(answer.err.text, "");
}

TEST(a_seed_is_a_secret_iso_with_the_label_that_cloud_init_looks_for)
{
    struct disk_source source;
    struct err err = { 0 };
    struct stat found;
    char label[33] = "";
    int fd;

    begin();
    write_seed("#cloud-config\npassword: s\n", "version: 2\n");
    CHECK_OK(rig.driver->ops->seed_source(rig.driver, one, &source, &err), &err);
    CHECK_EQ(stat(source.files[0].path, &found), 0);
    CHECK_EQ(found.st_mode & 07777, 0600);
    fd = open(source.files[0].path, O_RDONLY);
    CHECK_EQ(pread(fd, label, 32, 0x8000 + 40), 32);
    close(fd);
    CHECK(strncasecmp(label, "cidata ", 7) == 0);
    check_member(source.files[0].path, "meta-data", "instance-id: one\n");
    check_member(source.files[0].path, "user-data", "#cloud-config\npassword: s\n");
    check_member(source.files[0].path, "network-config", "version: 2\n");
    disk_source_done(&source);
    end();
}

TEST(a_seed_written_again_replaces_the_first)
{
    struct disk_source source;
    struct err err = { 0 };

    begin();
    write_seed("first", "version: 2\n");
    write_seed("second", NULL);
    CHECK_OK(rig.driver->ops->seed_source(rig.driver, one, &source, &err), &err);
    check_member(source.files[0].path, "user-data", "second");
    check_member(source.files[0].path, "network-config", NULL);
    disk_source_done(&source);
    end();
}

