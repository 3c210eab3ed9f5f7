/* base/worker.c - a queue, some threads, and one descriptor that tells the loop.
 *
 * A job is ready, running or ended, or waits behind another one of its lane. On
 * a simulated loop the threads are timers; all else is the same code. */
#include "base/worker.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { THREADS_MAX = 16, SIMULATED_DELAY_MAX_MS = 50 };

struct job {
    struct worker_job what;
    struct lane *lane; /* NULL: none */
    struct err err;
    bool failed;
    struct job *next;
    struct worker_pool *pool;  /* simulated: what the timer needs */
    struct loop_source *timer; /* simulated: runs the job when it fires */
};

struct job_queue {
    struct job *first;
    struct job *last;
    size_t count;
};

/* A lane exists while one of its jobs is ready or running. */
struct lane {
    char *name;
    struct job_queue waiting;
};

struct worker_pool {
    struct loop *loop;
    bool simulated;
    unsigned thread_max;
    struct loop_source *ended_source;
    int ended_fd; /* counts the ended jobs; -1 when simulated */

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake;
    struct job_queue ready;
    struct job_queue ended;
    struct map *lanes;
    bool closing;
    unsigned thread_count;
    unsigned idle_count;
    pthread_t threads[THREADS_MAX];

    struct job_queue running; /* simulated only */
};

/* --- queues and lanes --- */

static void queue_add(struct job_queue *queue, struct job *job)
{
    job->next = NULL;
    if (queue->last)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
    queue->count++;
}

static struct job *queue_take(struct job_queue *queue)
{
    struct job *job = queue->first;

    if (!job)
        return NULL;
    queue->first = job->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    return job;
}

static void queue_remove(struct job_queue *queue, struct job *job)
{
    struct job_queue rest = { 0 };

    for (struct job *each; (each = queue_take(queue));)
        if (each != job)
            queue_add(&rest, each);
    *queue = rest;
}

static void add_job(struct worker_pool *pool, struct job *job)
{
    const char *name = job->what.lane;

    if (!name) {
        queue_add(&pool->ready, job);
        return;
    }
    job->lane = map_get(pool->lanes, name);
    if (job->lane) {
        queue_add(&job->lane->waiting, job);
        return;
    }
    job->lane = mem_new(struct lane);
    job->lane->name = str_dup(name);
    map_set(pool->lanes, name, job->lane);
    queue_add(&pool->ready, job);
}

static void leave_lane(struct worker_pool *pool, struct job *job)
{
    struct lane *lane = job->lane;

    if (!lane)
        return;
    job->lane = NULL;

    struct job *next = queue_take(&lane->waiting);
    if (next) {
        queue_add(&pool->ready, next);
        return;
    }
    map_remove(pool->lanes, lane->name);
    free(lane->name);
    free(lane);
}

/* --- a job's life --- */

static struct job *job_new(struct worker_pool *pool, struct worker_job what)
{
    struct job *job = mem_new(struct job);

    assert(what.work && what.finish);
    job->what = what;
    job->pool = pool;
    return job;
}

static void perform(struct job *job) { job->failed = job->what.work(job->what.arg, &job->err) < 0; }

/* The pool may be gone afterwards: the owner may free it from 'finish'. */
static void finish(struct job *job)
{
    struct worker_job what = job->what;
    struct err err = job->err;
    bool failed = job->failed;

    free(job);
    what.finish(what.arg, failed ? &err : NULL);
}

static void finish_next(struct worker_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct job *job = queue_take(&pool->ended);
    pthread_mutex_unlock(&pool->lock);

    if (job)
        finish(job);
}

/* --- with threads --- */

static void tell_loop(const struct worker_pool *pool)
{
    const uint64_t one = 1;
    ssize_t written = write(pool->ended_fd, &one, sizeof one);

    assert(written == sizeof one);
}

/* One job for each call: 'finish' may free the pool, and other sources get their turn. */
static void on_ended(void *arg, int fd, unsigned events)
{
    struct worker_pool *pool = arg;
    uint64_t one;

    if (read(fd, &one, sizeof one) == sizeof one)
        finish_next(pool);
}

static struct job *wait_for_job(struct worker_pool *pool)
{
    while (!pool->closing && !pool->ready.first) {
        pool->idle_count++;
        pthread_cond_wait(&pool->wake, &pool->lock);
        pool->idle_count--;
    }
    return pool->closing ? NULL : queue_take(&pool->ready);
}

static void *run_thread(void *arg)
{
    struct worker_pool *pool = arg;
    struct job *job;

    pthread_mutex_lock(&pool->lock);
    while ((job = wait_for_job(pool))) {
        pthread_mutex_unlock(&pool->lock);
        perform(job);
        pthread_mutex_lock(&pool->lock);
        leave_lane(pool, job);
        queue_add(&pool->ended, job);
        tell_loop(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Signals are the loop's: a thread must not be interrupted by them. */
static void start_thread(struct worker_pool *pool)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&pool->threads[pool->thread_count], NULL, run_thread, pool) == 0)
        pool->thread_count++;
    else if (pool->thread_count == 0)
        abort(); /* as out of memory: nothing would ever finish */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void wake_thread(struct worker_pool *pool)
{
    if (pool->ready.count > pool->idle_count && pool->thread_count < pool->thread_max)
        start_thread(pool);
    else
        pthread_cond_signal(&pool->wake);
}

static void join_threads(struct worker_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
}

/* --- simulated --- */

static void start_simulated(struct worker_pool *pool);

static void on_simulated_ended(void *arg)
{
    struct worker_pool *pool = arg;

    if (pool->ended.count > 1)
        loop_timer_again(pool->ended_source, 0);
    finish_next(pool);
}

static void on_simulated_run(void *arg)
{
    struct job *job = arg;
    struct worker_pool *pool = job->pool;

    loop_source_free(take_pointer(job->timer));
    queue_remove(&pool->running, job);
    perform(job);
    leave_lane(pool, job);
    queue_add(&pool->ended, job);
    loop_timer_again(pool->ended_source, 0);
    start_simulated(pool);
}

static void start_simulated(struct worker_pool *pool)
{
    while (pool->running.count < pool->thread_max && pool->ready.first) {
        struct job *job = queue_take(&pool->ready);
        int64_t delay_ms = (int64_t)(loop_random(pool->loop) % (SIMULATED_DELAY_MAX_MS + 1));

        queue_add(&pool->running, job);
        job->timer = loop_timer(pool->loop, delay_ms, on_simulated_run, job);
    }
}

/* Jobs whose timer has not fired have not begun: they are queued ones. */
static void stop_simulated(struct worker_pool *pool)
{
    struct job_queue queued = { 0 };

    pool->closing = true;
    for (struct job *job; (job = queue_take(&pool->running));) {
        loop_source_free(take_pointer(job->timer));
        queue_add(&queued, job);
    }
    for (struct job *job; (job = queue_take(&pool->ready));)
        queue_add(&queued, job);
    pool->ready = queued;
}

/* --- the pool --- */

static void watch_ended(struct worker_pool *pool)
{
    if (pool->simulated) {
        pool->ended_fd = -1;
        pool->ended_source = loop_timer(pool->loop, 0, on_simulated_ended, pool);
        return;
    }
    pool->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    if (pool->ended_fd < 0)
        abort();
    pool->ended_source = loop_io(pool->loop, pool->ended_fd, LOOP_READ, on_ended, pool);
}

struct worker_pool *worker_pool_new(struct loop *loop, unsigned thread_count)
{
    struct worker_pool *pool = mem_new(struct worker_pool);

    assert(thread_count >= 1 && thread_count <= THREADS_MAX);
    pool->loop = loop;
    pool->simulated = loop_is_simulated(loop);
    pool->thread_max = thread_count;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->lanes = map_new(NULL);
    watch_ended(pool);
    return pool;
}

void worker_run(struct worker_pool *pool, struct worker_job what)
{
    struct job *job = job_new(pool, what);

    pthread_mutex_lock(&pool->lock);
    add_job(pool, job);
    job->what.lane = NULL; /* the caller's text need not live on */
    if (!pool->simulated && !pool->closing && pool->ready.first)
        wake_thread(pool);
    pthread_mutex_unlock(&pool->lock);
    if (pool->simulated && !pool->closing)
        start_simulated(pool);
}

/* What 'finish' submits meanwhile is cancelled too. */
static void cancel_queued(struct worker_pool *pool)
{
    for (struct job *job; (job = queue_take(&pool->ready));) {
        leave_lane(pool, job);
        err_set(&job->err, ERR_CANCELLED, "the work was cancelled");
        job->failed = true;
        finish(job);
    }
}

void worker_pool_free(struct worker_pool *pool)
{
    if (!pool)
        return;
    if (pool->simulated)
        stop_simulated(pool);
    else
        join_threads(pool);
    loop_source_free(pool->ended_source);
    while (pool->ended.first)
        finish_next(pool);
    cancel_queued(pool);
    if (pool->ended_fd >= 0)
        close(pool->ended_fd);
    map_free(pool->lanes);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
