/* drivers/compute/qemu/finish.c - the end of a process: noted, told, and later forgotten. */
#include "base/fault.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/machine.h"
#include "drivers/compute/qemu/parts.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LAST_WORDS_MAX = 4096, /* of QEMU's log */
    REMOVE_ATTEMPTS = 50,  /* a group is busy until the last thread is gone */
    REMOVE_WAIT_MS = 10,
};

void qemu_expect_end(struct qemu_machine *machine, enum machine_end end, const char *message)
{
    if (machine->end.end != MACHINE_END_NONE)
        return;
    machine->end.end = end;
    snprintf(machine->end.message, sizeof machine->end.message, "%s", message);
}

void qemu_wait_for_end(struct qemu_machine *machine, struct qemu_call *call)
{
    struct qemu_waiter *waiter = mem_new(struct qemu_waiter);

    waiter->call = call;
    waiter->next = machine->waiters;
    machine->waiters = waiter;
}

/* --- the job --- */

struct ending {
    struct qemu_driver *driver; /* for the finish only */
    char *uid;
    struct trace_paths paths;
    struct cgroups cgroups;
    struct trace_end end;
};

static struct ending *ending_new(struct qemu_machine *machine)
{
    struct ending *ending = mem_new(struct ending);

    ending->driver = machine->driver;
    ending->uid = str_dup(machine->uid);
    ending->cgroups = machine->driver->cgroups;
    ending->end = machine->end;
    trace_paths_init(&ending->paths, machine->driver->state_dir, machine->driver->run_dir,
                     machine->uid);
    return ending;
}

static void ending_free(struct ending *ending)
{
    trace_paths_done(&ending->paths);
    free(ending->uid);
    free(ending);
}

/* The last line that is no warning, ended by a NUL; NULL when there is none. */
static const char *last_complaint(char *text)
{
    for (;;) {
        char *end = strrchr(text, '\n'), *line = end ? end + 1 : text;

        if (*line && !strstr(line, ": warning: "))
            return line;
        if (!end)
            return NULL;
        *end = '\0';
    }
}

/* What QEMU complained of last, without its time stamp and name; "" when of nothing. */
static void read_last_words(const struct trace_paths *paths, char *to, size_t size)
{
    auto_free char *path = str_printf("%s/qemu.log", paths->logs);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    static const char name[] = "qemu-system-x86_64: ";
    char bytes[LAST_WORDS_MAX + 1];
    off_t length = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    off_t from = length > LAST_WORDS_MAX ? length - LAST_WORDS_MAX : 0;
    ssize_t got = length > 0 ? pread(fd, bytes, LAST_WORDS_MAX, from) : 0;

    to[0] = '\0';
    while (got > 0 && (bytes[got - 1] == '\n' || bytes[got - 1] == '\r'))
        got--;
    if (got <= 0)
        return;
    bytes[got] = '\0';
    const char *words = last_complaint(bytes);
    if (!words)
        return;
    const char *after_name = strstr(words, name);
    snprintf(to, size, "%.*s", (int)size - 1, after_name ? after_name + strlen(name) : words);
}

static void add_reason(struct ending *ending)
{
    struct cgroup_usage usage;
    struct trace_end *end = &ending->end;
    char words[200];

    cgroup_read(&ending->cgroups, ending->uid, &usage);
    if (usage.oom_kills && end->end == MACHINE_END_PROCESS_DIED) {
        snprintf(end->message, sizeof end->message,
                 "QEMU used more memory than its limit and was killed");
        return;
    }
    if (end->end != MACHINE_END_START_FAILED && end->end != MACHINE_END_PROCESS_DIED)
        return;
    read_last_words(&ending->paths, words, sizeof words);
    size_t length = strlen(end->message);
    if (words[0] && !strstr(end->message, words))
        snprintf(end->message + length, sizeof end->message - length, ": %s", words);
}

static int remove_groups(const struct ending *ending, struct err *err)
{
    const struct timespec wait = { .tv_nsec = REMOVE_WAIT_MS * 1000000L };
    int result = -1;

    for (int i = 0; i < REMOVE_ATTEMPTS && result < 0; i++) {
        if (i > 0)
            nanosleep(&wait, NULL); /* of a worker thread */
        result = cgroup_remove(&ending->cgroups, ending->uid, err);
    }
    return result;
}

static int work(void *arg, struct err *err)
{
    struct ending *ending = arg;

    fault_point("compute.end.begun");
    add_reason(ending);
    if (trace_write_end(&ending->paths, &ending->end, err) < 0)
        return -1;
    fault_point("compute.end.noted");
    (void)remove_groups(ending, err); /* again at release() */
    fault_point("compute.end.ungrouped");
    return 0;
}

/* --- on the loop --- */

static void tell_end(struct qemu_machine *machine)
{
    struct qemu_waiter *waiters = machine->waiters;
    struct qemu_call *start_call = machine->start_call;
    struct err err;

    machine->waiters = NULL;
    machine->start_call = NULL;
    (void)err_set(&err, ERR_UNAVAILABLE, "%s", machine->end.message);
    if (start_call)
        qemu_call_end(start_call, machine->start_err.code ? &machine->start_err : &err);
    while (waiters) {
        struct qemu_waiter *waiter = waiters;

        waiters = waiter->next;
        qemu_call_end(waiter->call, NULL);
        free(waiter);
    }
}

static void finish(void *arg, bool is_closed, const struct err *err)
{
    struct ending *ending = arg;
    struct qemu_machine *machine =
        is_closed ? NULL : qemu_machine_find(ending->driver, ending->uid);

    /* That it could not be written down costs the next daemon the reason, not the fact. */
    if (machine) {
        machine->end = ending->end;
        qemu_machine_set_phase(machine, PHASE_ENDED);
        tell_end(machine);
    }
    ending_free(ending);
}

void qemu_finish(struct qemu_machine *machine)
{
    loop_source_free(machine->kill_timer);
    machine->kill_timer = NULL;
    qemu_machine_set_phase(machine, PHASE_ENDING);
    qemu_hang_up(machine);
    if (machine->pidfd >= 0)
        close(machine->pidfd);
    machine->pidfd = -1;
    qemu_job_run(machine->driver->jobs, machine->uid,
                 (struct qemu_job){ work, finish, ending_new(machine) });
}

/* --- the intent, before the process is gone --- */

static int note(void *arg, struct err *err)
{
    struct ending *ending = arg;

    fault_point("compute.end.expected");
    return trace_write_end(&ending->paths, &ending->end, err);
}

static void noted(void *arg, bool is_closed, const struct err *err)
{
    struct ending *ending = arg;
    struct qemu_machine *machine =
        is_closed ? NULL : qemu_machine_find(ending->driver, ending->uid);

    if (machine && machine->phase != PHASE_ENDING && machine->phase != PHASE_ENDED)
        qemu_end_process(machine);
    ending_free(ending);
}

void qemu_note_end(struct qemu_machine *machine)
{
    qemu_job_run(machine->driver->jobs, machine->uid,
                 (struct qemu_job){ note, noted, ending_new(machine) });
}

/* --- release --- */

struct release {
    struct ending *ending;
    struct qemu_call *call;
};

static int remove_all(void *arg, struct err *err)
{
    const struct release *release = arg;

    fault_point("compute.release.begun");
    if (fault_fails("compute.release", err) < 0)
        return -1;
    if (remove_groups(release->ending, err) < 0)
        return -1;
    fault_point("compute.release.ungrouped");
    return trace_remove(&release->ending->paths, err);
}

static void removed(void *arg, bool is_closed, const struct err *err)
{
    struct release *release = arg;
    struct ending *ending = release->ending;
    struct qemu_machine *machine =
        is_closed ? NULL : qemu_machine_find(ending->driver, ending->uid);

    if (machine && err)
        machine->is_releasing = false;
    if (machine && !err) {
        qemu_number_free(ending->driver, machine->number);
        changes_add(&ending->driver->changes, ending->uid);
        (void)map_remove(ending->driver->machines, ending->uid); /* found above */
    }
    if (!is_closed)
        qemu_call_end(release->call, err);
    ending_free(ending);
    free(release);
}

void qemu_release(struct compute *compute, const char *uid, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_machine *machine = qemu_machine_find(driver, uid);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct release *release;
    struct err err;

    if (!machine) {
        qemu_call_end_later(call, NULL);
        return;
    }
    if (machine->phase != PHASE_ENDED || machine->is_releasing) {
        (void)err_set(&err, ERR_CONFLICT,
                      machine->is_releasing ? "the machine is being released" : "the machine runs");
        qemu_call_end_later(call, &err);
        return;
    }
    machine->is_releasing = true;
    release = mem_new(struct release);
    *release = (struct release){ ending_new(machine), call };
    qemu_job_run(driver->jobs, uid, (struct qemu_job){ remove_all, removed, release });
}
