/* drivers/storage/directory/child.h - blocking runs of programs that can be cancelled: for
 * worker threads. */
#pragma once
#include "base/spawn.h"
#include <stdatomic.h>

/* Tells a worker thread to stop. */
struct cancel {
    atomic_bool is_set;
    int fd; /* an eventfd, readable once set; -1: none was to be had, it is noticed a bit later */
};
void cancel_init(struct cancel *cancel);
void cancel_done(struct cancel *cancel);
void cancel_set(struct cancel *cancel);
bool cancel_is_set(const struct cancel *cancel);
/* -1 and ERR_CANCELLED once set. */
int cancel_check(const struct cancel *cancel, struct err *err);
/* Waits so long, or until it is set, which is ERR_CANCELLED. */
int cancel_wait(const struct cancel *cancel, int64_t ms, struct err *err);

enum { CHILD_WORDS_SIZE = 2048, CHILD_OUTPUT_MAX = 64 * 1024 };

struct child {
    struct spawn spawn; /* dies_with_us is set by child_run() */
    const struct cancel *cancel;
    int64_t timeout_ms;
    void (*tick)(void *arg); /* called twice a second; may be NULL */
    void (*printed)(void *arg, const char *text, size_t size); /* standard output; may be NULL */
    void *arg;
};

/* How it ended, and what of the run is needed to tell it. */
struct child_end {
    char program[32];
    uint64_t file_size_max;
    unsigned cpu_seconds_max;
    int code; /* exit status; -1: by a signal */
    int signal;
    char words[CHILD_WORDS_SIZE]; /* the end of its standard error */
};

/* Runs the program to its end, which may be a failure of its own: see 'ret_end'. -1 when it
 * could not be started, was cancelled (ERR_CANCELLED) or took too long (ERR_TIMEOUT). */
int child_run(const struct child *child, struct child_end *ret_end, struct err *err);

/* What to say of an end that was no success: ERR_NO_SPACE when it spoke of a full disk,
 * ERR_CONFLICT when qemu-img met a lock of a QEMU that has the file open, ERR_TOO_LARGE when it
 * went over its file size, ERR_UNAVAILABLE when it was killed, else 'code'. Always -1. */
int child_explain(const struct child_end *end, enum err_code code, struct err *err);
