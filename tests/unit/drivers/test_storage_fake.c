#include "check.h"
#include "drivers/storage/fake/fake.h"
#include "base/fault.h"
#include "base/str.h"
#include <stdlib.h>

static const struct storage_pool pool = { .type = "Directory", .path = "/pool" };
static struct loop *loop;
static struct storage_fake *disks;
static struct storage_driver *driver;
static struct storage_setup setup;

struct answer {
    unsigned count;
    unsigned order;
    struct err err;
    struct image_info image;
};
static unsigned answers_seen;

static void begin(uint64_t seed)
{
    answers_seen = 0;
    loop = loop_sim_new(seed);
    disks = storage_fake_new();
    setup = (struct storage_setup){ .loop = loop, .image_dir = "/images" };
    driver = storage_fake_open(disks, &setup);
}

static void end(void)
{
    driver->ops->close(driver);
    storage_fake_free(disks);
    loop_free(loop);
}

static void run(void)
{
    while (loop_sim_step(loop))
        ;
}

static void take_done(void *arg, const struct err *err)
{
    struct answer *answer = arg;

    answer->count++;
    answer->order = ++answers_seen;
    answer->err = err ? *err : (struct err){ 0 };
}

static struct done to(struct answer *answer)
{
    return (struct done){ .fn = take_done, .arg = answer };
}

static void take_image(void *arg, const struct err *err, const struct image_info *info)
{
    struct answer *answer = arg;

    take_done(arg, err);
    if (info)
        answer->image = *info;
}

static void create(const char *uid, const char *image_uid, struct answer *answer)
{
    struct volume_request request = {
        .pool = pool, .uid = uid, .size_bytes = INT64_C(2) << 30, .image_uid = image_uid
    };

    *answer = (struct answer){ 0 };
    driver->ops->volume_create(driver, &request, to(answer));
}

static struct answer import(const char *uid, const char *url)
{
    struct image_request request = { .uid = uid, .url = url };
    struct answer answer = { 0 };

    driver->ops->image_import(driver, &request, NULL, take_image, &answer);
    run();
    CHECK_EQ(answer.count, 1);
    return answer;
}

static void check_described(const char *wanted)
{
    auto_free char *text = storage_fake_describe(disks);

    CHECK_STR(text, wanted);
}

TEST(the_text_of_a_url_decides_what_it_holds)
{
    begin(1);
    CHECK_STR(import("a", "http://host/disk.qcow2").image.format, "qcow2");
    CHECK(import("b", "http://host/install.iso").image.is_cdrom);
    CHECK(import("c", "http://host/bundle.tar").image.has_kernel);
    CHECK_EQ(import("d", "http://host/missing").err.code, ERR_INVALID);
    CHECK_EQ(import("e", "http://host/corrupt").err.code, ERR_INVALID);
    check_described("image a\nimage b\nimage c\n");
    end();
}

TEST(a_full_disk_stops_creation_and_import_until_there_is_room)
{
    struct storage_fake_settings settings;
    struct answer answer;

    begin(2);
    settings = storage_fake_settings(disks);
    settings.foreign_bytes = settings.capacity_bytes;
    storage_fake_set(disks, &settings);
    create("v", NULL, &answer);
    run();
    CHECK_EQ(answer.err.code, ERR_NO_SPACE);
    CHECK_EQ(import("i", "http://host/a").err.code, ERR_NO_SPACE);
    settings.foreign_bytes = 0;
    storage_fake_set(disks, &settings);
    create("v", NULL, &answer);
    CHECK_EQ(import("i", "http://host/a").err.code, ERR_NONE);
    CHECK_EQ(answer.err.code, ERR_NONE);
    check_described("image i\nvolume /pool/v\n");
    end();
}

TEST(removing_an_image_below_a_volume_is_a_violation)
{
    struct answer answer;

    begin(3);
    import("i", "http://host/a");
    create("v", "i", &answer);
    run();
    CHECK_EQ(answer.err.code, ERR_NONE);
    CHECK_STR(storage_fake_violation(disks), NULL);
    driver->ops->image_remove(driver, "i", to(&answer));
    run();
    CHECK_CONTAINS(storage_fake_violation(disks), "image i was removed below volume");
    end();
}

static bool is_used(void *arg, const char *path) { return str_equal(path, arg); }

TEST(touching_a_volume_in_use_is_a_violation)
{
    static char used[] = "/pool/v/disk.qcow2";
    struct answer answer;

    begin(4);
    create("v", NULL, &answer);
    create("w", NULL, &answer);
    run();
    storage_fake_watch_use(disks, is_used, used);
    driver->ops->volume_remove(driver, &pool, "w", to(&answer));
    run();
    CHECK_STR(storage_fake_violation(disks), NULL);
    driver->ops->volume_grow(driver, &pool, "v", INT64_C(3) << 30, to(&answer));
    run();
    CHECK_CONTAINS(storage_fake_violation(disks), "/pool/v/disk.qcow2 was grown");
    end();
}

TEST(a_failed_call_has_done_its_work_with_some_seeds_and_not_with_others)
{
    unsigned done = 0, not_done = 0;

    for (uint64_t seed = 0; seed < 40; seed++) {
        struct answer answer;

        begin(seed);
        fault_fail_nth(1);
        create("v", NULL, &answer);
        run();
        fault_fail_nth(0);
        CHECK_EQ(answer.err.code, ERR_IO);
        auto_free char *text = storage_fake_describe(disks);
        *(text[0] ? &done : &not_done) += 1;
        end();
    }
    CHECK(done > 0);
    CHECK(not_done > 0);
}

TEST(a_crash_leaves_the_work_done_with_some_seeds_and_not_with_others)
{
    unsigned done = 0, not_done = 0;

    for (uint64_t seed = 0; seed < 40; seed++) {
        struct answer answer;

        begin(seed);
        create("v", NULL, &answer);
        driver->ops->close(driver);
        CHECK_EQ(answer.count, 1);
        CHECK_EQ(answer.err.code, ERR_CANCELLED);
        driver = storage_fake_open(disks, &setup);
        auto_free char *text = storage_fake_describe(disks);
        *(text[0] ? &done : &not_done) += 1;
        end();
    }
    CHECK(done > 0);
    CHECK(not_done > 0);
}

TEST(an_import_cut_off_by_a_crash_leaves_its_download_and_goes_on)
{
    struct image_request request = { .uid = "i", .url = "http://host/a" };
    struct answer answer = { 0 };

    begin(5);
    driver->ops->image_import(driver, &request, NULL, take_image, &answer);
    loop_sim_step(loop);
    driver->ops->close(driver);
    CHECK_EQ(answer.err.code, ERR_CANCELLED);
    driver = storage_fake_open(disks, &setup);
    check_described("staged i\n");
    CHECK_EQ(import("i", "http://host/a").err.code, ERR_NONE);
    check_described("image i\n");
    end();
}

TEST(random_failures_come_as_often_as_asked)
{
    struct storage_fake_settings settings;
    unsigned failed = 0;

    begin(6);
    settings = storage_fake_settings(disks);
    settings.fail_one_in = 4;
    storage_fake_set(disks, &settings);
    for (int i = 0; i < 400; i++) {
        struct answer answer = { 0 };
        driver->ops->seed_remove(driver, "s", to(&answer));
        run();
        failed += answer.err.code == ERR_IO;
    }
    CHECK(failed > 60 && failed < 140);
    end();
}

TEST(a_driver_opened_by_its_table_has_disks_of_its_own)
{
    struct err err = { 0 };
    struct storage_driver *own;

    begin(7);
    import("i", "http://host/a");
    own = storage_fake.open(&setup, &err);
    auto_clean(compute_uids_free_auto) char **uids = own->ops->image_list(own);
    CHECK(!uids[0]);
    own->ops->close(own);
    end();
}
