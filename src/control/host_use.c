/* control/host_use.c - processors and memory in use, from /proc/stat and /proc/meminfo. */
#include "control/host_use.h"
#include <stdio.h>
#include <unistd.h>

enum { STAT_FIELDS = 8 }; /* user nice system idle iowait irq softirq steal, proc(5) */

static int read_ticks(uint64_t *ret_busy, uint64_t *ret_all)
{
    unsigned long long field[STAT_FIELDS] = { 0 };
    FILE *file = fopen("/proc/stat", "re");
    int count;

    if (!file)
        return -1;
    count = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &field[0], &field[1], &field[2],
                   &field[3], &field[4], &field[5], &field[6], &field[7]);
    fclose(file);
    *ret_all = 0;
    for (int i = 0; i < STAT_FIELDS; i++)
        *ret_all += field[i];
    *ret_busy = *ret_all - field[3] - field[4];
    return count == STAT_FIELDS ? 0 : -1;
}

static int read_memory(int64_t *ret_used)
{
    long long total = -1, available = -1, number;
    FILE *file = fopen("/proc/meminfo", "re");
    char name[64];

    if (!file)
        return -1;
    while ((total < 0 || available < 0) && fscanf(file, "%63[^:]: %lld%*[^\n]\n", name, &number) == 2) {
        if (name[0] == 'M' && __builtin_strcmp(name, "MemTotal") == 0)
            total = number;
        else if (name[0] == 'M' && __builtin_strcmp(name, "MemAvailable") == 0)
            available = number;
    }
    fclose(file);
    *ret_used = (total - available) * 1024;
    return total < 0 || available < 0 ? -1 : 0;
}

int host_use_read(struct host_use *ret_use, const struct host_use *last)
{
    struct host_use use = { 0 };

    if (read_ticks(&use.busy_ticks, &use.all_ticks) < 0 || read_memory(&use.memory_bytes) < 0)
        return -1;
    if (last && use.all_ticks > last->all_ticks)
        use.cpus = (double)(use.busy_ticks - last->busy_ticks) / (double)(use.all_ticks - last->all_ticks) *
                   (double)sysconf(_SC_NPROCESSORS_ONLN);
    use.cpus = (double)(int64_t)(use.cpus * 100 + 0.5) / 100;
    *ret_use = use;
    return 0;
}
