/* drivers/compute/qemu/job.h - worker jobs that may outlive the driver that asked for them. */
#pragma once
#include "base/err.h"
#include "drivers/compute.h"
#include <stdbool.h>

struct qemu_jobs;

/* One per open driver. */
struct qemu_jobs *qemu_jobs_new(struct worker_pool *workers);
/* Waits for the jobs at work; the others do nothing any more. */
void qemu_jobs_close(struct qemu_jobs *jobs);

struct qemu_job {
    int (*work)(void *arg, struct err *err); /* in a thread; on its own 'arg' only */
    /* On the loop. 'is_closed': the driver and its machines are no more, only free 'arg'. */
    void (*finish)(void *arg, bool is_closed, const struct err *err);
    void *arg;
};
/* Jobs for one machine run one after another. */
void qemu_job_run(struct qemu_jobs *jobs, const char *uid, struct qemu_job job);
