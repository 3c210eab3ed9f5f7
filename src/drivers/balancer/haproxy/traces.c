/* drivers/balancer/haproxy/traces.c - files of a balancer. Its folder lies in memory (/run), so
 * that writing is not waited for and nothing is synced: processes do not survive the host either.
 */
#include "base/files.h"
#include "base/json.h"
#include "base/mem.h"
#include "drivers/balancer/haproxy/haproxy.h"
#include "drivers/balancer/haproxy/listening.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 16 * 1024 * 1024, ASK_TIMEOUT_MS = 1000, GENERATIONS_MAX = 64 };

char *haproxy_trace_path(const struct balancer *balancer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    auto_free char *name = str_vprintf(format, args);
    va_end(args);
    return str_printf("%s/%s", balancer->folder, name);
}

int haproxy_trace_write_private(const struct balancer *balancer, const char *name, const char *text,
                                struct err *err)
{
    auto_free char *path = haproxy_trace_path(balancer, "%s", name);
    auto_free char *new_path = haproxy_trace_path(balancer, "%s.new", name);
    auto_close int fd = -1;

    (void)unlink(new_path); /* mostly absent */
    fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    if (fd < 0)
        return err_errno(err, "create %s", new_path);
    if (fchown(fd, balancer->number, balancer->number) < 0)
        return err_errno(err, "give away %s", new_path);
    if (write_all(fd, text, strlen(text), err) < 0)
        return err_wrap(err, "%s", new_path);
    return rename(new_path, path) < 0 ? err_errno(err, "rename %s", new_path) : 0;
}

char *haproxy_trace_read(const struct balancer *balancer, const char *name)
{
    auto_free char *path = haproxy_trace_path(balancer, "%s", name);
    auto_buf struct buf text = { 0 };
    struct err unused;

    return file_read(path, FILE_MAX, &text, &unused) < 0 ? NULL : buf_take(&text);
}

void haproxy_trace_remove_generation(const struct balancer *balancer, unsigned generation)
{
    static const char *const formats[] = { "haproxy-%u.cfg", "admin-%u", "proxy-%u.json" };

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char name[RECORD_PATH_SIZE];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(name, sizeof name, formats[i], generation);
#pragma GCC diagnostic pop
        auto_free char *path = haproxy_trace_path(balancer, "%s", name);
        (void)unlink(path); /* rubbish at worst; goes with the folder */
    }
}

/* --- the record of a generation --- */

static json_t *socket_json(const struct held_socket *socket, size_t number)
{
    char text[IP_TEXT_SIZE];

    ip_format(&socket->addr, text);
    return json_pack("{s:s,s:i,s:b,s:i}", "address", text, "port", (int)socket->port, "inside",
                     (int)socket->is_inside, "fd", (int)number);
}

int haproxy_trace_write_record(const struct balancer *balancer, unsigned generation,
                               struct err *err)
{
    auto_json json_t *record = json_pack("{s:I,s:s,s:[]}", "number", (json_int_t)balancer->number,
                                         "cookieKey", balancer->cookie_key, "sockets");
    char name[RECORD_PATH_SIZE];

    for (size_t i = 0; i < balancer->config->listener_count; i++) {
        int at = sockets_find(balancer, &balancer->config->listeners[i]);
        if (at >= 0)
            json_array_append_new(json_object_get(record, "sockets"),
                                  socket_json(&balancer->sockets[at], FIRST_LISTENER_FD + i));
    }
    auto_free char *text = json_text(record);
    (void)snprintf(name, sizeof name, "proxy-%u.json", generation);
    return haproxy_trace_write_private(balancer, name, text, err);
}

/* --- finding what serves again --- */

static json_t *read_record(const struct balancer *balancer, unsigned generation)
{
    char name[RECORD_PATH_SIZE];
    struct err unused;

    (void)snprintf(name, sizeof name, "proxy-%u.json", generation);
    auto_free char *text = haproxy_trace_read(balancer, name);
    return text ? json_parse(text, strlen(text), &unused) : NULL;
}

static void copy_sockets(struct balancer *balancer, const json_t *record, int pidfd)
{
    size_t i;
    json_t *item;

    json_array_foreach (json_object_get(record, "sockets"), i, item) {
        struct held_socket socket = { .port = (uint16_t)json_int_at(item, "port", 0),
                                      .is_inside = json_bool_at(item, "inside", false) };
        struct err unused; /* it is opened anew then */
        if (ip_parse(json_text_at(item, "address", ""), &socket.addr, &unused) == 0 &&
            listening_copy(pidfd, (int)json_int_at(item, "fd", -1), &socket.addr, socket.port,
                           &socket.fd, &unused) == 0)
            sockets_add(balancer, &socket);
    }
}

/* The pid in the answer to "show info"; 0: there is none. */
static pid_t pid_of(const char *answer)
{
    const char *line = answer ? strstr(answer, "\nPid: ") : NULL;

    return line ? (pid_t)strtol(line + strlen("\nPid: "), NULL, 10) : 0;
}

static pid_t ask_pid(const struct balancer *balancer, unsigned generation)
{
    auto_buf struct buf answer = { 0 };
    char name[RECORD_PATH_SIZE];
    struct err unused;

    (void)snprintf(name, sizeof name, "admin-%u", generation);
    if (runtime_ask(balancer->folder, name, "show info", ASK_TIMEOUT_MS, &answer, &unused) < 0)
        return 0;
    return pid_of(answer.bytes);
}

static int adopt(struct balancer *balancer, unsigned generation, pid_t pid, struct err *err)
{
    auto_json json_t *record = read_record(balancer, generation);
    auto_buf struct buf structure = { 0 };
    char name[RECORD_PATH_SIZE];

    (void)snprintf(name, sizeof name, "haproxy-%u.cfg", generation);
    auto_free char *text = haproxy_trace_read(balancer, name);
    config_text_without_members(text ? text : "", &structure);
    if (proxy_adopt(balancer, generation, pid, buf_take(&structure), err) < 0)
        return -1;
    copy_sockets(balancer, record, balancer->serving->pidfd);
    (void)snprintf(balancer->cookie_key, sizeof balancer->cookie_key, "%s",
                   json_text_at(record, "cookieKey", balancer->cookie_key));
    return 0;
}

/* Generations that left a record, the newest first; at most GENERATIONS_MAX. */
static size_t list_generations(const char *folder, unsigned generations[GENERATIONS_MAX])
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    size_t count = 0;

    while (dir && (entry = readdir(dir))) {
        unsigned generation = 0;
        if (!str_starts(entry->d_name, "proxy-") || !str_ends(entry->d_name, ".json") ||
            count == GENERATIONS_MAX)
            continue;
        generation = (unsigned)strtoul(entry->d_name + strlen("proxy-"), NULL, 10);
        size_t at = count++;
        for (; at > 0 && generations[at - 1] < generation; at--)
            generations[at] = generations[at - 1];
        generations[at] = generation;
    }
    if (dir)
        closedir(dir);
    return count;
}

/* One that was to be replaced when the daemon died: its follower serves. */
static void stop_older(const struct balancer *balancer, unsigned generation)
{
    pid_t pid = ask_pid(balancer, generation);

    auto_close int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (pidfd >= 0)
        (void)pidfd_send_signal(pidfd, SIGUSR1, NULL, 0); /* it has just ended by itself */
}

int haproxy_trace_find(struct balancer *balancer, struct err *err)
{
    unsigned generations[GENERATIONS_MAX];
    size_t count = list_generations(balancer->folder, generations);

    balancer->generation = count ? generations[0] : 0;
    for (size_t i = 0; i < count; i++) {
        pid_t pid = balancer->serving ? 0 : ask_pid(balancer, generations[i]);
        struct err unused; /* it has just ended: the next one is asked */
        if (pid > 0 && adopt(balancer, generations[i], pid, &unused) == 0)
            continue;
        if (balancer->serving)
            stop_older(balancer, generations[i]);
        haproxy_trace_remove_generation(balancer, generations[i]);
    }
    return balancer->serving ? 0 : err_set(err, ERR_NOT_FOUND, "no proxy serves");
}

bool haproxy_trace_number(const char *folder, uid_t *ret_number)
{
    struct stat status;

    if (stat(folder, &status) < 0 || !S_ISDIR(status.st_mode))
        return false;
    *ret_number = status.st_gid; /* the folder is root's, for searching by its group */
    return true;
}
