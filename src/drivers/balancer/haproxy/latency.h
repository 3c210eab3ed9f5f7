/* drivers/balancer/haproxy/latency.h - percentiles of the last ten seconds from samples: pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LATENCY_SECONDS = 10, LATENCY_BUCKETS = 160 };

/* Counts by duration, a set per second. Buckets are exact below 16 ms and an eighth of a power
 * of two wide above. Zeroed is empty. */
struct latency {
    uint32_t counts[LATENCY_SECONDS][LATENCY_BUCKETS];
    int64_t second[LATENCY_SECONDS]; /* what second each set is of */
};

void latency_add(struct latency *latency, int64_t now_ms, int64_t duration_ms);
/* Milliseconds that 'share' (0 to 1) of the samples stayed within; -1: there are none. */
int64_t latency_percentile(const struct latency *latency, int64_t now_ms, double share);

/* A log line "BACKEND MILLISECONDS STATUS" as the configuration's log-format writes it. False: it
 * is another. 'ret_backend' is NUL-terminated. */
enum { LATENCY_NAME_SIZE = 96 };
bool latency_read_line(const char *text, size_t size, char ret_backend[LATENCY_NAME_SIZE],
                       int64_t *ret_ms);
