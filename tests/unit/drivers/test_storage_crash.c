/* The daemon is killed at every point of what the directory driver does, and comes back: all that
 * was asked for is there in the end, and nothing else. */
#include "scratch.h"
#include "http_server.h"
#include "storage_rig.h"
#include "base/fault.h"
#include "base/files.h"
#include "drivers/storage/directory/directory.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PASSES_MAX = 40, POINTS_MAX = 64, OTHER_USER = 61234, DISK_SIZE = 256 * 1024 };

static const char *const one = "11111111-1111-4111-8111-111111111111";
static const char *const two = "22222222-2222-4222-8222-222222222222";
static const char *const three = "33333333-3333-4333-8333-333333333333";
static const char *const image = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
static const int64_t MIB = 1 << 20;

static char *folder, url[128];
static uint8_t disk[DISK_SIZE];

/* --- the daemon: a process that does one thing and ends --- */

static struct storage_rig rig;

/* As storage_rig_open(), in the given folder. */
static void open_here(void)
{
    struct err err = { 0 };

    rig = (struct storage_rig){ 0 };
    rig.loop = loop_new(&err);
    rig.setup = (struct storage_setup){ .loop = rig.loop,
                                        .image_dir = str_printf("%s/images", folder),
                                        .convert_uid = OTHER_USER,
                                        .import_program = getenv("VIRGA_IMPORT") };
    rig.pool = (struct storage_pool){ .type = "Directory", .path = str_printf("%s/pool", folder) };
    rig.driver = storage_directory.open(&rig.setup, &err);
    CHECK_STR(err.text, "");
    directory_of(rig.driver)->place.retry_ms = 1;
}

/* A controller tries again what failed; here once, which is as often as a fault is injected. */
#define DO(call, ...)                                                                              \
    do {                                                                                           \
        struct storage_answer answer_;                                                             \
        for (int tries_ = 0; tries_ < 2; tries_++) {                                               \
            answer_ = (struct storage_answer){ .rig = &rig };                                      \
            rig.driver->ops->call(rig.driver, __VA_ARGS__,                                         \
                                  (struct done){ storage_answer_done, &answer_ });                 \
            storage_rig_wait(&rig, &answer_);                                                      \
            if (answer_.err.code != ERR_IO)                                                        \
                break;                                                                             \
        }                                                                                          \
        CHECK_STR(answer_.err.text, "");                                                           \
    } while (0)

struct seen {
    struct storage_answer answer;
    struct volume_info info;
};

static void take_volume(void *arg, const struct err *err, const struct volume_info *info)
{
    struct seen *seen = arg;

    if (info)
        seen->info = *info;
    storage_answer_done(&seen->answer, err);
}

static struct volume_info read_volume(const char *uid)
{
    struct seen seen;

    do {
        seen = (struct seen){ .answer = { .rig = &rig } };
        rig.driver->ops->volume_read(rig.driver, &rig.pool, uid, take_volume, &seen);
        storage_rig_wait(&rig, &seen.answer);
    } while (seen.answer.err.code == ERR_IO);
    CHECK_STR(seen.answer.err.text, "");
    return seen.info;
}

/* --- what a controller would ask for, again and again until it is so --- */

static void want_volume(const char *uid, int64_t size, const char *image_uid, const char *copied)
{
    struct volume_request request = { .pool = rig.pool,
                                      .uid = uid,
                                      .size_bytes = size,
                                      .image_uid = image_uid,
                                      .volume_uid = copied };

    if (!read_volume(uid).exists)
        DO(volume_create, &request);
    if (read_volume(uid).size_bytes < size)
        DO(volume_grow, &rig.pool, uid, size);
}

/* As large as what it begins as. */
static void want_begun_as(const char *uid, const char *twin, const char *parent)
{
    struct volume_request request = {
        .pool = rig.pool, .uid = uid, .twin_uid = twin, .parent_uid = parent
    };

    if (!read_volume(uid).exists)
        DO(volume_create, &request);
}

static void take_usage(void *arg, const struct err *err, const struct pool_usage *usage)
{
    CHECK(err || usage->used_bytes > 0);
    storage_answer_done(arg, err);
}

static void volumes_are_made_grown_copied_and_removed(void)
{
    struct storage_answer answer = { .rig = &rig };

    DO(pool_ensure, &rig.pool);
    want_volume(one, 2 * MIB, NULL, NULL);
    want_volume(one, 4 * MIB, NULL, NULL);
    want_volume(two, 4 * MIB, NULL, one);
    DO(volume_remove, &rig.pool, one);
    DO(seed_write, one, "instance-id: one\n", "#cloud-config\n", NULL);
    DO(seed_write, two, "instance-id: two\n", "#cloud-config\n", NULL);
    DO(seed_remove, one);
    rig.driver->ops->pool_read(rig.driver, &rig.pool, take_usage, &answer);
    storage_rig_wait(&rig, &answer);
}

static void a_volume_is_frozen_and_forked(void)
{
    DO(pool_ensure, &rig.pool);
    want_volume(one, 2 * MIB, NULL, NULL);
    want_begun_as(two, one, NULL);
    want_begun_as(three, NULL, two);
}

static void want_image(const struct image_request *request)
{
    struct storage_answer answer = storage_rig_import(&rig, request);

    if (answer.err.code == ERR_IO)
        answer = storage_rig_import(&rig, request);
    CHECK_STR(answer.err.text, "");
    CHECK_EQ(answer.image.virtual_bytes, DISK_SIZE);
}

static bool has_image(void)
{
    struct storage_answer answer;

    do {
        answer = (struct storage_answer){ .rig = &rig };
        rig.driver->ops->image_read(rig.driver, image, storage_answer_image, &answer);
        storage_rig_wait(&rig, &answer);
    } while (answer.err.code == ERR_IO);
    return answer.err.code == ERR_NONE;
}

/* The client sends what is not there yet, and again from the start when all was lost. */
static void want_upload(const char *path)
{
    auto_buf struct buf bytes = { 0 };
    struct err err = { 0 };
    int64_t offset = 0;
    int fd = -1;

    if (has_image())
        return;
    CHECK_OK(file_read(path, 16 << 20, &bytes, &err), &err);
    CHECK_OK(rig.driver->ops->image_upload(rig.driver, image, &fd, &offset, &err), &err);
    CHECK((size_t)offset <= bytes.size);
    CHECK_OK(write_all(fd, bytes.bytes + offset, bytes.size - (size_t)offset, &err), &err);
    close(fd);
}

static void an_upload_becomes_an_image_with_a_volume(void)
{
    auto_free char *path = str_printf("%s/bundle.tar.gz", folder);
    struct image_request request = { .uid = image };

    DO(pool_ensure, &rig.pool);
    want_upload(path);
    want_image(&request);
    want_volume(one, 2 * MIB, image, NULL);
}

static void a_download_becomes_an_image_and_goes_again(void)
{
    auto_free char *mark = str_printf("%s/imported", folder);
    struct image_request request = { .uid = image, .url = url };

    if (access(mark, F_OK) < 0) {
        want_image(&request);
        run_shell("touch %s", mark);
    }
    DO(image_remove, image);
}

static void an_unfinished_download_is_given_up(void)
{
    auto_free char *path = str_printf("%s/disk.raw", folder);

    want_upload(path);
    rig.driver->ops->image_cancel(rig.driver, image);
    CHECK(!has_image());
}

struct scenario {
    const char *name;
    void (*run)(void);
    const char *left; /* files and folders in the end */
};

#define FOLDERS "images/\nimages/.seeds/\nimages/.staging/\nimages/.work/\n"
#define MADE(uid_) "pool/" uid_ "/\npool/" uid_ "/disk.qcow2\npool/" uid_ "/volume.json\n"
static const struct scenario scenarios[] = {
    { "volumes", volumes_are_made_grown_copied_and_removed,
      "images/\nimages/.seeds/\nimages/.seeds/22222222-2222-4222-8222-222222222222.iso\n"
      "images/.staging/\nimages/.work/\npool/\n"
      "pool/.work/\npool/22222222-2222-4222-8222-222222222222/\n"
      "pool/22222222-2222-4222-8222-222222222222/disk.qcow2\n"
      "pool/22222222-2222-4222-8222-222222222222/volume.json\n" },
    { "fork", a_volume_is_frozen_and_forked,
      FOLDERS "pool/\npool/.work/\n" MADE("11111111-1111-4111-8111-111111111111")
          MADE("22222222-2222-4222-8222-222222222222")
              MADE("33333333-3333-4333-8333-333333333333") },
    { "upload", an_upload_becomes_an_image_with_a_volume,
      FOLDERS "images/aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa/\n"
              "images/aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa/disk.qcow2\n"
              "images/aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa/image.json\n"
              "images/aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa/initrd\n"
              "images/aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa/kernel\npool/\npool/.work/\n"
              "pool/11111111-1111-4111-8111-111111111111/\n"
              "pool/11111111-1111-4111-8111-111111111111/disk.qcow2\n"
              "pool/11111111-1111-4111-8111-111111111111/volume.json\n" },
    { "download", a_download_becomes_an_image_and_goes_again, FOLDERS "imported\n" },
    { "cancel", an_unfinished_download_is_given_up, FOLDERS },
};
enum { SCENARIO_COUNT = sizeof scenarios / sizeof scenarios[0] };

/* --- the test: kills and looks --- */

enum { NOT_REACHED = 100 }; /* exit status: fewer calls could fail than were to be seen */

/* Runs the daemon with a fault, or failing its nth fallible call; true when it did not come to
 * its end, or not to that call. */
static bool run_daemon(const struct scenario *scenario, const char *fault, unsigned fail_nth)
{
    struct err err = { 0 };
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (fault_init(fault, &err) < 0)
            _exit(3);
        open_here();
        if (fail_nth)
            fault_fail_nth(fail_nth);
        scenario->run();
        rig.driver->ops->close(rig.driver);
        _exit(fail_nth && fault_calls_seen() < fail_nth ? NOT_REACHED : 0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    if (fail_nth && WIFEXITED(status) && WEXITSTATUS(status) == NOT_REACHED)
        return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        check_fail(CHECK_HERE, "%s: with %s the daemon ended with status 0x%x", scenario->name,
                   fault ? fault : "no fault", (unsigned)status);
    return false;
}

static void check_left(const struct scenario *scenario, const char *fault)
{
    auto_free char *found = NULL;

    run_shell("cd %s && rm -f disk.raw bundle.tar.gz", folder);
    found = list_files(folder);
    if (!str_equal(found, scenario->left))
        check_fail(CHECK_HERE, "%s: after %s there is\n%sand there should be\n%s", scenario->name,
                   fault, found, scenario->left);
}

static void make_sources(void)
{
    auto_free char *path = str_printf("%s/disk.raw", folder);
    struct err err = { 0 };

    CHECK_OK(file_write_atomic(path, disk, DISK_SIZE, 0600, &err), &err);
    run_shell("cd %s && printf '{\"format\":\"virga-bundle/1\",\"disk\":\"disk.raw\","
              "\"boot\":{\"kernel\":\"k\",\"initrd\":\"i\"}}' > image.json && echo k > k && "
              "echo i > i && tar --format=ustar -czf bundle.tar.gz image.json k i disk.raw && "
              "rm image.json k i",
              folder);
}

static void begin_in_new_folder(void)
{
    folder = scratch_new();
    make_sources();
}

/* Kills at the nth passing of 'point', comes back, and looks. False when it is passed less often.
 */
static bool kill_at(const struct scenario *scenario, const char *point, int nth)
{
    auto_free char *fault = str_printf("%s=kill@%d", point, nth);
    bool killed;

    begin_in_new_folder();
    killed = run_daemon(scenario, fault, 0);
    if (killed) {
        CHECK(!run_daemon(scenario, NULL, 0));
        check_left(scenario, fault);
    }
    scratch_remove(folder);
    return killed;
}

/* All points in the sources, so that none is forgotten here. */
static size_t find_points(char points[POINTS_MAX][64])
{
    FILE *list = popen("cd $VIRGA_SOURCE/src/drivers/storage/directory && "
                       "grep -oh '\"storage\\.[a-z_]*\"' *.c | tr -d '\"' | sort -u",
                       "r");
    size_t count = 0;

    CHECK(list);
    while (count < POINTS_MAX && fscanf(list, "%63s", points[count]) == 1)
        count++;
    pclose(list);
    CHECK(count > 30 && count < POINTS_MAX);
    return count;
}

static unsigned kill_everywhere(const struct scenario *scenario, const char *point)
{
    unsigned killed = 0;

    for (int nth = 1; nth <= PASSES_MAX && kill_at(scenario, point, nth); nth++)
        killed++;
    return killed;
}

/* In a process of its own: this one forks and must not have threads. */
static pid_t start_server(void)
{
    int told[2];
    pid_t pid;

    CHECK_EQ(pipe(told), 0);
    pid = fork();
    if (pid == 0) {
        struct http_behaviour behaviour = { .body = disk, .size = DISK_SIZE, .etag = "\"one\"" };
        struct http_server *server = http_server_new(&behaviour);
        const char *text = http_server_url(server, "disk.raw");

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (write(told[1], text, strlen(text) + 1) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    CHECK(read(told[0], url, sizeof url) > 0);
    close(told[0]);
    close(told[1]);
    return pid;
}

TEST(whenever_the_daemon_is_killed_the_next_one_finishes_or_undoes_its_work)
{
    static char points[POINTS_MAX][64];
    size_t count;
    pid_t server;

    if (geteuid() != 0)
        skip();
    for (size_t i = 0; i < DISK_SIZE; i++)
        disk[i] = (uint8_t)(i * 7 + i / 997);
    server = start_server();
    count = find_points(points);
    for (size_t i = 0; i < count; i++) {
        unsigned killed = 0;

        for (int k = 0; k < SCENARIO_COUNT; k++)
            killed += kill_everywhere(&scenarios[k], points[i]);
        if (killed == 0)
            check_fail(CHECK_HERE, "no scenario passes %s", points[i]);
    }
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

TEST(every_call_that_can_fail_may_fail_once)
{
    pid_t server;

    if (geteuid() != 0)
        skip();
    server = start_server();
    for (int k = 0; k < SCENARIO_COUNT; k++) {
        bool is_over = false;

        for (unsigned nth = 1; !is_over; nth++) {
            auto_free char *fault = str_printf("failure %u", nth);

            begin_in_new_folder();
            is_over = run_daemon(&scenarios[k], NULL, nth);
            CHECK(!run_daemon(&scenarios[k], NULL, 0)); /* sweeps what could not be removed */
            check_left(&scenarios[k], fault);
            scratch_remove(folder);
            CHECK(nth < 100);
        }
    }
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}
