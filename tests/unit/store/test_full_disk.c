/* tests/unit/store/test_full_disk.c - a disk that is full: writes fail clearly, reads go on, and
 * when there is space again all goes on by itself. */
#include "bench.h"
#include "folder.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Writes until one fails. How many were stored; '*ret_failed' is the failure. */
static int fill(struct loop *loop, struct store *store, struct answer *ret_failed)
{
    auto_free char *text = mem_zero(3001);
    char key[16];

    memset(text, 'x', 3000);
    for (int count = 0; count < 10000; count++) {
        snprintf(key, sizeof key, "/%05d", count);
        *ret_failed = put(loop, store, key, text, STORE_MUST_NOT_EXIST);
        if (ret_failed->code != ERR_NONE)
            return count;
    }
    return -1;
}

static size_t count_objects(struct store *store)
{
    size_t count, remaining;
    struct record **records = store->ops->list(store, "/", NULL, 1, &count, &remaining);
    record_list_free(records, count);
    return count + remaining;
}

static void check_full(struct store *store, const struct answer *failed, int stored)
{
    struct err err = { 0 };

    CHECK(stored > 0);
    CHECK_EQ(failed->code, ERR_NO_SPACE);
    CHECK_CONTAINS(failed->text, "no space left");
    CHECK_FAILS(store->ops->health(store, &err), &err, ERR_NO_SPACE);
    CHECK_EQ(count_objects(store), stored);
}

static void check_recovered(struct loop *loop, struct store *store, int stored)
{
    struct err err = { 0 };

    loop_sim_advance(loop, 3000);
    CHECK_EQ(store->ops->health(store, &err), 0);
    CHECK_EQ(put(loop, store, "/after", "x", STORE_MUST_NOT_EXIST).code, ERR_NONE);
    CHECK_EQ(count_objects(store), stored + 1);
}

static void check_reopened(struct loop *loop, const char *folder, int stored)
{
    struct store *store = open_in(loop, folder);

    CHECK_EQ(count_objects(store), stored + 1);
    store_free(store);
}

static void limit_file_size(rlim_t size)
{
    struct rlimit limit;

    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size ? size : limit.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(files_that_must_not_grow_count_as_a_full_disk)
{
    struct loop *loop = loop_sim_new(3);
    char *folder = folder_new();
    struct store *store = open_in(loop, folder);
    struct answer failed;

    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(300 * 1000);
    int stored = fill(loop, store, &failed);
    limit_file_size(0);
    check_full(store, &failed, stored);
    check_recovered(loop, store, stored);
    store_free(store);
    check_reopened(loop, folder, stored);
    loop_free(loop);
    scratch_remove(folder);
}

/* --- a real small disk --- */

enum { SKIPPED = 77 };

/* In an own mount namespace, which goes with the process. */
static bool mount_small(const char *folder, const char *size)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", folder, "tmpfs", 0, size) == 0;
}

static void take_space(const char *path)
{
    auto_close int fd = open(path, O_WRONLY | O_CREAT, 0600);

    CHECK(fd >= 0);
    CHECK_EQ(posix_fallocate(fd, 0, 2 * 1024 * 1024), 0);
}

static void use_small_disk(const char *folder)
{
    struct loop *loop = loop_sim_new(3);
    auto_free char *ballast = str_printf("%s/ballast", folder);
    auto_free char *below = str_printf("%s/store", folder);
    struct answer failed;

    take_space(ballast);
    struct store *store = open_in(loop, below);
    int stored = fill(loop, store, &failed);
    check_full(store, &failed, stored);
    CHECK_EQ(unlink(ballast), 0);
    check_recovered(loop, store, stored);
    store_free(store);
    check_reopened(loop, below, stored);
    loop_free(loop);
}

/* In a process of its own. */
static void run_on_disk(const char *size, void (*use)(const char *folder))
{
    char *folder = folder_new();
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (!mount_small(folder, size))
            _exit(SKIPPED);
        use(folder);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    scratch_remove(folder);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip(); /* needs root */
    CHECK_EQ(status, 0);
}

TEST(on_a_full_disk_reads_go_on_and_writes_come_back_with_space)
{
    run_on_disk("size=4m", use_small_disk);
}

static void take_all_space(const char *path)
{
    auto_close int fd = open(path, O_WRONLY | O_CREAT, 0600);
    char block[4096] = { 1 };

    CHECK(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        continue;
    CHECK_EQ(errno, ENOSPC);
}

static void write_on_full_disk(const char *folder)
{
    struct loop *loop = loop_sim_new(3);
    auto_free char *filler = str_printf("%s/filler", folder);
    auto_free char *below = str_printf("%s/store", folder);
    struct store *store = open_in(loop, below);
    char key[16];

    take_all_space(filler);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "/%05d", i);
        CHECK_EQ(put(loop, store, key, "x", STORE_MUST_NOT_EXIST).code, ERR_NONE);
    }
    store_free(store);
    CHECK_EQ(unlink(filler), 0);
    store = open_in(loop, below);
    CHECK_EQ(count_objects(store), 100);
    store_free(store);
    loop_free(loop);
}

TEST(machines_that_filled_the_disk_do_not_keep_their_deletion_from_being_written)
{
    run_on_disk("size=32m", write_on_full_disk);
}
