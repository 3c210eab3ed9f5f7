#include "scratch.h"
#include "base/fault.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon/audit.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 };

static char *folder;

static void begin(void)
{
    log_set_level(LOG_LEVEL_ERROR); /* not a line for each torn one */
    folder = scratch_new();
}

static void end(void)
{
    scratch_remove(folder);
}

static char *path_of(const char *name) { return str_printf("%s/audit/%s", folder, name); }

static struct audit *open_log(void)
{
    struct err err;
    struct audit *audit = audit_open(folder, &err);

    if (!audit)
        check_fail(CHECK_HERE, "%s", err.text);
    return audit;
}

static void write_entry(struct audit *audit, const char *name)
{
    auto_json json_t *entry = json_pack("{s:s,s:s,s:i}", "user", "admin", "name", name, "code", 201);

    audit_write(audit, entry);
}

static void write_entries(const char *const *names)
{
    struct audit *audit = open_log();

    for (; *names; names++)
        write_entry(audit, *names);
    audit_close(audit);
}
#define ENTRIES(...) write_entries((const char *const[]){ __VA_ARGS__, NULL })

static struct buf read_log(const char *name)
{
    auto_free char *path = path_of(name);
    struct buf text = { 0 };
    struct err err;

    CHECK_OK(file_read(path, FILE_MAX, &text, &err), &err);
    return text;
}

static void overwrite(const char *bytes, size_t size)
{
    auto_free char *path = path_of("audit.log");
    FILE *file = fopen(path, "w");

    CHECK(file && fwrite(bytes, 1, size, file) == size);
    CHECK_EQ(fclose(file), 0);
}

static unsigned line_of(const struct buf *text, size_t at)
{
    unsigned line = 1;

    for (size_t i = 0; i < at; i++)
        line += text->bytes[i] == '\n';
    return line;
}

static size_t count_lines(const struct buf *text) { return line_of(text, text->size) - 1; }

TEST(an_empty_log_and_a_whole_one_are_verified)
{
    struct err err;

    begin();
    CHECK_OK(audit_verify(folder, NULL, &err), &err);
    ENTRIES("a", "b");
    ENTRIES("c");
    CHECK_OK(audit_verify(folder, NULL, &err), &err);
    auto_buf struct buf text = read_log("audit.log");
    CHECK_EQ(count_lines(&text), 3);
    end();
}

TEST(the_log_is_private)
{
    struct stat info;

    begin();
    ENTRIES("a");
    auto_free char *path = path_of("audit.log"), *above = path_of(".");
    CHECK(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600);
    CHECK(stat(above, &info) == 0 && (info.st_mode & 0777) == 0700);
    end();
}

TEST(a_change_of_any_byte_is_found_in_its_line)
{
    struct err err;

    begin();
    ENTRIES("a", "b", "c");
    auto_buf struct buf text = read_log("audit.log");
    for (size_t at = 0; at < text.size; at++) {
        auto_free char *copy = mem_copy(text.bytes, text.size);
        char expected[32];

        copy[at] ^= 1;
        overwrite(copy, text.size);
        snprintf(expected, sizeof expected, "audit.log line %u ", line_of(&text, at));
        CHECK_FAILS(audit_verify(folder, NULL, &err), &err, ERR_CONFLICT);
        CHECK_CONTAINS(err.text, expected);
    }
    end();
}

TEST(a_byte_that_is_removed_or_inserted_is_found)
{
    struct err err;

    begin();
    ENTRIES("a", "b");
    auto_buf struct buf text = read_log("audit.log");
    auto_free char *copy = malloc(text.size + 1);
    for (size_t at = 0; at < text.size; at++) {
        memcpy(copy, text.bytes, at);
        memcpy(copy + at, text.bytes + at + 1, text.size - at - 1);
        overwrite(copy, text.size - 1);
        CHECK_FAILS(audit_verify(folder, NULL, &err), &err, ERR_CONFLICT);
        copy[at] = '\0';
        memcpy(copy + at + 1, text.bytes + at, text.size - at);
        overwrite(copy, text.size + 1);
        CHECK_FAILS(audit_verify(folder, NULL, &err), &err, ERR_CONFLICT);
    }
    end();
}

TEST(a_line_that_is_removed_or_moved_is_found)
{
    struct err err;

    begin();
    ENTRIES("a", "b", "c");
    auto_buf struct buf text = read_log("audit.log");
    const char *second = strchr(text.bytes, '\n') + 1, *third = strchr(second, '\n') + 1;
    auto_buf struct buf without = { 0 }, headless = { 0 }, swapped = { 0 };

    buf_add(&without, text.bytes, (size_t)(second - text.bytes));
    buf_add_text(&without, third);
    overwrite(without.bytes, without.size);
    CHECK_FAILS(audit_verify(folder, NULL, &err), &err, ERR_CONFLICT);
    CHECK_CONTAINS(err.text, "line 2 does not follow the line before it");

    buf_add_text(&headless, second);
    overwrite(headless.bytes, headless.size);
    CHECK_FAILS(audit_verify(folder, NULL, &err), &err, ERR_CONFLICT);
    CHECK_CONTAINS(err.text, "line 1 does not follow");

    buf_add_text(&swapped, second);
    buf_add(&swapped, text.bytes, (size_t)(second - text.bytes));
    overwrite(swapped.bytes, swapped.size);
    CHECK_FAILS(audit_verify(folder, NULL, &err), &err, ERR_CONFLICT);
    end();
}

TEST(a_line_torn_anywhere_is_taken_away_and_told)
{
    struct err err;

    begin();
    ENTRIES("a", "b");
    auto_buf struct buf text = read_log("audit.log");
    size_t second = (size_t)(strchr(text.bytes, '\n') + 1 - text.bytes);
    for (size_t size = second + 1; size < text.size; size += 5) {
        overwrite(text.bytes, size);
        ENTRIES("c");
        CHECK_OK(audit_verify(folder, NULL, &err), &err);
        auto_buf struct buf now = read_log("audit.log");
        CHECK_EQ(count_lines(&now), 3);
        CHECK_CONTAINS(now.bytes + second, "\"tornBytes\":");
    }
    end();
}

TEST(members_that_an_entry_brings_cannot_stand_for_the_chain)
{
    auto_json json_t *entry = json_pack("{s:s,s:s,s:s}", "hash", "x", "previous", "y", "name", "a\n\"}");
    struct err err;

    begin();
    struct audit *audit = open_log();
    audit_write(audit, entry);
    audit_write(audit, entry);
    audit_close(audit);
    CHECK_OK(audit_verify(folder, NULL, &err), &err);
    end();
}

/* --- rotation --- */

static bool exists(const char *name)
{
    auto_free char *path = path_of(name);

    return access(path, F_OK) == 0;
}

TEST(a_log_that_is_full_is_rotated_and_the_chain_goes_on)
{
    struct err err;

    begin();
    struct audit *audit = open_log();
    audit_limit(audit, 1);
    for (int i = 0; i < 3; i++)
        write_entry(audit, "x");
    audit_close(audit);
    CHECK(exists("audit.log") && exists("audit.log.1") && exists("audit.log.2"));
    CHECK(!exists("audit.log.3"));
    CHECK_OK(audit_verify(folder, NULL, &err), &err);
    ENTRIES("y");
    CHECK_OK(audit_verify(folder, NULL, &err), &err);

    auto_free char *middle = path_of("audit.log.1");
    CHECK_EQ(unlink(middle), 0);
    CHECK_FAILS(audit_verify(folder, NULL, &err), &err, ERR_CONFLICT);
    end();
}

TEST(the_oldest_files_go_and_the_rest_is_still_verified)
{
    struct err err;

    begin();
    struct audit *audit = open_log();
    audit_limit(audit, 1);
    for (int i = 0; i < AUDIT_FILES_KEPT + 5; i++)
        write_entry(audit, "x");
    audit_close(audit);
    CHECK(exists("audit.log.15"));
    CHECK(!exists("audit.log.16"));
    CHECK_OK(audit_verify(folder, NULL, &err), &err);
    end();
}

/* The process dies before the nth renaming. */
static void die_rotating(int nth)
{
    char setting[64];
    struct err err;
    pid_t child = fork();
    int status;

    CHECK(child >= 0);
    if (child == 0) {
        struct audit *audit = open_log();
        snprintf(setting, sizeof setting, "audit.rotate=kill@%d", nth);
        (void)fault_init(setting, &err);
        audit_limit(audit, 1);
        write_entry(audit, "never");
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(a_crash_during_a_rotation_breaks_no_chain)
{
    struct err err;

    begin();
    struct audit *audit = open_log();
    audit_limit(audit, 1);
    for (int i = 0; i < 4; i++)
        write_entry(audit, "x");
    audit_close(audit);
    for (int nth = 1; nth < AUDIT_FILES_KEPT; nth++) {
        die_rotating(nth);
        CHECK_OK(audit_verify(folder, NULL, &err), &err);
        ENTRIES("after");
        CHECK_OK(audit_verify(folder, NULL, &err), &err);
    }
    end();
}

/* --- a disk that fails --- */

TEST(entries_that_cannot_be_written_are_counted)
{
    struct err err;

    begin();
    struct audit *audit = open_log();
    write_entry(audit, "a");
    for (int i = 0; i < 3; i++) {
        fault_fail_nth(1);
        write_entry(audit, "lost");
    }
    fault_fail_nth(0);
    write_entry(audit, "b");
    write_entry(audit, "c");
    audit_close(audit);
    CHECK_OK(audit_verify(folder, NULL, &err), &err);
    auto_buf struct buf text = read_log("audit.log");
    CHECK_EQ(count_lines(&text), 3);
    CHECK_CONTAINS(text.bytes, "\"name\":\"b\",\"code\":201,\"lostBefore\":3,");
    CHECK(!strstr(strstr(text.bytes, "\"c\""), "lostBefore"));
    end();
}

TEST(a_full_disk_tears_no_line)
{
    struct rlimit before, small;
    struct err err;

    begin();
    ENTRIES("a");
    auto_buf struct buf first = read_log("audit.log");
    struct audit *audit = open_log();
    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){ first.size + 50, before.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    write_entry(audit, "b");
    write_entry(audit, "c");
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    auto_buf struct buf full = read_log("audit.log");
    CHECK_EQ(full.size, first.size);
    write_entry(audit, "d");
    audit_close(audit);
    CHECK_OK(audit_verify(folder, NULL, &err), &err);
    auto_buf struct buf after = read_log("audit.log");
    CHECK_CONTAINS(after.bytes, "\"lostBefore\":2,");
    end();
}

TEST(a_log_that_cannot_be_opened_is_an_error)
{
    struct err err;

    begin();
    auto_free char *above = path_of(""), *path = path_of("audit.log");
    CHECK_OK(dir_make(above, 0700, &err), &err);
    CHECK_EQ(mkdir(path, 0700), 0);
    CHECK(audit_open(folder, &err) == NULL);
    CHECK_CONTAINS(err.text, "audit.log");
    end();
}

TEST(what_is_verified_is_counted_and_ends_in_the_last_hash)
{
    struct audit_summary none, two;
    struct err err;

    begin();
    CHECK_OK(audit_verify(folder, &none, &err), &err);
    CHECK_EQ(none.lines, 0);
    ENTRIES("a", "b");
    CHECK_OK(audit_verify(folder, &two, &err), &err);
    CHECK_EQ(two.lines, 2);
    auto_buf struct buf text = read_log("audit.log");
    auto_free char *last = str_printf("\"hash\":\"%s\"}\n", two.hash);
    CHECK(str_ends(text.bytes, last));
    end();
}
