/* control/host_use.h - processors and memory in use on this machine, from /proc. */
#pragma once
#include <stdint.h>

struct host_use {
    double cpus;            /* busy processors since the last reading */
    int64_t memory_bytes;   /* total less available */
    uint64_t busy_ticks, all_ticks; /* of /proc/stat, for the next reading */
};

/* 'last' may be NULL: then 'cpus' is 0. Returns -1 when /proc cannot be read. */
int host_use_read(struct host_use *ret_use, const struct host_use *last);
