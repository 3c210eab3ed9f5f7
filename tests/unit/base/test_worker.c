/* What base/worker.h promises, on threads and on the simulated loop. */
#include "loop_pair.h"
#include "base/mem.h"
#include "base/worker.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What happened, in order, as letters. */
struct record {
    struct loop *loop;
    struct worker_pool *pool;
    pthread_mutex_t lock;
    char worked[512];
    char finished[512];
    size_t stop_at; /* stops the loop when so many have finished */
};

struct task {
    struct record *record;
    char letter;
    bool fails;
    int wait_fd; /* reads one byte first; 0: none */
    int tell_fd; /* writes one byte first; 0: none */
    enum err_code code;
    unsigned finishes;
    bool worked_elsewhere; /* not in the thread of the test */
    pthread_t maker;
    bool frees_pool;
    struct task *follower; /* submitted when this one finishes */
};

static void append(struct record *record, char *to, char letter)
{
    pthread_mutex_lock(&record->lock);
    to[strlen(to)] = letter;
    pthread_mutex_unlock(&record->lock);
}

static int work(void *arg, struct err *err)
{
    struct task *task = arg;
    char byte = 'x';

    task->worked_elsewhere = !pthread_equal(task->maker, pthread_self());
    append(task->record, task->record->worked, task->letter);
    if (task->tell_fd && write(task->tell_fd, &byte, 1) != 1)
        return err_errno(err, "tell");
    if (task->wait_fd && read(task->wait_fd, &byte, 1) != 1)
        return err_errno(err, "wait");
    return task->fails ? err_set(err, ERR_EXHAUSTED, "task %c", task->letter) : 0;
}

static void submit(struct task *task, const char *lane);

static void finish(void *arg, const struct err *err)
{
    struct task *task = arg;
    struct record *record = task->record;

    task->finishes++;
    task->code = err ? err->code : ERR_NONE;
    append(record, record->finished, task->letter);
    if (task->follower)
        submit(task->follower, NULL);
    if (task->frees_pool)
        worker_pool_free(take_pointer(record->pool));
    if (strlen(record->finished) == record->stop_at)
        loop_stop(record->loop);
}

static void submit(struct task *task, const char *lane)
{
    task->maker = pthread_self();
    worker_run(task->record->pool,
               (struct worker_job){ .work = work, .finish = finish, .arg = task, .lane = lane });
}

static void record_init(struct record *record, struct loop *loop, unsigned threads, size_t stop_at)
{
    *record = (struct record){ .loop = loop, .stop_at = stop_at };
    pthread_mutex_init(&record->lock, NULL);
    record->pool = worker_pool_new(loop, threads);
}

static struct task task_of(struct record *record, char letter)
{
    return (struct task){ .record = record, .letter = letter, .code = ERR_CODE_COUNT };
}

static size_t thread_count(void)
{
    DIR *tasks = opendir("/proc/self/task");
    size_t count = 0;

    for (const struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

TEST_ON_BOTH(a_job_works_off_the_thread_and_finishes_on_the_loop)
{
    struct record record;

    record_init(&record, loop, 2, 1);
    struct task task = task_of(&record, 'a');
    submit(&task, NULL);
    CHECK_EQ(task.finishes, 0);
    run(loop);
    CHECK_EQ(task.finishes, 1);
    CHECK_EQ(task.code, ERR_NONE);
    CHECK_EQ(task.worked_elsewhere, !loop_is_simulated(loop));
    worker_pool_free(record.pool);
    CHECK_EQ(task.finishes, 1);
}

TEST_ON_BOTH(the_error_of_a_job_arrives)
{
    struct record record;

    record_init(&record, loop, 1, 1);
    struct task task = task_of(&record, 'a');
    task.fails = true;
    submit(&task, NULL);
    run(loop);
    CHECK_EQ(task.code, ERR_EXHAUSTED);
    worker_pool_free(record.pool);
}

TEST_ON_BOTH(one_thread_works_in_the_order_of_submission)
{
    struct record record;
    struct task tasks[6];

    record_init(&record, loop, 1, 6);
    for (size_t i = 0; i < 6; i++) {
        tasks[i] = task_of(&record, (char)('a' + i));
        submit(&tasks[i], NULL);
    }
    run(loop);
    CHECK_STR(record.worked, "abcdef");
    CHECK_STR(record.finished, "abcdef");
    worker_pool_free(record.pool);
}

/* The letters of 'text' between 'first' and 'last'. */
static void only(const char *text, char first, char last, char to[512])
{
    size_t length = 0;

    for (; *text; text++)
        if (*text >= first && *text <= last)
            to[length++] = *text;
    to[length] = '\0';
}

TEST_ON_BOTH(jobs_of_one_lane_keep_their_order)
{
    enum { LANES = 3, EACH = 10 };
    static const char first[LANES] = { '0', 'A', 'a' };
    static const char *const in_order[LANES] = { "0123456789", "ABCDEFGHIJ", "abcdefghij" };
    struct record record;
    struct task tasks[EACH][LANES];
    char seen[512];

    record_init(&record, loop, 4, LANES * EACH);
    for (size_t i = 0; i < EACH; i++)
        for (size_t lane = 0; lane < LANES; lane++) {
            char name[] = { 'l', (char)('0' + lane), '\0' }; /* gone before the job runs */

            tasks[i][lane] = task_of(&record, (char)(first[lane] + i));
            submit(&tasks[i][lane], name);
        }
    run(loop);
    for (size_t lane = 0; lane < LANES; lane++) {
        only(record.worked, first[lane], (char)(first[lane] + EACH - 1), seen);
        CHECK_STR(seen, in_order[lane]);
        only(record.finished, first[lane], (char)(first[lane] + EACH - 1), seen);
        CHECK_STR(seen, in_order[lane]);
    }
    worker_pool_free(record.pool);
}

TEST(jobs_run_at_the_same_time_unless_they_share_a_lane)
{
    struct err err = { 0 };
    auto_clean(loop_free_auto) struct loop *loop = loop_new(&err);
    struct record record;
    int a_to_b[2], b_to_a[2];

    CHECK_EQ(pipe2(a_to_b, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(b_to_a, O_CLOEXEC), 0);
    record_init(&record, loop, 2, 3);
    struct task a = task_of(&record, 'a');
    struct task behind_a = task_of(&record, 'A');
    struct task b = task_of(&record, 'b');
    a.tell_fd = a_to_b[1];
    a.wait_fd = b_to_a[0];
    b.tell_fd = b_to_a[1];
    b.wait_fd = a_to_b[0];
    submit(&a, "one"); /* waits for b, which would never run behind 'behind_a' */
    submit(&behind_a, "one");
    submit(&b, "two");
    run(loop);
    CHECK_EQ(strlen(record.worked), 3);
    CHECK_EQ(record.worked[2], 'A');
    worker_pool_free(record.pool);
    for (int i = 0; i < 2; i++) {
        close(a_to_b[i]);
        close(b_to_a[i]);
    }
}

TEST(threads_start_when_there_is_work_and_end_with_the_pool)
{
    struct err err = { 0 };
    auto_clean(loop_free_auto) struct loop *loop = loop_new(&err);
    struct record record;
    size_t before = thread_count();

    record_init(&record, loop, 4, 1);
    CHECK_EQ(thread_count(), before);
    for (char letter = 'a'; letter < 'h'; letter++) { /* one at a time needs one thread */
        struct task task = task_of(&record, letter);

        record.stop_at = strlen(record.finished) + 1;
        submit(&task, NULL);
        run(loop);
    }
    CHECK(thread_count() >= before + 1 && thread_count() <= before + 2);
    worker_pool_free(record.pool);
    while (thread_count() != before) /* /proc forgets a joined thread a moment later */
        sched_yield();
}

struct masks {
    struct loop *loop;
    sigset_t worker;
};

static int read_mask(void *arg, struct err *err)
{
    struct masks *masks = arg;

    pthread_sigmask(SIG_BLOCK, NULL, &masks->worker);
    return 0;
}

static void on_mask(void *arg, const struct err *err)
{
    struct masks *masks = arg;

    loop_stop(masks->loop);
}

TEST(threads_take_no_signals)
{
    struct err err = { 0 };
    auto_clean(loop_free_auto) struct loop *loop = loop_new(&err);
    auto_clean(worker_pool_free_auto) struct worker_pool *pool = worker_pool_new(loop, 1);
    struct masks masks = { .loop = loop };
    sigset_t ours;

    sigemptyset(&masks.worker);
    worker_run(pool, (struct worker_job){ .work = read_mask, .finish = on_mask, .arg = &masks });
    run(loop);
    pthread_sigmask(SIG_BLOCK, NULL, &ours);
    CHECK_EQ(sigismember(&masks.worker, SIGTERM), 1);
    CHECK_EQ(sigismember(&masks.worker, SIGCHLD), 1);
    CHECK_EQ(sigismember(&ours, SIGTERM), 0);
}

/* --- freeing --- */

TEST_ON_BOTH(queued_jobs_are_cancelled_with_the_pool)
{
    struct record record;
    struct task tasks[5];

    record_init(&record, loop, 1, 0);
    for (size_t i = 0; i < 5; i++) {
        tasks[i] = task_of(&record, (char)('a' + i));
        submit(&tasks[i], i > 2 ? "lane" : NULL);
    }
    worker_pool_free(record.pool);
    CHECK_STR(record.finished, "abcde");
    for (size_t i = 0; i < 5; i++) {
        bool has_worked = strchr(record.worked, tasks[i].letter) != NULL;

        CHECK_EQ(tasks[i].finishes, 1);
        CHECK_EQ(tasks[i].code, has_worked ? ERR_NONE : ERR_CANCELLED);
    }
    if (loop_is_simulated(loop))
        CHECK_STR(record.worked, "");
}

/* 'a' runs, and can only end while the pool is already being freed: 'b' is told
 * to cancel first. */
TEST(a_running_job_is_waited_for_and_keeps_its_result)
{
    struct err err = { 0 };
    auto_clean(loop_free_auto) struct loop *loop = loop_new(&err);
    struct record record;
    int began[2], go_on[2];
    char byte;

    CHECK_EQ(pipe2(began, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(go_on, O_CLOEXEC), 0);
    record_init(&record, loop, 1, 0);
    struct task a = task_of(&record, 'a');
    struct task b = task_of(&record, 'b');
    a.tell_fd = began[1];
    a.wait_fd = go_on[0];
    a.fails = true;
    submit(&a, "lane");
    submit(&b, "lane");
    CHECK_EQ(read(began[0], &byte, 1), 1);
    CHECK_EQ(write(go_on[1], "x", 1), 1);
    worker_pool_free(record.pool);
    CHECK_EQ(a.code, ERR_EXHAUSTED);
    CHECK_EQ(a.finishes, 1);
    CHECK_EQ(b.finishes, 1);
    CHECK(b.code == ERR_CANCELLED || strchr(record.worked, 'b'));
    for (int i = 0; i < 2; i++) {
        close(began[i]);
        close(go_on[i]);
    }
}

TEST_ON_BOTH(what_is_submitted_during_the_end_is_cancelled_too)
{
    struct record record;

    record_init(&record, loop, 1, 0);
    struct task first = task_of(&record, 'a');
    struct task second = task_of(&record, 'b');
    first.follower = &second;
    submit(&first, NULL);
    worker_pool_free(record.pool);
    CHECK_EQ(first.finishes, 1);
    CHECK_EQ(second.finishes, 1);
    CHECK_EQ(second.code, ERR_CANCELLED);
    CHECK(!strchr(record.worked, 'b'));
}

TEST_ON_BOTH(the_pool_may_be_freed_from_a_finish)
{
    struct record record;

    record_init(&record, loop, 2, 3);
    struct task first = task_of(&record, 'a');
    struct task second = task_of(&record, 'b');
    struct task third = task_of(&record, 'c');
    first.frees_pool = true;
    submit(&first, "lane");
    submit(&second, "lane");
    submit(&third, "lane");
    run(loop);
    CHECK_STR(record.finished, "abc");
    CHECK_EQ(first.code, ERR_NONE);
}

TEST_ON_BOTH(a_finish_may_submit_more)
{
    struct record record;

    record_init(&record, loop, 1, 2);
    struct task first = task_of(&record, 'a');
    struct task second = task_of(&record, 'b');
    first.follower = &second;
    submit(&first, NULL);
    run(loop);
    CHECK_STR(record.worked, "ab");
    worker_pool_free(record.pool);
}

TEST_ON_BOTH(a_pool_outlives_its_loop)
{
    struct err err = { 0 };
    struct loop *other = loop_is_simulated(loop) ? loop_sim_new(1) : loop_new(&err);
    struct record record;

    record_init(&record, other, 1, 0);
    struct task task = task_of(&record, 'a');
    submit(&task, NULL);
    loop_free(other);
    worker_pool_free(record.pool);
    CHECK_EQ(task.finishes, 1);
}

/* --- simulated --- */

/* The order in which 8 jobs finish, and when. */
static int64_t simulated_order(uint64_t seed, char to[512])
{
    struct loop *loop = loop_sim_new(seed);
    struct record record;
    struct task tasks[8];
    int64_t start_ms = loop_now_ms(loop);

    record_init(&record, loop, 8, 8);
    for (size_t i = 0; i < 8; i++) {
        tasks[i] = task_of(&record, (char)('a' + i));
        submit(&tasks[i], NULL);
    }
    run(loop);
    int64_t took_ms = loop_now_ms(loop) - start_ms;
    worker_pool_free(record.pool);
    loop_free(loop);
    memcpy(to, record.finished, 512);
    return took_ms;
}

TEST(the_seed_orders_simulated_jobs_within_50_ms)
{
    char order[512], again[512];
    unsigned sorted_count = 0;

    for (uint64_t seed = 1; seed <= 50; seed++) {
        int64_t took_ms = simulated_order(seed, order);

        CHECK(took_ms >= 0 && took_ms <= 50);
        CHECK_EQ(simulated_order(seed, again), took_ms);
        CHECK_STR(again, order);
        sorted_count += !strcmp(order, "abcdefgh");
    }
    CHECK(sorted_count < 10);
}

TEST(simulated_work_may_be_done_while_its_finish_is_not_told_yet)
{
    bool seen = false;

    for (uint64_t seed = 1; seed <= 50 && !seen; seed++) {
        struct loop *loop = loop_sim_new(seed);
        struct record record;

        record_init(&record, loop, 1, 0);
        struct task task = task_of(&record, 'a');
        submit(&task, NULL);
        while (!record.worked[0])
            CHECK(loop_sim_step(loop));
        seen = task.finishes == 0;
        worker_pool_free(record.pool);
        CHECK_EQ(task.code, ERR_NONE);
        loop_free(loop);
    }
    CHECK(seen);
}
