/* tests/unit/store/test_kill.c - a writer killed at any moment loses nothing it had acknowledged.
 *
 * A child process writes and reports each acknowledgement through a pipe; it is killed, at a
 * random point in time or at a named fault point; the database is opened again and held against
 * the reports. VIRGA_ROUNDS: how many kills at random points. */
#include "base/fault.h"
#include "base/random.h"
#include "bench.h"
#include "folder.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEY_COUNT = 40, OUTSTANDING = 20 };

/* --- the child --- */

struct report {
    int32_t key;
    int32_t number;
    int64_t revision;
};

struct child {
    struct store *store;
    int pipe;
    int next;
};

struct child_write {
    struct child *child;
    struct report report;
};

static void child_write(struct child *child);

static void child_written(void *arg, const struct err *err, const struct record *record)
{
    struct child_write *write_done = arg;
    struct child *child = write_done->child;

    if (err && err->code != ERR_NOT_FOUND) /* a removal of what is not there */
        _exit(3);
    write_done->report.revision = err ? 0 : record->revision;
    if (!err && write(child->pipe, &write_done->report, sizeof write_done->report) < 0)
        _exit(4);
    free(write_done);
    child_write(child);
}

/* "NUMBER xxxx... REVISION": the end shows that the text is whole. */
static void child_write(struct child *child)
{
    struct child_write *write_start = mem_new(struct child_write);
    int number = child->next++;
    auto_buf struct buf text = { 0 };
    char key[16];

    write_start->child = child;
    write_start->report = (struct report){ .key = number % KEY_COUNT, .number = number };
    snprintf(key, sizeof key, "/k/%02d", number % KEY_COUNT);
    buf_printf(&text, "%d ", number);
    for (int i = 0; i < number % 5000; i++)
        buf_add_char(&text, 'x');
    buf_add_char(&text, ' ');

    struct store_value value = { text.bytes, text.size, (ptrdiff_t)text.size };
    if (number % 11 == 10)
        child->store->ops->remove(child->store, key, value, STORE_ANY_REVISION, child_written,
                                  write_start);
    else
        child->store->ops->put(child->store, key, value, STORE_ANY_REVISION, child_written,
                               write_start);
}

_Noreturn static void child_run(const char *folder, int pipe, int first_number, const char *fault)
{
    struct err err;
    struct loop *loop = loop_new(&err);
    struct child child = { .pipe = pipe, .next = first_number };
    struct store_sqlite_options options = { .directory = folder, .history_count_max = 1000 };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!loop || fault_init(fault, &err) < 0)
        _exit(1);
    child.store = store_sqlite_open(loop, &options, &err);
    if (!child.store)
        _exit(2);
    for (int i = 0; i < OUTSTANDING; i++)
        child_write(&child);
    (void)loop_run(loop, &err); /* does not end by itself */
    _exit(5);
}

/* --- the parent --- */

/* What is known of the database. */
struct memory {
    char *folder;
    struct report last[KEY_COUNT]; /* acknowledged */
    int next_number;
    int64_t revision;
};

static void take_report(struct memory *memory, const struct report *report)
{
    CHECK(report->revision > memory->revision); /* also across the restarts */
    memory->revision = report->revision;
    memory->last[report->key] = *report;
    if (report->number >= memory->next_number)
        memory->next_number = report->number + 1;
}

/* Takes what the child reports; kills it after 'count' of them and some microseconds more. */
static void listen_and_kill(struct memory *memory, pid_t child, int pipe, uint64_t count,
                            uint64_t wait_us)
{
    struct timespec wait = { .tv_nsec = (long)wait_us * 1000 };
    struct report report;

    for (uint64_t i = 0; read(pipe, &report, sizeof report) == sizeof report; i++) {
        take_report(memory, &report);
        if (i == count) {
            nanosleep(&wait, NULL); /* not for luck: any moment will do */
            kill(child, SIGKILL);
        }
    }
}

static void run_and_kill(struct memory *memory, uint64_t count, uint64_t wait_us, const char *fault)
{
    int pipes[2], status;

    CHECK_EQ(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        close(pipes[0]);
        child_run(memory->folder, pipes[1], memory->next_number, fault);
    }
    close(pipes[1]);
    listen_and_kill(memory, child, pipes[0], count, wait_us);
    close(pipes[0]);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    memory->next_number += OUTSTANDING; /* unacknowledged, may be there too */
}

static void check_whole(const struct record *record)
{
    const char *end = strrchr(record->bytes, ' ');
    int number = atoi(record->bytes);
    int digits = snprintf(NULL, 0, "%d", number);

    CHECK(end && atoll(end + 1) == record->revision);
    CHECK_EQ(end - record->bytes, digits + 1 + number % 5000);
}

static void check_key(const struct memory *memory, struct store *store, int key)
{
    const struct report *last = &memory->last[key];
    auto_free char *name = str_printf("/k/%02d", key);
    struct record *record = store->ops->get(store, name);

    if (record) {
        check_whole(record);
        CHECK(record->revision >= last->revision);
        if (record->revision == last->revision)
            CHECK_EQ(atoi(record->bytes), last->number);
    } else if (last->revision > 0 && last->number % 11 != 10) {
        /* Acknowledged, so only a later removal, which is not, can have taken it. */
        CHECK(store->ops->revision(store) > last->revision);
    }
    record_unref(record);
}

static void event_came(void *arg, const struct store_event *event)
{
    int64_t *revision = arg;

    CHECK_EQ(event->record->revision, *revision + 1);
    check_whole(event->record);
    *revision = event->record->revision;
}

/* Every event is there, without a gap, up to the last revision. */
static void check_history(struct loop *loop, struct store *store)
{
    int64_t revision = store->ops->compacted(store);
    struct err err = { 0 };

    if (revision == 0)
        revision = 1;
    struct store_watch *watch =
        store->ops->watch(store, "/", revision, event_came, &revision, &err);
    CHECK(watch);
    settle(loop);
    CHECK_EQ(revision, store->ops->revision(store));
    store->ops->watch_free(watch);
}

static void check_database(struct memory *memory)
{
    struct loop *loop = loop_sim_new(1);
    struct store *store = open_in(loop, memory->folder);

    CHECK(store->ops->revision(store) >= memory->revision);
    memory->revision = store->ops->revision(store);
    for (int key = 0; key < KEY_COUNT; key++)
        check_key(memory, store, key);
    check_history(loop, store);
    store_free(store);
    loop_free(loop);
}

TEST(killed_at_any_moment_nothing_acknowledged_is_lost)
{
    const char *rounds = getenv("VIRGA_ROUNDS");
    struct random_seeded random = { .state = 42 };
    struct memory memory = { .folder = folder_new() };

    for (int i = rounds ? atoi(rounds) : 25; i > 0; i--) {
        run_and_kill(&memory, random_below(&random, 300), random_below(&random, 2000), NULL);
        check_database(&memory);
    }
    scratch_remove(memory.folder);
}

TEST(killed_around_a_commit_nothing_acknowledged_is_lost)
{
    static const char *const faults[] = {
        "store.commit.begin=kill@1", "store.commit.before=kill@1", "store.commit.after=kill@1",
        "store.commit.begin=kill@9", "store.commit.before=kill@9", "store.commit.after=kill@9"
    };
    struct memory memory = { .folder = folder_new() };

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        run_and_kill(&memory, UINT64_MAX, 0, faults[i]);
        check_database(&memory);
    }
    scratch_remove(memory.folder);
}
