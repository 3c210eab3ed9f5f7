/* drivers/compute/qemu/host.c - asks the QEMU binary once, and the host at each start. */
#include "drivers/compute/qemu/host.h"
#include "base/files.h"
#include "base/spawn.h"
#include "base/str.h"
#include "drivers/compute/qemu/qmp.h"
#include "drivers/compute/qemu/schema.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ANSWERS_SIZE_MAX = 8 * 1024 * 1024, CACHE_SIZE_MAX = 64 * 1024, CACHE_FORMAT = 1 };

/* What is asked, in this order; QEMU answers in order and ends at the last. */
static const char questions[] = "{\"execute\":\"qmp_capabilities\",\"id\":1}\n"
                                "{\"execute\":\"query-machines\",\"id\":2}\n"
                                "{\"execute\":\"query-qmp-schema\",\"id\":3}\n"
                                "{\"execute\":\"quit\",\"id\":4}\n";

/* --- the binary --- */

static int find_in_path(char *to, size_t size, struct err *err)
{
    const char *path = getenv("PATH");
    auto_free char *copy = str_dup(path ? path : "/usr/bin:/bin");
    char *rest = copy;

    for (char *folder; (folder = strsep(&rest, ":"));) {
        snprintf(to, size, "%s/qemu-system-x86_64", folder);
        if (folder[0] == '/' && access(to, X_OK) == 0)
            return 0;
    }
    return err_set(err, ERR_NOT_FOUND,
                   "no qemu-system-x86_64: install the package qemu-system-x86");
}

static int find_binary(char *to, size_t size, struct err *err)
{
    const char *given = getenv("VIRGA_QEMU");

    if (str_is_empty(given))
        return find_in_path(to, size, err);
    if (access(given, X_OK) < 0)
        return err_errno(err, "VIRGA_QEMU=%s", given);
    snprintf(to, size, "%s", given);
    return 0;
}

static void read_version(json_t *facts, const json_t *greeting)
{
    const json_t *qemu = json_at(greeting, "QMP.version.qemu");

    json_object_set_new(facts, "version",
                        json_printf("%d.%d.%d", (int)json_int_at(qemu, "major", 0),
                                    (int)json_int_at(qemu, "minor", 0),
                                    (int)json_int_at(qemu, "micro", 0)));
}

/* The versioned name behind the alias "q35", which is the newest. */
static void read_machines(json_t *facts, const json_t *machines)
{
    size_t i;
    json_t *machine;

    json_array_foreach ((json_t *)machines, i, machine) {
        if (str_equal(json_text_at(machine, "alias", ""), "q35"))
            json_object_set(facts, "machineType", json_object_get(machine, "name"));
    }
}

static void read_schema(json_t *facts, const json_t *entries)
{
    json_object_set_new(facts, "ioUring",
                        json_boolean(schema_has(entries, "blockdev-add/+file/aio/^io_uring")));
    json_object_set_new(facts, "png", json_boolean(schema_has(entries, "screendump/format")));
}

static void read_answer(json_t *facts, const json_t *answer)
{
    const json_t *result = json_object_get(answer, "return");

    if (json_object_get(answer, "QMP"))
        read_version(facts, answer);
    else if (json_int_at(answer, "id", 0) == 2)
        read_machines(facts, result);
    else if (json_int_at(answer, "id", 0) == 3)
        read_schema(facts, result);
}

json_t *qemu_host_read_answers(const char *text, size_t size, struct err *err)
{
    auto_json json_t *facts = json_object();

    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size;
        auto_json json_t *answer = length ? json_parse(text, length, err) : json_object();

        if (!answer)
            return NULL;
        read_answer(facts, answer);
        text += length + (end ? 1 : 0);
        size -= length + (end ? 1 : 0);
    }
    if (!json_object_get(facts, "version") || !json_object_get(facts, "machineType") ||
        !json_object_get(facts, "png")) {
        (void)err_set(err, ERR_UNSUPPORTED, "QEMU did not say its version, machines or schema");
        return NULL;
    }
    return take_pointer(facts);
}

/* The read end of a pipe that holds the questions; they fit, so writing cannot block. */
static int open_questions(int *ret_fd, struct err *err)
{
    auto_close int writer = -1;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, "pipe");
    writer = ends[1];
    if (write_all(writer, questions, sizeof questions - 1, err) < 0) {
        close(ends[0]);
        return -1;
    }
    *ret_fd = ends[0];
    return 0;
}

/* The answers go to a file in memory: at "quit" QEMU drops what a full pipe did not take. */
static int run_binary(const char *binary, int answers_fd, struct err *err)
{
    const char *const argv[] = { binary,     "-M",   "none", "-nodefaults", "-no-user-config",
                                 "-display", "none", "-qmp", "stdio",       NULL };
    auto_close int questions_fd = -1;

    if (open_questions(&questions_fd, err) < 0)
        return -1;
    const struct spawn_fd fds[] = { { questions_fd, 0 }, { answers_fd, 1 } };
    const struct spawn spawn = { .argv = argv, .fds = fds, .fd_count = 2, .new_netns = true };
    return spawn_wait(&spawn, NULL, err);
}

static json_t *ask_binary(const char *binary, struct err *err)
{
    auto_close int answers_fd = memfd_create("qemu-answers", MFD_CLOEXEC);
    auto_free char *path = str_printf("/proc/self/fd/%d", answers_fd);
    auto_buf struct buf answers = { 0 };

    if (answers_fd < 0) {
        (void)err_errno(err, "memfd_create");
        return NULL;
    }
    if (run_binary(binary, answers_fd, err) < 0 ||
        file_read(path, ANSWERS_SIZE_MAX, &answers, err) < 0)
        return NULL;
    return qemu_host_read_answers(answers.size ? answers.bytes : "", answers.size, err);
}

/* --- the cache --- */

static char *identity_of(const char *binary)
{
    struct stat status;

    if (stat(binary, &status) < 0)
        return str_dup("");
    return str_printf("%d %s %lld %lld %ld", CACHE_FORMAT, binary, (long long)status.st_size,
                      (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/* NULL when it is absent, damaged or of another binary. */
static json_t *read_cache(const char *path, const char *identity)
{
    auto_buf struct buf text = { 0 };
    struct err err;

    if (file_read(path, CACHE_SIZE_MAX, &text, &err) < 0 || !text.size)
        return NULL;
    auto_json json_t *facts = json_parse(text.bytes, text.size, &err);
    if (!facts || !str_equal(json_text_at(facts, "identity", NULL), identity))
        return NULL;
    return take_pointer(facts);
}

static json_t *cached_facts(const char *binary, const char *path, struct err *err)
{
    auto_free char *identity = identity_of(binary);
    json_t *facts = read_cache(path, identity);
    struct err ignored;

    if (facts)
        return facts;
    facts = ask_binary(binary, err);
    if (!facts) {
        (void)err_wrap(err, "%s", binary);
        return NULL;
    }
    json_object_set_new(facts, "identity", json_string(identity));
    auto_free char *text = json_text(facts);
    /* Without the cache the next start asks again. */
    (void)file_write_atomic(path, text, strlen(text), 0600, &ignored);
    return facts;
}

/* --- the host --- */

static bool kernel_has_io_uring(void)
{
    struct io_uring_params params = { 0 };
    int fd = (int)syscall(SYS_io_uring_setup, 2, &params);
    auto_buf struct buf text = { 0 };
    struct err err;

    if (fd < 0)
        return false;
    close(fd);
    /* 1: privileged processes only, which QEMU is not; 2: nobody. Absent before Linux 6.6. */
    if (file_read("/proc/sys/kernel/io_uring_disabled", 64, &text, &err) < 0 || !text.size)
        return true;
    return text.bytes[0] == '0';
}

static void find_ovmf(struct qemu_host *host)
{
    /* Debian 13 has the 4 MiB builds only, 12 both; the firmware and its template go together. */
    static const char *const rows[][2] = {
        { "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd" },
        { "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (access(rows[i][0], R_OK) < 0 || access(rows[i][1], R_OK) < 0)
            continue;
        snprintf(host->ovmf_code, sizeof host->ovmf_code, "%s", rows[i][0]);
        snprintf(host->ovmf_vars, sizeof host->ovmf_vars, "%s", rows[i][1]);
        return;
    }
}

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = text; (at = strstr(at, word)); at += length) {
        if (at > text && at[-1] == ' ' && (at[length] == ' ' || at[length] == '\n' || !at[length]))
            return true;
    }
    return false;
}

const char *qemu_host_cpu_reason(const char *cpuinfo)
{
    if (has_word(cpuinfo, "vmx") || has_word(cpuinfo, "svm"))
        return NULL;
    return "the processor offers no hardware virtualization (neither vmx nor svm)";
}

/* QEMU runs as a user of its own, which may open the device by its group or as anybody. */
static const char *device_reason(struct qemu_host *host)
{
    struct stat status;
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? "/dev/kvm does not exist" : "/dev/kvm cannot be opened";
    close(fd);
    if (stat("/dev/kvm", &status) < 0)
        return "/dev/kvm does not exist";
    if ((status.st_mode & 0006) == 0006)
        return NULL;
    if ((status.st_mode & 0060) != 0060 || status.st_gid == 0)
        return "/dev/kvm is for root only";
    host->kvm_gid = status.st_gid;
    return NULL;
}

static void look_at_kvm(struct qemu_host *host)
{
    auto_buf struct buf cpuinfo = { 0 };
    const char *reason;
    struct err err;

    if (file_read("/proc/cpuinfo", 16 * 1024 * 1024, &cpuinfo, &err) < 0 || !cpuinfo.size)
        reason = "/proc/cpuinfo cannot be read";
    else
        reason = qemu_host_cpu_reason(cpuinfo.bytes);
    if (!reason)
        reason = device_reason(host);
    host->kvm_usable = !reason;
    snprintf(host->kvm_reason, sizeof host->kvm_reason, "%s", reason ? reason : "");
}

int qemu_host_probe(struct qemu_host *ret_host, const char *cache_path, struct err *err)
{
    struct qemu_host host = { 0 };

    if (find_binary(host.binary, sizeof host.binary, err) < 0)
        return -1;
    auto_json json_t *facts = cached_facts(host.binary, cache_path, err);
    if (!facts)
        return -1;
    snprintf(host.version, sizeof host.version, "%s", json_text_at(facts, "version", ""));
    snprintf(host.machine_type, sizeof host.machine_type, "%s",
             json_text_at(facts, "machineType", ""));
    host.has_png = json_bool_at(facts, "png", false);
    host.has_io_uring = json_bool_at(facts, "ioUring", false) && kernel_has_io_uring();
    find_ovmf(&host);
    look_at_kvm(&host);
    *ret_host = host;
    return 0;
}
