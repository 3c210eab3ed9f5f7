/* drivers/balancer/haproxy/driver.c - the contract's face. */
#include "base/files.h"
#include "base/mem.h"
#include "drivers/balancer/haproxy/haproxy.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLL_MS = 1000, THREADS_MAX = 8, FILES_RESERVED = 1024, CONNECTIONS_MIN = 256 };

static const struct balancer_status absent = { .state = BALANCER_ABSENT };

static struct balancer *find(struct balancer_driver *driver, const char *uid)
{
    return map_get(haproxy_of(driver)->balancers, uid);
}

/* --- user ids and folders --- */

static bool is_number_used(const struct haproxy_driver *driver, uid_t number)
{
    void *value;

    for (size_t at = 0; map_next(driver->balancers, &at, NULL, &value);)
        if (((struct balancer *)value)->number == number)
            return true;
    return false;
}

static int take_number(const struct haproxy_driver *driver, uid_t *ret_number, struct err *err)
{
    for (uid_t number = driver->uid_base; number < driver->uid_base + BALANCER_UIDS; number++)
        if (!is_number_used(driver, number)) {
            *ret_number = number;
            return 0;
        }
    return err_set(err, ERR_EXHAUSTED, "all %d user ids of balancers are in use", BALANCER_UIDS);
}

/* Root's; its group, the balancer's user alone, may pass. */
static int make_folder(const struct balancer *balancer, struct err *err)
{
    if (dir_make(balancer->folder, 0710, err) < 0)
        return -1;
    if (chown(balancer->folder, (uid_t)-1, balancer->number) < 0)
        return err_errno(err, "give %s a group", balancer->folder);
    return 0;
}

static struct balancer *make(struct haproxy_driver *driver, const char *uid, struct err *err)
{
    struct balancer *balancer;
    uid_t number;

    if (take_number(driver, &number, err) < 0)
        return NULL;
    balancer = balancer_new(driver, uid, number);
    if (make_folder(balancer, err) < 0) {
        balancer_free(balancer);
        return NULL;
    }
    map_set(driver->balancers, uid, balancer);
    return balancer;
}

/* --- answers --- */

struct late_answer {
    struct haproxy_driver *driver;
    struct loop_source *source;
    struct done done;
    struct err err;
    struct late_answer *next;
};

static void give(struct late_answer *answer)
{
    struct late_answer **link = &answer->driver->late;

    while (*link != answer)
        link = &(*link)->next;
    *link = answer->next;
    loop_source_free(answer->source);
    done_call(answer->done, answer->err.code ? &answer->err : NULL);
    free(answer);
}

static void on_late_answer(void *arg) { give(arg); }

void answer_later(struct haproxy_driver *driver, struct done done, const struct err *err)
{
    struct late_answer *answer = mem_new(struct late_answer);

    *answer = (struct late_answer){ .driver = driver, .done = done, .next = driver->late };
    if (err)
        answer->err = *err;
    driver->late = answer;
    answer->source = loop_defer(driver->loop, on_late_answer, answer);
}

static void cancel_awaited(struct balancer *balancer, const char *why)
{
    struct err cancelled;

    if (!balancer->is_awaited)
        return;
    balancer->is_awaited = false;
    (void)err_set(&cancelled, ERR_CANCELLED, "%s", why);
    answer_later(balancer->driver, balancer->done, &cancelled);
}

/* --- open and close --- */

static void on_poll(void *arg)
{
    struct haproxy_driver *driver = arg;
    void *balancer;

    loop_timer_again(driver->poll, POLL_MS);
    for (size_t at = 0; map_next(driver->balancers, &at, NULL, &balancer);)
        balancer_poll(balancer);
}

/* Two descriptors for each connection, and some for the rest. */
static unsigned connections_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max == RLIM_INFINITY ||
        limit.rlim_max > 2000000)
        return 900000;
    if (limit.rlim_max < FILES_RESERVED + 2 * CONNECTIONS_MIN)
        return CONNECTIONS_MIN;
    return (unsigned)(limit.rlim_max - FILES_RESERVED) / 2;
}

static void find_one(struct haproxy_driver *driver, const char *uid)
{
    auto_free char *folder = str_printf("%s/%s", driver->run_dir, uid);
    struct balancer *balancer;
    struct err unused; /* nothing serves: ensure() starts anew, remove() tidies up */
    uid_t number;

    if (!haproxy_trace_number(folder, &number))
        return;
    if (number < driver->uid_base || number >= driver->uid_base + BALANCER_UIDS) {
        (void)dir_remove(folder, &unused); /* no process can run with it: half made */
        return;
    }
    balancer = balancer_new(driver, uid, number);
    map_set(driver->balancers, uid, balancer);
    if (haproxy_trace_find(balancer, &unused) == 0)
        (void)figures_listen(balancer, &unused);
    figures_set_state(balancer);
}

static void find_all(struct haproxy_driver *driver)
{
    DIR *dir = opendir(driver->run_dir);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            find_one(driver, entry->d_name);
    if (dir)
        closedir(dir);
}

static struct balancer_driver *haproxy_open(const struct balancer_setup *setup, struct err *err)
{
    struct haproxy_driver *driver;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (dir_make(setup->run_dir, 0711, err) < 0)
        return NULL;
    driver = mem_new(struct haproxy_driver);
    *driver = (struct haproxy_driver){ .driver = { &balancer_haproxy },
                                       .loop = setup->loop,
                                       .run_dir = str_dup(setup->run_dir),
                                       .uid_base = setup->uid_base,
                                       .changed = setup->changed,
                                       .arg = setup->arg,
                                       .balancers = map_new(balancer_free),
                                       .threads = cpus < 1             ? 1
                                                  : cpus > THREADS_MAX ? THREADS_MAX
                                                                       : (unsigned)cpus,
                                       .connections_max = connections_max() };
    find_all(driver);
    driver->poll = loop_timer(setup->loop, 0, on_poll, driver);
    return &driver->driver;
}

static void cancel_balancer(struct balancer *balancer)
{
    struct err cancelled;

    cancel_awaited(balancer, "the driver is closing");
    (void)err_set(&cancelled, ERR_CANCELLED, "the driver is closing");
    while (balancer->remover_count)
        answer_later(balancer->driver, balancer->removers[--balancer->remover_count], &cancelled);
}

static void haproxy_close(struct balancer_driver *face)
{
    struct haproxy_driver *driver = face ? haproxy_of(face) : NULL;
    void *balancer;

    if (!driver)
        return;
    loop_source_free(driver->poll);
    for (size_t at = 0; map_next(driver->balancers, &at, NULL, &balancer);)
        cancel_balancer(balancer);
    while (driver->late)
        give(driver->late);
    map_free(driver->balancers);
    free(driver->run_dir);
    free(driver);
}

/* --- ensure --- */

static bool is_same_namespace(int a, int b)
{
    struct stat a_status, b_status;

    if (a < 0 || b < 0)
        return a < 0 && b < 0;
    return fstat(a, &a_status) == 0 && fstat(b, &b_status) == 0 &&
           a_status.st_ino == b_status.st_ino && a_status.st_dev == b_status.st_dev;
}

/* Of the process that serves; -1: in the host's, or none serves. */
static int namespace_of_serving(const struct balancer *balancer)
{
    char path[64];

    if (!balancer->serving)
        return -1;
    (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)balancer->serving->pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* A network that was made anew has no use for processes and sockets in the one before. */
static void leave_other_namespace(struct balancer *balancer, int netns_fd)
{
    auto_close int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    auto_close int its = namespace_of_serving(balancer);

    if (!balancer->serving || is_same_namespace(its, netns_fd < 0 ? host : netns_fd))
        return;
    free(balancer->serving->structure);
    balancer->serving->structure = str_dup("of another network");
    for (size_t i = balancer->socket_count; i-- > 0;)
        if (balancer->sockets[i].is_inside) {
            close(balancer->sockets[i].fd);
            balancer->sockets[i] = balancer->sockets[--balancer->socket_count];
        }
}

static void want(struct balancer *balancer, const struct balancer_config *config, int take_netns_fd,
                 struct done done)
{
    cancel_awaited(balancer, "another configuration came");
    if (balancer->netns_fd >= 0)
        close(balancer->netns_fd);
    leave_other_namespace(balancer, take_netns_fd);
    balancer->netns_fd = take_netns_fd;
    balancer_config_free(balancer->config);
    balancer->config = balancer_config_copy(config);
    balancer->done = done;
    balancer->is_awaited = true;
    balancer->is_compared = false;
    balancer->tries = 0;
    err_clear(&balancer->refused);
}

static void on_step(void *arg)
{
    struct balancer *balancer = arg;

    loop_source_free(take_pointer(balancer->soon));
    balancer_step(balancer);
}

static void haproxy_ensure(struct balancer_driver *face, const struct balancer_config *config,
                           int take_netns_fd, struct done done)
{
    struct haproxy_driver *driver = haproxy_of(face);
    struct balancer *balancer = find(face, config->uid);
    struct err err = { 0 };

    if (balancer && balancer->is_removed)
        (void)err_set(&err, ERR_CONFLICT, "the balancer is being removed");
    if (err.code || balancer_config_check(config, &err) < 0 ||
        (!balancer && !(balancer = make(driver, config->uid, &err)))) {
        if (take_netns_fd >= 0)
            close(take_netns_fd);
        answer_later(driver, done, &err);
        return;
    }
    want(balancer, config, take_netns_fd, done);
    if (!balancer->soon)
        balancer->soon = loop_defer(driver->loop, on_step, balancer);
}

/* --- remove --- */

void balancer_forget(struct balancer *balancer)
{
    struct haproxy_driver *driver = balancer->driver;
    struct err err = { 0 };

    if (balancer->coming || balancer->serving || balancer->retired)
        return;
    (void)dir_remove(balancer->folder, &err);
    for (size_t i = 0; i < balancer->remover_count; i++)
        answer_later(driver, balancer->removers[i], err.code ? &err : NULL);
    map_remove(driver->balancers, balancer->uid);
}

static void begin_removal(struct balancer *balancer)
{
    balancer->is_removed = true;
    runtime_cancel(take_pointer(balancer->call));
    loop_source_free(take_pointer(balancer->again));
    loop_source_free(take_pointer(balancer->soon));
    cancel_awaited(balancer, "the balancer is removed");
    proxy_kill_all(balancer);
    sockets_close(balancer);
}

static void haproxy_remove(struct balancer_driver *face, const char *uid, struct done done)
{
    struct haproxy_driver *driver = haproxy_of(face);
    struct balancer *balancer = find(face, uid);

    if (!balancer) {
        answer_later(driver, done, NULL);
        return;
    }
    balancer->removers = mem_resize(balancer->removers,
                                    (balancer->remover_count + 1) * sizeof balancer->removers[0]);
    balancer->removers[balancer->remover_count++] = done;
    if (balancer->is_removed)
        return;
    begin_removal(balancer);
    balancer_forget(balancer);
}

/* --- reads --- */

static const struct balancer_status *haproxy_observe(struct balancer_driver *face, const char *uid)
{
    const struct balancer *balancer = find(face, uid);

    return balancer ? &balancer->status : &absent;
}

static char **haproxy_list(struct balancer_driver *face) { return map_keys(haproxy_of(face)->balancers); }

const struct balancer_ops balancer_haproxy = {
    .name = "haproxy",
    .open = haproxy_open,
    .close = haproxy_close,
    .ensure = haproxy_ensure,
    .remove = haproxy_remove,
    .observe = haproxy_observe,
    .list = haproxy_list,
};
