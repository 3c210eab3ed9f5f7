/* A full disk: a small tmpfs that only this process sees. */
#include "scratch.h"
#include "http_server.h"
#include "storage_rig.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DISK_SIZE = 6 << 20 };

static const char *const uid = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
static char *mount_point;
static uint8_t disk[DISK_SIZE];
static struct storage_rig rig;

static void resize(const char *size, unsigned long flags)
{
    auto_free char *options = str_printf("size=%s,mode=0755", size);

    CHECK_EQ(mount("tmpfs", mount_point, "tmpfs", flags, options), 0);
}

static void begin(const char *size)
{
    static bool is_apart;

    if (geteuid() != 0)
        skip();
    if (!is_apart) {
        CHECK_EQ(unshare(CLONE_NEWNS), 0);
        CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
        is_apart = true;
    }
    for (size_t i = 0; i < DISK_SIZE; i++)
        disk[i] = (uint8_t)(i * 7 + i / 997);
    mount_point = scratch_new();
    resize(size, 0);
    storage_rig_open(&rig, mount_point);
}

static void end(void)
{
    storage_rig_close(&rig);
    CHECK_EQ(umount2(mount_point, MNT_DETACH), 0);
    scratch_remove(mount_point);
}

static bool is_listed(void)
{
    auto_clean(compute_uids_free_auto) char **uids = rig.driver->ops->image_list(rig.driver);

    return uids[0] != NULL;
}

/* Others take all the space there is. */
static void fill_up(void)
{
    run_shell("head -c 100M /dev/zero > %s/filler 2>/dev/null || true", mount_point);
}

static void make_room(void) { run_shell("rm %s/filler", mount_point); }

TEST(a_download_that_does_not_fit_is_kept_and_goes_on_when_there_is_space)
{
    struct http_behaviour behaviour = {
        .body = disk, .size = DISK_SIZE, .etag = "\"one\"", .without_length = true
    };
    struct http_server *server;
    struct image_request from = { .uid = uid };
    struct storage_answer answer;

    begin("4m");
    server = http_server_new(&behaviour);
    from.url = http_server_url(server, "disk.raw");
    answer = storage_rig_import(&rig, &from);
    CHECK_EQ(answer.err.code, ERR_NO_SPACE);
    CHECK_CONTAINS(answer.err.text, "bytes that are free");
    CHECK(is_listed());
    resize("32m", MS_REMOUNT);
    answer = storage_rig_import(&rig, &from);
    CHECK_STR(answer.err.text, "");
    CHECK(strlen(http_server_asked(server, 1, "Range")) > strlen("bytes=0-"));
    http_server_free(server);
    end();
}

TEST(a_download_known_to_be_too_long_is_not_begun)
{
    struct http_behaviour behaviour = { .body = disk, .size = DISK_SIZE };
    struct http_server *server;
    struct image_request from = { .uid = uid };
    struct storage_answer answer, removed = { .rig = &rig };

    begin("4m");
    server = http_server_new(&behaviour);
    from.url = http_server_url(server, "disk.raw");
    answer = storage_rig_import(&rig, &from);
    CHECK_EQ(answer.err.code, ERR_NO_SPACE);
    rig.driver->ops->image_remove(rig.driver, uid, (struct done){ storage_answer_done, &removed });
    CHECK(!is_listed()); /* at once, before the bytes are gone */
    storage_rig_wait(&rig, &removed);
    CHECK_STR(removed.err.text, "");
    http_server_free(server);
    end();
}

TEST(a_conversion_that_does_not_fit_keeps_the_upload)
{
    struct image_request from = { .uid = uid };
    struct storage_answer answer;

    begin("9m");
    storage_rig_upload(&rig, uid, disk, DISK_SIZE);
    answer = storage_rig_import(&rig, &from);
    CHECK_EQ(answer.err.code, ERR_NO_SPACE);
    CHECK(is_listed());
    resize("32m", MS_REMOUNT);
    CHECK_STR(storage_rig_import(&rig, &from).err.text, "");
    end();
}

TEST(what_unpacks_to_more_than_there_is_keeps_the_upload)
{
    auto_free char *path = NULL;
    struct image_request from = { .uid = uid };
    struct storage_answer answer;

    begin("4m");
    path = str_printf("%s/packed", rig.folder);
    run_shell("tr '\\0' x < /dev/zero | head -c 6291456 | gzip -1 > %s", path);
    storage_rig_upload_file(&rig, uid, path);
    answer = storage_rig_import(&rig, &from);
    CHECK_EQ(answer.err.code, ERR_NO_SPACE);
    CHECK(is_listed());
    resize("32m", MS_REMOUNT);
    CHECK_STR(storage_rig_import(&rig, &from).err.text, "");
    end();
}

static struct storage_answer make_volume(void)
{
    struct volume_request blank = { .pool = rig.pool, .uid = uid, .size_bytes = 1 << 20 };
    struct storage_answer answer = { .rig = &rig };

    rig.driver->ops->volume_create(rig.driver, &blank,
                                   (struct done){ storage_answer_done, &answer });
    storage_rig_wait(&rig, &answer);
    return answer;
}

static struct storage_answer write_seed(void)
{
    struct storage_answer answer = { .rig = &rig };

    rig.driver->ops->seed_write(rig.driver, uid, "instance-id: x\n", "#cloud-config\n", NULL,
                                (struct done){ storage_answer_done, &answer });
    storage_rig_wait(&rig, &answer);
    return answer;
}

TEST(volumes_and_seeds_on_a_full_disk_fail_whole_and_succeed_later)
{
    struct storage_answer ensured = { .rig = &rig };
    struct disk_source source;
    struct err err = { 0 };

    begin("4m");
    rig.driver->ops->pool_ensure(rig.driver, &rig.pool,
                                 (struct done){ storage_answer_done, &ensured });
    storage_rig_wait(&rig, &ensured);
    fill_up();
    CHECK_EQ(make_volume().err.code, ERR_NO_SPACE);
    CHECK_EQ(write_seed().err.code, ERR_NO_SPACE);
    auto_clean(compute_uids_free_auto) char **uids =
        rig.driver->ops->pool_list(rig.driver, &rig.pool);
    CHECK(!uids[0]);
    CHECK_FAILS(rig.driver->ops->seed_source(rig.driver, uid, &source, &err), &err, ERR_NOT_FOUND);
    make_room();
    CHECK_STR(make_volume().err.text, "");
    CHECK_STR(write_seed().err.text, "");
    end();
}
