/* tests/unit/store/test_backup.c - the copy that the engine on disk makes of its database. */
#include "base/fault.h"
#include "site.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS, OBJECTS = 600 };

static void fill(struct site *site)
{
    auto_free char *text = mem_zero(3001);
    char key[16];

    memset(text, 'x', 3000);
    for (int i = 0; i < OBJECTS; i++) {
        snprintf(key, sizeof key, "/%03d", i);
        site->store->ops->put(site->store, key, (struct store_value){ text, 3000, 7 },
                              STORE_ANY_REVISION, NULL, NULL);
    }
    CHECK_EQ(write_at(site, "/last", "@").code, ERR_NONE);
}

static void back_up_daily(struct site *site)
{
    site->options.backup_interval_ms = DAY_MS;
    site_reopen(site);
}

static bool has_file(const struct site *site, const char *name)
{
    auto_free char *path = site_path(site, name);

    return access(path, F_OK) == 0;
}

static void wait_for_backup(struct site *site)
{
    while (!has_file(site, "virga.db.backup"))
        CHECK(loop_sim_step(site->loop));
}

/* As a person does it who follows the text of the error. */
static void restore(struct site *site)
{
    auto_free char *database = site_path(site, "virga.db");
    auto_free char *backup = site_path(site, "virga.db.backup");

    site_close(site);
    CHECK_EQ(unlink(database), 0);
    CHECK_EQ(rename(backup, database), 0);
    site_open(site);
}

static size_t count_objects(struct site *site)
{
    size_t count;
    struct record **records = site->store->ops->list(site->store, "/", NULL, 0, &count, NULL);

    record_list_free(records, count);
    return count;
}

TEST_SITE(no_backup_is_made_unless_asked_for)
{
    fill(site);
    loop_sim_advance(site->loop, 2 * DAY_MS);
    CHECK(!has_file(site, "virga.db.backup"));
}

TEST_SITE(a_backup_holds_all_objects_and_history_and_is_private)
{
    struct diary diary = { 0 };
    auto_free char *path = site_path(site, "virga.db.backup");
    struct stat info;

    fill(site);
    back_up_daily(site);
    int64_t revision = site->store->ops->revision(site->store);
    wait_for_backup(site);
    CHECK(!has_file(site, "virga.db.backup.new"));
    CHECK_EQ(stat(path, &info), 0);
    CHECK_EQ(info.st_mode & 0777, 0600);
    write_at(site, "/after", "x");
    restore(site);
    CHECK_EQ(count_objects(site), OBJECTS + 1);
    CHECK_EQ(site->store->ops->revision(site->store), revision);
    struct store_watch *watch = watch_from(site->store, "/last", revision - 1, &diary);
    settle(site->loop);
    CHECK_EQ(diary.count, 1);
    site->store->ops->watch_free(watch);
    buf_done(&diary.text);
}

TEST_SITE(what_is_written_while_a_backup_is_made_is_in_it)
{
    char key[16];
    int writes = 0;

    fill(site);
    back_up_daily(site);
    while (!has_file(site, "virga.db.backup")) {
        CHECK(loop_sim_step(site->loop));
        if (!has_file(site, "virga.db.backup.new"))
            continue;
        snprintf(key, sizeof key, "/%03d", writes++ % OBJECTS);
        CHECK_EQ(write_at(site, key, "changed").code, ERR_NONE);
    }
    CHECK(writes > 4); /* it is made in pieces */
    CHECK_TEXT_AT(site->store, "/003", "changed");
    restore(site);
    CHECK_TEXT_AT(site->store, "/003", "changed");
    CHECK_EQ(count_objects(site), OBJECTS + 1);
}

TEST_SITE(a_backup_is_made_anew_when_the_last_is_too_old)
{
    auto_free char *path = site_path(site, "virga.db.backup");

    back_up_daily(site);
    wait_for_backup(site);
    CHECK_EQ(unlink(path), 0);
    loop_sim_advance(site->loop, DAY_MS - HOUR_MS);
    CHECK(!has_file(site, "virga.db.backup"));
    loop_sim_advance(site->loop, 2 * HOUR_MS);
    CHECK(has_file(site, "virga.db.backup"));
}

TEST_SITE(a_backup_of_today_is_not_made_again_at_every_start)
{
    auto_free char *path = site_path(site, "virga.db.backup");
    auto_close int fd = open(path, O_WRONLY | O_CREAT, 0600);
    int64_t made_s = loop_wall_ms(site->loop) / 1000 - 20 * 3600;
    const struct timespec made[2] = { { .tv_sec = made_s }, { .tv_sec = made_s } };
    struct stat info;

    CHECK_EQ(futimens(fd, made), 0);
    back_up_daily(site);
    loop_sim_advance(site->loop, 3 * HOUR_MS);
    CHECK_EQ(stat(path, &info), 0);
    CHECK_EQ(info.st_size, 0);
    loop_sim_advance(site->loop, 2 * HOUR_MS);
    CHECK_EQ(stat(path, &info), 0);
    CHECK(info.st_size > 0);
}

TEST_SITE(a_backup_that_fails_disturbs_nothing_and_is_tried_again)
{
    auto_free char *obstacle = site_path(site, "virga.db.backup.new");
    int64_t made_ms = -1;
    struct err err;

    CHECK_EQ(mkdir(obstacle, 0700), 0);
    back_up_daily(site);
    CHECK_OK(site->store->ops->backup(site->store, &made_ms, &err), &err);
    CHECK_EQ(made_ms, 0);
    loop_sim_advance(site->loop, HOUR_MS);
    CHECK(!has_file(site, "virga.db.backup"));
    CHECK_EQ(site->store->ops->backup(site->store, &made_ms, &err), -1);
    CHECK_CONTAINS(err.text, "virga.db.backup.new");
    CHECK_EQ(made_ms, 0);
    CHECK_EQ(site->store->ops->health(site->store, &err), 0);
    CHECK_EQ(write_at(site, "/a", "x").code, ERR_NONE);
    CHECK_EQ(rmdir(obstacle), 0);
    loop_sim_advance(site->loop, 2 * HOUR_MS);
    CHECK(has_file(site, "virga.db.backup"));
    CHECK_OK(site->store->ops->backup(site->store, &made_ms, &err), &err);
    CHECK(made_ms > 0 && made_ms <= loop_wall_ms(site->loop));
}

TEST_SITE(closing_in_the_middle_of_a_backup_leaves_nothing_behind)
{
    fill(site);
    back_up_daily(site);
    while (!has_file(site, "virga.db.backup.new"))
        CHECK(loop_sim_step(site->loop));
    site_close(site);
    CHECK(!has_file(site, "virga.db.backup.new"));
    CHECK(!has_file(site, "virga.db.backup"));
    site_open(site);
    wait_for_backup(site);
}

TEST_SITE(a_commit_that_fails_during_a_backup_does_not_get_into_it)
{
    fill(site);
    back_up_daily(site);
    while (!has_file(site, "virga.db.backup.new"))
        CHECK(loop_sim_step(site->loop));
    fault_fail_nth(1);
    CHECK_EQ(write_at(site, "/005", "never").code, ERR_IO);
    wait_for_backup(site);
    restore(site);
    CHECK_EQ(count_objects(site), OBJECTS + 1);
    auto_free char *text = text_at(site->store, "/005");
    CHECK(strcmp(text, "never") != 0);
}
