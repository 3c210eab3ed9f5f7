/* tests/unit/store/test_database.c - what the engine on disk finds again, and what it refuses. */
#include "base/fault.h"
#include "site.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* With the store closed. */
static void run_sql(const struct site *site, const char *sql)
{
    auto_free char *path = site_path(site, "virga.db");
    sqlite3 *handle;

    CHECK_EQ(sqlite3_open(path, &handle), SQLITE_OK);
    CHECK_EQ(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    CHECK_EQ(sqlite3_close(handle), SQLITE_OK);
}

static int64_t ask_sql(const struct site *site, const char *sql)
{
    auto_free char *path = site_path(site, "virga.db");
    sqlite3 *handle;
    sqlite3_stmt *statement;

    CHECK_EQ(sqlite3_open(path, &handle), SQLITE_OK);
    CHECK_EQ(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
    CHECK_EQ(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return number;
}

/* --- across a restart --- */

TEST_SITE(objects_and_the_revision_are_there_after_a_restart)
{
    write_at(site, "/a", "one @");
    write_at(site, "/b", "two");
    write_at(site, "/a", "three @");
    write_at(site, "/c", "");
    struct answer last = remove_at(site, "/b");
    auto_free char *text = text_at(site->store, "/a");
    struct record *before = site->store->ops->get(site->store, "/a");

    site_reopen(site);
    struct record *after = site->store->ops->get(site->store, "/a");
    CHECK_EQ(site->store->ops->revision(site->store), last.revision);
    CHECK_TEXT_AT(site->store, "/a", text);
    CHECK_TEXT_AT(site->store, "/b", NULL);
    CHECK_TEXT_AT(site->store, "/c", "");
    CHECK_EQ(after->revision, before->revision);
    CHECK_EQ(after->created, before->created);
    record_unref(before);
    record_unref(after);
    CHECK_EQ(write_at(site, "/d", "x").revision, last.revision + 1);
}

TEST_SITE(a_watch_resumes_across_a_restart)
{
    struct diary diary = { 0 };
    struct answer first = write_at(site, "/a", "1");

    write_at(site, "/a", "2");
    write_at(site, "/b", "3");
    remove_at(site, "/a");
    site_reopen(site);
    struct store_watch *watch = watch_from(site->store, "/", first.revision, &diary);
    write_at(site, "/b", "4");
    settle(site->loop);
    CHECK_DIARY(diary, "~/a:2(1) +/b:3 -/a:last(2) ~/b:4(3)");
    site->store->ops->watch_free(watch);
    buf_done(&diary.text);
}

static void *copy_of_bytes(void *arg, const struct record *record)
{
    return str_printf("%s after a restart", record->bytes);
}

TEST_SITE(the_hook_sees_what_was_loaded)
{
    write_at(site, "/a", "1");
    site_reopen(site);
    store_set_index(site->store, (struct store_index){ copy_of_bytes, free, NULL });

    struct record *record = site->store->ops->get(site->store, "/a");
    CHECK_STR(record->extra, "1 after a restart");
    record_unref(record);
}

TEST_SITE(a_compaction_holds_after_a_restart_and_frees_the_file)
{
    int64_t start = site->store->ops->revision(site->store);
    struct answer answer = { 0 };

    for (int i = 0; i < 600; i++)
        answer = write_at(site, "/a", "x @");
    site->store->ops->compact(site->store, answer.revision);
    settle(site->loop);
    site_reopen(site);
    CHECK_EQ(site->store->ops->compacted(site->store), answer.revision);
    CHECK_EQ(watch_error(site->store, start), ERR_COMPACTED);
    CHECK_EQ(watch_error(site->store, answer.revision), ERR_NONE);
    site_close(site);
    CHECK(ask_sql(site, "SELECT count(*) FROM object") < 300);
}

TEST_SITE(superseded_versions_left_by_a_crash_are_removed_with_later_writes)
{
    for (int i = 0; i < 400; i++)
        write_at(site, "/a", "x");
    site_close(site);
    run_sql(site, "UPDATE meta SET value = 400 WHERE name = 'compacted'");
    site_open(site);
    settle(site->loop);
    write_at(site, "/a", "y");
    site_close(site);
    CHECK(ask_sql(site, "SELECT count(*) FROM object WHERE revision <= 400") <= 1);
    site_open(site);
    CHECK_TEXT_AT(site->store, "/a", "y");
}

TEST_SITE(the_revision_goes_on_even_when_the_last_write_was_a_removal_and_is_compacted)
{
    struct answer last;

    for (int i = 0; i < 300; i++) {
        write_at(site, "/a", "x");
        last = remove_at(site, "/a");
    }
    site->store->ops->compact(site->store, last.revision);
    settle(site->loop);
    site_close(site);
    run_sql(site, "DELETE FROM object");
    site_open(site);
    CHECK_EQ(site->store->ops->revision(site->store), last.revision);
    CHECK_EQ(write_at(site, "/a", "x").revision, last.revision + 1);
}

TEST_SITE(events_grow_too_old_also_across_a_restart)
{
    struct answer old = write_at(site, "/a", "1");
    loop_sim_advance(site->loop, 200 * 1000);
    struct answer young = write_at(site, "/a", "2");

    site_reopen(site);
    CHECK_EQ(watch_error(site->store, old.revision - 1), ERR_NONE);
    loop_sim_advance(site->loop, 200 * 1000);
    CHECK_EQ(watch_error(site->store, old.revision - 1), ERR_COMPACTED);
    CHECK_EQ(watch_error(site->store, old.revision), ERR_NONE);
    loop_sim_advance(site->loop, 200 * 1000);
    CHECK_EQ(watch_error(site->store, old.revision), ERR_COMPACTED);
    CHECK_EQ(watch_error(site->store, young.revision), ERR_NONE);
    CHECK_TEXT_AT(site->store, "/a", "2");
}

TEST_SITE(history_is_bounded_in_events_and_in_bytes)
{
    auto_free char *large = mem_zero(10001);
    struct answer answer;

    memset(large, 'x', 10000);
    site->options.history_count_max = 10;
    site->options.history_size_max = 50 * 1000;
    site_reopen(site);
    for (int i = 0; i < 30; i++)
        answer = write_at(site, "/a", "small");
    CHECK_EQ(site->store->ops->compacted(site->store), answer.revision - 10);
    for (int i = 0; i < 30; i++)
        answer = write_at(site, "/a", large);
    CHECK_EQ(site->store->ops->compacted(site->store), answer.revision - 5);
    site_reopen(site);
    CHECK_EQ(site->store->ops->compacted(site->store), answer.revision - 5);
    CHECK_TEXT_AT(site->store, "/a", large);
}

/* --- commits that fail --- */

TEST_SITE(when_a_commit_fails_all_that_waits_fails_and_nothing_is_changed)
{
    struct answer answers[100], refused;
    struct diary diary = { 0 };
    struct err err = { 0 };
    char key[16];

    write_at(site, "/000", "before");
    int64_t revision = site->store->ops->revision(site->store);
    struct store_watch *watch = watch_from(site->store, "/", -1, &diary);

    fault_fail_nth(1);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "/%03d", i);
        start_put(site->store, key, "after", STORE_ANY_REVISION, &answers[i]);
    }
    start_put(site->store, "/050", "x", STORE_MUST_NOT_EXIST, &refused);
    wait_for(site->loop, &refused);
    for (int i = 0; i < 100; i++)
        CHECK(answers[i].came && answers[i].code == ERR_IO);
    CHECK_EQ(refused.code, ERR_IO); /* what refused it did not happen either */
    CHECK_FAILS(site->store->ops->health(site->store, &err), &err, ERR_IO);
    CHECK_LIST(site->store, "/", NULL, 0, "/000:before");
    CHECK_EQ(site->store->ops->revision(site->store), revision);

    struct answer again = put(site->loop, site->store, "/050", "again", STORE_MUST_NOT_EXIST);
    CHECK_EQ(again.code, ERR_NONE);
    CHECK_EQ(again.revision, revision + 101);
    CHECK_EQ(site->store->ops->health(site->store, &err), 0);
    settle(site->loop);
    CHECK_DIARY(diary, "+/050:again");
    site->store->ops->watch_free(watch);
    buf_done(&diary.text);
}

TEST_SITE(health_comes_back_by_itself_when_nobody_writes)
{
    struct err err = { 0 };

    fault_fail_nth(1);
    CHECK_EQ(write_at(site, "/a", "x").code, ERR_IO);
    CHECK_FAILS(site->store->ops->health(site->store, &err), &err, ERR_IO);
    loop_sim_advance(site->loop, 2000);
    CHECK_EQ(site->store->ops->health(site->store, &err), 0);
}

/* Three keys written again and again by somebody who tries until it works. */
static void write_stubbornly(struct site *site)
{
    static const char *const keys[] = { "/a", "/b", "/c" };
    char text[16];

    for (int i = 0; i < 30; i++) {
        struct answer answer;

        snprintf(text, sizeof text, "%d", i);
        do
            answer = write_at(site, keys[i % 3], text);
        while (answer.code == ERR_IO);
        CHECK_EQ(answer.code, ERR_NONE);
    }
}

TEST(whichever_commit_fails_the_end_is_the_same)
{
    for (unsigned nth = 1; nth <= 32; nth++) {
        struct site site = { .loop = loop_sim_new(nth), .folder = folder_new() };

        site_open(&site);
        fault_fail_nth(nth);
        write_stubbornly(&site);
        fault_fail_nth(0);
        site_reopen(&site);
        CHECK_LIST(site.store, "/", NULL, 0, "/a:27 /b:28 /c:29");
        site_done(&site);
    }
}

/* --- threads --- */

struct stream {
    struct loop *loop;
    struct store *store;
    size_t started, ended;
    int64_t revision;
};
enum { STREAM_COUNT = 2000, STREAM_OUTSTANDING = 100 };

static void stream_next(struct stream *stream);

static void stream_written(void *arg, const struct err *err, const struct record *record)
{
    struct stream *stream = arg;

    CHECK(!err);
    CHECK(record->revision == stream->revision + 1);
    stream->revision = record->revision;
    if (++stream->ended == STREAM_COUNT)
        loop_stop(stream->loop);
    else
        stream_next(stream);
}

static void stream_next(struct stream *stream)
{
    char key[32];

    if (stream->started == STREAM_COUNT)
        return;
    snprintf(key, sizeof key, "/%zu", stream->started++ % 300);
    stream->store->ops->put(stream->store, key, (struct store_value){ "value ", 6, 6 },
                            STORE_ANY_REVISION, stream_written, stream);
}

TEST(writes_go_through_a_thread_on_the_real_loop)
{
    struct err err;
    struct loop *loop = loop_new(&err);
    char *folder = folder_new();
    struct stream stream = { .loop = loop, .store = open_in(loop, folder) };
    size_t count;

    stream.revision = stream.store->ops->revision(stream.store);
    for (size_t i = 0; i < STREAM_OUTSTANDING; i++)
        stream_next(&stream);
    CHECK_OK(loop_run(loop, &err), &err);
    struct record **records = stream.store->ops->list(stream.store, "/", NULL, 0, &count, NULL);
    record_list_free(records, count);
    CHECK_EQ(count, 300);
    store_free(stream.store);
    loop_free(loop);
    scratch_remove(folder);
}

/* --- refusals --- */

static struct err open_error(struct site *site)
{
    struct err err = { 0 };

    CHECK(!store_sqlite_open(site->loop, &site->options, &err));
    CHECK_CONTAINS(err.text, site->folder);
    return err;
}

TEST_SITE(a_second_opening_is_refused_and_does_no_harm)
{
    write_at(site, "/a", "1");
    struct err err = open_error(site);
    CHECK_EQ(err.code, ERR_CONFLICT);
    CHECK_CONTAINS(err.text, "in use");

    pid_t child = fork();
    if (child == 0)
        _exit(open_error(site).code == ERR_CONFLICT ? 0 : 1);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(write_at(site, "/a", "2").code, ERR_NONE);
}

TEST_SITE(the_file_is_for_its_owner_only)
{
    auto_free char *path = site_path(site, "virga.db");
    auto_free char *log = str_printf("%s-wal", path);
    struct stat info;

    write_at(site, "/a", "secret");
    CHECK_EQ(stat(path, &info), 0);
    CHECK_EQ(info.st_mode & 0777, 0600);
    CHECK_EQ(stat(log, &info), 0);
    CHECK_EQ(info.st_mode & 0777, 0600);
}

TEST_SITE(a_newer_schema_is_refused)
{
    site_close(site);
    run_sql(site, "PRAGMA user_version=2");
    struct err err = open_error(site);
    CHECK_EQ(err.code, ERR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, "newer virgad (schema 2, this one knows 1)");
}

TEST_SITE(a_database_of_another_program_is_refused)
{
    site_close(site);
    run_sql(site, "PRAGMA application_id=7; CREATE TABLE theirs (x)");
    CHECK_EQ(open_error(site).code, ERR_UNSUPPORTED);
    CHECK_EQ(ask_sql(site, "SELECT count(*) FROM theirs"), 0);
}

/* Overwrites 'size' bytes at 'offset' of the closed database. */
static void scribble(const struct site *site, off_t offset, size_t size)
{
    auto_free char *path = site_path(site, "virga.db");
    auto_free char *noise = mem_alloc(size);
    auto_close int fd = open(path, O_WRONLY);

    memset(noise, 0xa5, size);
    CHECK(fd >= 0);
    CHECK_EQ(pwrite(fd, noise, size, offset), size);
}

static void check_damaged(struct site *site)
{
    struct err err = open_error(site);

    CHECK_EQ(err.code, ERR_INTERNAL);
    CHECK_CONTAINS(err.text, "virga.db is damaged");
    CHECK_CONTAINS(err.text, "put back a backup");
}

static void fill_and_close(struct site *site)
{
    char key[16];

    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "/%d", i);
        write_at(site, key, "some text that takes some room on a page of the file, as texts do");
    }
    site_close(site);
}

TEST_SITE(a_damaged_header_is_named)
{
    fill_and_close(site);
    scribble(site, 0, 512);
    check_damaged(site);
}

TEST_SITE(a_damaged_page_is_named)
{
    fill_and_close(site);
    scribble(site, 4 * 4096, 4096);
    check_damaged(site);
}

TEST_SITE(a_file_cut_short_is_named)
{
    auto_free char *path = site_path(site, "virga.db");

    fill_and_close(site);
    CHECK_EQ(truncate(path, 3 * 4096), 0);
    check_damaged(site);
}

TEST_SITE(a_version_that_makes_no_sense_is_named)
{
    fill_and_close(site);
    run_sql(site, "UPDATE object SET created = revision + 1 WHERE revision = 9");
    check_damaged(site);
}

TEST_SITE(a_store_whose_description_is_gone_is_damaged)
{
    fill_and_close(site);
    run_sql(site, "DELETE FROM meta");
    check_damaged(site);
}

TEST_SITE(a_folder_that_cannot_be_made_is_named)
{
    struct err err = { 0 };
    auto_free char *below = site_path(site, "virga.db/below");

    site->options.directory = below;
    CHECK(!store_sqlite_open(site->loop, &site->options, &err));
    CHECK_CONTAINS(err.text, "virga.db");
}
