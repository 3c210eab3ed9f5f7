/* drivers/compute/qemu/job.c - worker jobs and the end of their driver. */
#include "drivers/compute/qemu/job.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/worker.h"
#include <pthread.h>
#include <stdlib.h>

struct qemu_jobs {
    struct worker_pool *workers;
    pthread_rwlock_t working; /* read: a job is at work; write: the driver closes */
    bool is_closed;           /* guarded by 'working' */
    unsigned references;      /* of the loop thread only: the driver and each job */
};

struct job {
    struct qemu_jobs *jobs;
    struct qemu_job what;
};

static void unref(struct qemu_jobs *jobs)
{
    if (--jobs->references > 0)
        return;
    pthread_rwlock_destroy(&jobs->working);
    free(jobs);
}

struct qemu_jobs *qemu_jobs_new(struct worker_pool *workers)
{
    struct qemu_jobs *jobs = mem_new(struct qemu_jobs);

    jobs->workers = workers;
    jobs->references = 1;
    pthread_rwlock_init(&jobs->working, NULL);
    return jobs;
}

void qemu_jobs_close(struct qemu_jobs *jobs)
{
    pthread_rwlock_wrlock(&jobs->working);
    jobs->is_closed = true;
    pthread_rwlock_unlock(&jobs->working);
    unref(jobs);
}

static int work(void *arg, struct err *err)
{
    struct job *job = arg;
    int result;

    pthread_rwlock_rdlock(&job->jobs->working);
    if (job->jobs->is_closed)
        result = err_set(err, ERR_CANCELLED, "the driver was closed");
    else
        result = job->what.work(job->what.arg, err);
    pthread_rwlock_unlock(&job->jobs->working);
    return result;
}

static void finish(void *arg, const struct err *err)
{
    struct job *job = arg;

    job->what.finish(job->what.arg, job->jobs->is_closed, err);
    unref(job->jobs);
    free(job);
}

void qemu_job_run(struct qemu_jobs *jobs, const char *uid, struct qemu_job what)
{
    struct job *job = mem_new(struct job);
    auto_free char *lane = str_printf("compute %s", uid);

    *job = (struct job){ .jobs = jobs, .what = what };
    jobs->references++;
    worker_run(jobs->workers, (struct worker_job){ work, finish, job, lane });
}
