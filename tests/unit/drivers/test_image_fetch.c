/* Downloads by the directory driver from a server that misbehaves. */
#include "check.h"
#include "http_server.h"
#include "storage_rig.h"
#include "base/files.h"
#include <dirent.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const uid = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
enum { DISK_SIZE = 256 * 1024, CURL_BUFFER_SIZE = 4096 };

static uint8_t disk[DISK_SIZE], other_disk[DISK_SIZE];
static char sha256[65], sha512[129];
static struct storage_rig rig;
static struct http_server *server;
static struct http_behaviour behaviour;

static void hex_digest(gnutls_digest_algorithm_t algorithm, const void *bytes, size_t size,
                       char *to)
{
    uint8_t digest[64];

    CHECK_EQ(gnutls_hash_fast(algorithm, bytes, size, digest), 0);
    for (unsigned i = 0; i < gnutls_hash_get_len(algorithm); i++)
        snprintf(to + 2 * i, 3, "%02x", digest[i]);
}

static void begin(void)
{
    unsetenv("http_proxy"); /* of whoever runs the tests */
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    storage_rig_open(&rig, NULL);
    for (size_t i = 0; i < DISK_SIZE; i++) {
        disk[i] = (uint8_t)(i * 7 + i / 997);
        other_disk[i] = (uint8_t)(i * 13 + i / 991);
    }
    hex_digest(GNUTLS_DIG_SHA256, disk, DISK_SIZE, sha256);
    hex_digest(GNUTLS_DIG_SHA512, disk, DISK_SIZE, sha512);
    behaviour = (struct http_behaviour){ .body = disk, .size = DISK_SIZE, .etag = "\"one\"" };
    server = http_server_new(&behaviour);
}

static void end(void)
{
    storage_rig_close(&rig);
    http_server_free(server);
}

static void behave(void) { http_server_behave(server, &behaviour); }

static struct image_request request(const char *name)
{
    return (struct image_request){ .uid = uid, .url = http_server_url(server, name) };
}

static struct storage_answer fetch(void)
{
    struct image_request from = request("disk.raw");

    return storage_rig_import(&rig, &from);
}

static bool is_listed(void)
{
    auto_clean(compute_uids_free_auto) char **uids = rig.driver->ops->image_list(rig.driver);

    return uids[0] && str_equal(uids[0], uid);
}

static void check_staged(const char *wanted)
{
    auto_free char *path = str_printf("%s/.staging", rig.setup.image_dir);
    auto_free char *found = list_files(path);

    CHECK_STR(found, wanted);
}

/* What a guest would read from the imported image. */
static void check_content(const uint8_t *wanted)
{
    auto_free char *path = str_printf("%s/%s/disk.raw", rig.setup.image_dir, uid);
    auto_buf struct buf content = { 0 };
    struct err err = { 0 };

    run_shell("cd %s/%s && qemu-img convert -f qcow2 -O raw disk.qcow2 disk.raw",
              rig.setup.image_dir, uid);
    CHECK_OK(file_read(path, DISK_SIZE, &content, &err), &err);
    CHECK_EQ(content.size, DISK_SIZE);
    CHECK(memcmp(content.bytes, wanted, DISK_SIZE) == 0);
}

TEST(a_download_becomes_an_image_in_one_request)
{
    struct storage_answer answer;

    begin();
    answer = fetch();
    CHECK_STR(answer.err.text, "");
    CHECK_STR(answer.image.format, "raw");
    CHECK_STR(answer.image.sha256, sha256);
    CHECK_EQ(answer.image.virtual_bytes, DISK_SIZE);
    CHECK_EQ(http_server_requests(server), 1);
    CHECK_STR(http_server_asked(server, 0, "Range"), "");
    check_content(disk);
    check_staged("");
    end();
}

TEST(a_cut_connection_is_taken_up_where_it_was)
{
    char range[64];

    begin();
    behaviour.cut_after = 100 * 1000;
    behaviour.cut_count = 2;
    behave();
    CHECK_STR(fetch().err.text, "");
    CHECK_EQ(http_server_requests(server), 3);
    snprintf(range, sizeof range, "bytes=%d-", 100 * 1000);
    CHECK_STR(http_server_asked(server, 1, "Range"), range);
    CHECK_STR(http_server_asked(server, 1, "If-Range"), "\"one\"");
    snprintf(range, sizeof range, "bytes=%d-", 200 * 1000);
    CHECK_STR(http_server_asked(server, 2, "Range"), range);
    check_content(disk);
    end();
}

TEST(without_an_etag_the_date_says_whether_the_file_is_the_same)
{
    begin();
    behaviour.etag = "W/\"weak\"";
    behaviour.last_modified = "Sat, 21 Nov 2026 01:02:03 GMT";
    behaviour.cut_after = 1000;
    behaviour.cut_count = 1;
    behave();
    CHECK_STR(fetch().err.text, "");
    CHECK_STR(http_server_asked(server, 1, "If-Range"), "Sat, 21 Nov 2026 01:02:03 GMT");
    check_content(disk);
    end();
}

TEST(what_cannot_be_told_to_be_the_same_file_is_fetched_anew_unless_a_checksum_tells)
{
    begin();
    for (int i = 0; i < 2; i++) {
        struct image_request from = request("disk.raw");

        behaviour.etag = NULL;
        behaviour.cut_after = 1000;
        behaviour.cut_count = 1;
        behave();
        from.sha256 = i == 1 ? sha256 : NULL;
        CHECK_STR(storage_rig_import(&rig, &from).err.text, "");
        CHECK_STR(http_server_asked(server, 2 * (unsigned)i + 1, "Range"),
                  i == 1 ? "bytes=1000-" : "");
        check_content(disk);
        struct storage_answer answer = { .rig = &rig };
        rig.driver->ops->image_remove(rig.driver, uid,
                                      (struct done){ storage_answer_done, &answer });
        storage_rig_wait(&rig, &answer);
    }
    end();
}

TEST(the_proxy_of_the_daemon_is_used)
{
    struct image_request from;

    begin();
    setenv("http_proxy", http_server_url(server, ""), 1);
    from = (struct image_request){ .uid = uid, .url = "http://images.invalid/disk.raw" };
    CHECK_STR(storage_rig_import(&rig, &from).err.text, "");
    CHECK_STR(http_server_asked(server, 0, "Host"), "images.invalid");
    unsetenv("http_proxy");
    end();
}

TEST(a_server_without_ranges_sends_all_again)
{
    begin();
    behaviour.without_ranges = true;
    behaviour.cut_after = 100 * 1000;
    behaviour.cut_count = 1;
    behave();
    CHECK_STR(fetch().err.text, "");
    check_content(disk);
    end();
}

static void append_to_part(const uint8_t *bytes, size_t size)
{
    auto_free char *path = str_printf("%s/.staging/%s/part", rig.setup.image_dir, uid);
    FILE *part = fopen(path, "a");

    CHECK(part);
    CHECK_EQ(fwrite(bytes, 1, size, part), size);
    CHECK_EQ(fclose(part), 0);
}

/* An interrupted download: the daemon goes away while the server hangs. curl hands on what it has
 * in pieces of 4096 bytes. */
static void be_interrupted(size_t after)
{
    struct image_request from = request("disk.raw");
    struct storage_answer answer = { .rig = &rig };
    auto_free char *part = NULL;
    struct stat found;

    behaviour.hangs = true;
    behaviour.cut_after = after;
    behave();
    rig.driver->ops->image_import(rig.driver, &from, NULL, storage_answer_image, &answer);
    CHECK(http_server_wait(server, 1));
    part = str_printf("%s/.staging/%s/part", rig.setup.image_dir, uid);
    /* A buffer of curl's standard output that is just full may stay behind. */
    wait_for_size(part, (int64_t)after - CURL_BUFFER_SIZE);
    storage_rig_reopen(&rig);
    CHECK_EQ(stat(part, &found), 0);
    append_to_part(disk + found.st_size, after - (size_t)found.st_size);
    CHECK_EQ(answer.called, 1);
    CHECK_EQ(answer.err.code, ERR_CANCELLED);
    behaviour.hangs = false;
    behaviour.cut_count = 0;
}

TEST(a_download_interrupted_by_a_restart_goes_on)
{
    begin();
    be_interrupted(64 * 1024);
    CHECK(is_listed());
    behave();
    CHECK_STR(fetch().err.text, "");
    CHECK_STR(http_server_asked(server, 1, "Range"), "bytes=65536-");
    CHECK_STR(http_server_asked(server, 1, "If-Range"), "\"one\"");
    check_content(disk);
    end();
}

TEST(a_file_that_changed_meanwhile_is_fetched_anew)
{
    begin();
    be_interrupted(64 * 1024);
    behaviour.body = other_disk;
    behaviour.etag = "\"two\"";
    behave();
    CHECK_STR(fetch().err.text, "");
    check_content(other_disk);
    end();
}

TEST(a_part_of_another_url_is_not_continued)
{
    struct image_request from;

    begin();
    be_interrupted(64 * 1024);
    behave();
    from = request("other.raw");
    CHECK_STR(storage_rig_import(&rig, &from).err.text, "");
    CHECK_STR(http_server_asked(server, 1, "Range"), "");
    check_content(disk);
    end();
}

TEST(a_download_that_was_whole_already_is_used)
{
    begin();
    be_interrupted(DISK_SIZE - 4096);
    append_to_part(disk + DISK_SIZE - 4096, 4096);
    behave();
    CHECK_STR(fetch().err.text, "");
    CHECK_STR(http_server_asked(server, 1, "Range"), "bytes=262144-");
    CHECK_EQ(http_server_requests(server), 2);
    check_content(disk);
    end();
}

TEST(a_part_longer_than_the_file_is_fetched_anew)
{
    begin();
    be_interrupted(64 * 1024);
    run_shell("truncate -s 300000 %s/.staging/%s/part", rig.setup.image_dir, uid);
    behave();
    CHECK_STR(fetch().err.text, "");
    check_content(disk);
    end();
}

TEST(a_busy_server_is_asked_again)
{
    begin();
    behaviour.fail_count = 3;
    behaviour.fail_status = 503;
    behave();
    CHECK_STR(fetch().err.text, "");
    CHECK_EQ(http_server_requests(server), 4);
    end();
}

TEST(a_missing_file_is_not_asked_for_again)
{
    struct storage_answer answer;

    begin();
    behaviour.status = 404;
    behave();
    answer = fetch();
    CHECK_EQ(answer.err.code, ERR_INVALID);
    CHECK_CONTAINS(answer.err.text, "the server answered 404");
    CHECK_EQ(http_server_requests(server), 1);
    CHECK(!is_listed());
    end();
}

TEST(a_server_that_never_answers_is_given_up_and_what_came_is_kept)
{
    struct storage_answer answer;

    begin();
    be_interrupted(8192);
    behaviour.fail_count = 1000;
    behaviour.fail_status = 0;
    behave();
    answer = fetch();
    CHECK_EQ(answer.err.code, ERR_UNAVAILABLE);
    CHECK_EQ(http_server_requests(server), 1 + 6);
    CHECK(is_listed());
    behaviour.fail_count = 0;
    behave();
    CHECK_STR(fetch().err.text, "");
    CHECK_STR(http_server_asked(server, 7, "Range"), "bytes=8192-");
    check_content(disk);
    end();
}

TEST(redirects_lead_to_http_only)
{
    static const char *const places[] = { "file:///etc/passwd", "ftp://127.0.0.1/x",
                                          "gopher://127.0.0.1:1/_x" };

    begin();
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct storage_answer answer;

        behaviour.status = 302;
        behaviour.location = places[i];
        behave();
        answer = fetch();
        CHECK_EQ(answer.err.code, ERR_INVALID);
        CHECK_CONTAINS(answer.err.text, "rotocol");
        CHECK(!is_listed());
    }
    end();
}

TEST(a_redirect_in_a_circle_ends)
{
    auto_free char *again = NULL;

    begin();
    again = str_dup(http_server_url(server, "again"));
    behaviour.status = 301;
    behaviour.location = again;
    behave();
    CHECK_EQ(fetch().err.code, ERR_INVALID);
    CHECK(http_server_requests(server) <= 11);
    end();
}

TEST(a_download_over_its_limit_is_refused_with_and_without_a_length)
{
    begin();
    for (int i = 0; i < 2; i++) {
        struct image_request from = request("disk.raw");
        struct storage_answer answer;

        behaviour.without_length = i == 1;
        behave();
        from.size_max = DISK_SIZE - 512;
        answer = storage_rig_import(&rig, &from);
        CHECK_EQ(answer.err.code, ERR_TOO_LARGE);
        CHECK_CONTAINS(answer.err.text, "larger than the 261632 bytes allowed");
        CHECK(!is_listed());
    }
    end();
}

TEST(checksums_are_compared_in_every_notation)
{
    auto_free char *prefixed = NULL, *upper = NULL;
    const char *texts[4];

    begin();
    prefixed = str_printf("sha256:%s", sha256);
    upper = str_printf("sha512:%s", sha512);
    for (char *c = upper + 7; *c; c++)
        *c = (char)(*c >= 'a' ? *c - 32 : *c);
    texts[0] = sha256;
    texts[1] = sha512;
    texts[2] = prefixed;
    texts[3] = upper;
    for (int i = 0; i < 4; i++) {
        struct image_request from = request("disk.raw");
        struct storage_answer answer = { .rig = &rig };

        from.sha256 = texts[i];
        CHECK_STR(storage_rig_import(&rig, &from).err.text, "");
        rig.driver->ops->image_remove(rig.driver, uid,
                                      (struct done){ storage_answer_done, &answer });
        storage_rig_wait(&rig, &answer);
    }
    end();
}

TEST(a_wrong_or_malformed_checksum_is_refused)
{
    static const char *const malformed[] = { "sha256:12", "md5:0123", "sha1:x", "zz" };
    struct image_request from;
    struct storage_answer answer;

    begin();
    from = request("disk.raw");
    sha512[0] = sha512[0] == '0' ? '1' : '0';
    from.sha256 = sha512;
    answer = storage_rig_import(&rig, &from);
    CHECK_EQ(answer.err.code, ERR_INVALID);
    CHECK_CONTAINS(answer.err.text, sha512);
    check_staged("");
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        from = request("disk.raw");
        from.sha256 = malformed[i];
        answer = storage_rig_import(&rig, &from);
        CHECK_EQ(answer.err.code, ERR_INVALID);
        CHECK_CONTAINS(answer.err.text, malformed[i]);
    }
    end();
}

TEST(other_schemes_and_urls_with_blanks_are_refused_before_anything_is_asked)
{
    static const char *const urls[] = { "ftp://127.0.0.1/x", "file:///etc/passwd", "/etc/passwd",
                                        "http://127.0.0.1/a b", "http://127.0.0.1/a\nurl=x" };

    begin();
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct image_request from = { .uid = uid, .url = urls[i] };

        CHECK_EQ(storage_rig_import(&rig, &from).err.code, ERR_INVALID);
    }
    CHECK_EQ(http_server_requests(server), 0);
    end();
}

TEST(braces_and_quotes_in_a_url_are_sent_as_they_are)
{
    struct image_request from;

    begin();
    from = request("a{b,c}[1-9]\"\\d.raw");
    CHECK_STR(storage_rig_import(&rig, &from).err.text, "");
    CHECK_EQ(http_server_requests(server), 1);
    end();
}

TEST(errors_do_not_show_what_may_be_secret_in_a_url)
{
    auto_free char *url = NULL;
    struct image_request from = { .uid = uid };
    struct storage_answer answer;

    begin();
    behaviour.status = 403;
    behave();
    url = str_printf("http://me:pass@%s?token=abc", http_server_url(server, "x") + 7);
    from.url = url;
    answer = storage_rig_import(&rig, &from);
    CHECK_CONTAINS(answer.err.text, "/x: the server answered 403");
    CHECK(!strstr(answer.err.text, "pass"));
    CHECK(!strstr(answer.err.text, "abc"));
    CHECK_STR(http_server_asked(server, 0, "Authorization"), "Basic bWU6cGFzcw==");
    end();
}

/* The one child of ours that runs curl; 0: none. */
static int find_curl(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int found = 0;

    while (!found && (entry = readdir(proc))) {
        auto_free char *path = str_printf("/proc/%s/stat", entry->d_name);
        auto_buf struct buf text = { 0 };
        struct err unseen;
        int pid, parent;
        char name[64], state;

        if (atoi(entry->d_name) > 0 && file_read(path, 4096, &text, &unseen) == 0 &&
            sscanf(text.bytes, "%d (%63[^)]) %c %d", &pid, name, &state, &parent) == 4 &&
            parent == getpid() && str_equal(name, "curl"))
            found = pid;
    }
    closedir(proc);
    return found;
}

TEST(curl_has_no_privileges_and_its_arguments_no_url)
{
    auto_buf struct buf arguments = { 0 }, status = { 0 };
    auto_free char *path = NULL, *url = NULL, *status_path = NULL;
    struct image_request from = { .uid = uid };
    struct storage_answer answer = { .rig = &rig };
    struct err err = { 0 };
    int pid;

    begin();
    behaviour.hangs = true;
    behave();
    url = str_printf("http://me:secret@%s", http_server_url(server, "x") + 7);
    from.url = url;
    rig.driver->ops->image_import(rig.driver, &from, NULL, storage_answer_image, &answer);
    CHECK(http_server_wait(server, 1));
    pid = find_curl();
    CHECK(pid > 0);
    path = str_printf("/proc/%d/cmdline", pid);
    CHECK_OK(file_read(path, 65536, &arguments, &err), &err);
    CHECK(memmem(arguments.bytes, arguments.size, "--config", 8));
    CHECK(!memmem(arguments.bytes, arguments.size, "secret", 6));
    CHECK(!memmem(arguments.bytes, arguments.size, "127.0.0.1", 9));
    status_path = str_printf("/proc/%d/status", pid);
    CHECK_OK(file_read(status_path, 65536, &status, &err), &err);
    CHECK_CONTAINS(status.bytes, "Uid:\t61234\t61234\t61234\t61234");
    CHECK_CONTAINS(status.bytes, "CapEff:\t0000000000000000");
    rig.driver->ops->image_cancel(rig.driver, uid);
    storage_rig_wait(&rig, &answer);
    CHECK_EQ(answer.err.code, ERR_CANCELLED);
    CHECK_EQ(find_curl(), 0);
    check_staged("");
    end();
}
