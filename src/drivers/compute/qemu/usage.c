/* drivers/compute/qemu/usage.c - what machines consume, read from the kernel and QEMU. */
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROC_FILE_MAX = 4096, SAMPLE_MS = 5000 };

/* One sample() over all machines; ends with the last answer. */
struct sample {
    struct qemu_call *call;
    unsigned outstanding;
};

struct question {
    struct sample *sample;
    struct qemu_machine *machine;
};

static void one_less(struct sample *sample)
{
    struct qemu_call *call = sample->call;

    if (--sample->outstanding > 0)
        return;
    free(sample);
    qemu_call_end(call, NULL);
}

/* --- the kernel --- */

static bool read_proc(pid_t pid, const char *name, struct buf *ret_text)
{
    auto_free char *path = str_printf("/proc/%d/%s", (int)pid, name);
    struct err err;

    return file_read(path, PROC_FILE_MAX, ret_text, &err) == 0 && ret_text->size;
}

/* Fields 14 and 15 of stat: user and system time in ticks. The name in field 2 may hold
 * anything, so counting begins behind its closing parenthesis. */
static void read_cpu_by_proc(const struct qemu_machine *machine, struct machine_usage *usage)
{
    auto_buf struct buf text = { 0 };
    unsigned long long user, system;
    const char *tail;

    if (!read_proc(machine->status.pid, "stat", &text) || !(tail = strrchr(text.bytes, ')')) ||
        sscanf(tail, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) !=
            2)
        return;
    usage->cpu_ns = (user + system) * (1000000000ULL / (unsigned long long)sysconf(_SC_CLK_TCK));
}

static void read_kernel(struct qemu_machine *machine)
{
    struct machine_usage *usage = &machine->status.usage;
    auto_buf struct buf text = { 0 };
    struct cgroup_usage group;
    long long resident;

    usage->wall_ms = loop_wall_ms(machine->driver->setup.loop);
    cgroup_read(&machine->driver->cgroups, machine->uid, &group);
    if (group.has_cpu)
        usage->cpu_ns = group.cpu_ns;
    else
        read_cpu_by_proc(machine, usage);
    if (read_proc(machine->status.pid, "statm", &text) &&
        sscanf(text.bytes, "%*d %lld", &resident) == 1)
        usage->memory_bytes = resident * sysconf(_SC_PAGESIZE);
}

/* --- QEMU --- */

static uint64_t count_at(const json_t *object, const char *path)
{
    int64_t count = json_int_at(object, path, 0);

    return count > 0 ? (uint64_t)count : 0;
}

static void read_blocks(struct machine_usage *usage, const json_t *devices)
{
    size_t i;
    json_t *device;

    usage->disk_read_bytes = usage->disk_write_bytes = 0;
    usage->disk_read_ops = usage->disk_write_ops = 0;
    json_array_foreach ((json_t *)devices, i, device) {
        if (!json_text_at(device, "qdev", NULL))
            continue; /* firmware */
        usage->disk_read_bytes += count_at(device, "stats.rd_bytes");
        usage->disk_write_bytes += count_at(device, "stats.wr_bytes");
        usage->disk_read_ops += count_at(device, "stats.rd_operations");
        usage->disk_write_ops += count_at(device, "stats.wr_operations");
    }
}

static void question_end(struct question *question)
{
    struct sample *sample = question->sample;

    free(question);
    one_less(sample);
}

static void on_blocks(void *arg, const struct err *err, const json_t *result)
{
    struct question *question = arg;

    if (!err)
        read_blocks(&question->machine->status.usage, result);
    question_end(question);
}

/* What a guest did not tell is the largest number there is (see qmp.c). */
static void on_balloon(void *arg, const struct err *err, const json_t *result)
{
    struct question *question = arg;
    int64_t total = json_int_at(result, "stats.stat-total-memory", INT64_MAX);
    int64_t available = json_int_at(result, "stats.stat-available-memory", INT64_MAX);
    /* What the balloon holds is neither available to the guest nor used by it. */
    int64_t held = question->machine->config->memory_bytes - question->machine->size.balloon_bytes;

    if (!err && total != INT64_MAX && available != INT64_MAX && available >= 0 &&
        available <= total)
        question->machine->status.usage.guest_memory_bytes = total - available > held ? total - available - held : 0;
    question_end(question);
}

static void ask(struct sample *sample, struct qemu_machine *machine, const char *command,
                json_t *take_arguments, monitor_fn *fn)
{
    struct question *question = mem_new(struct question);

    *question = (struct question){ sample, machine };
    sample->outstanding++;
    monitor_call(machine->monitor, command, take_arguments, -1, SAMPLE_MS, fn, question);
}

static void sample_machine(struct sample *sample, struct qemu_machine *machine)
{
    if (machine->status.pid)
        read_kernel(machine);
    if (machine->phase != PHASE_UP)
        return;
    ask(sample, machine, "query-blockstats", NULL, on_blocks);
    ask(sample, machine, "qom-get",
        json_pack("{ss,ss}", "path", "/machine/peripheral/balloon", "property", "guest-stats"),
        on_balloon);
}

void qemu_sample(struct compute *compute, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct sample *sample = mem_new(struct sample);
    void *machine;

    sample->call = qemu_call_done(driver, done);
    qemu_logs_look_after(driver);
    for (size_t at = 0; map_next(driver->machines, &at, NULL, &machine);)
        sample_machine(sample, machine);
    if (sample->outstanding)
        return;
    qemu_call_end_later(sample->call, NULL);
    free(sample);
}
