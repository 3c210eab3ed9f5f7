/* drivers/balancer/haproxy/latency.c - percentiles of the last ten seconds from samples. */
#include "drivers/balancer/haproxy/latency.h"
#include <string.h>

enum { EXACT = 16, STEPS = 8, DURATION_MAX_MS = 24 * 3600 * 1000 };

/* 16 exact ones, then eight for each doubling. */
static unsigned bucket_of(int64_t ms)
{
    unsigned power, bucket;

    if (ms < EXACT)
        return ms < 0 ? 0 : (unsigned)ms;
    if (ms > DURATION_MAX_MS)
        ms = DURATION_MAX_MS;
    power = 63 - (unsigned)__builtin_clzll((unsigned long long)ms);
    bucket = EXACT + (power - 4) * STEPS + (unsigned)((ms >> (power - 3)) & (STEPS - 1));
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The longest duration that falls into the bucket. */
static int64_t bucket_end(unsigned bucket)
{
    unsigned power;

    if (bucket < EXACT)
        return bucket;
    power = 4 + (bucket - EXACT) / STEPS;
    return (((int64_t)STEPS + (bucket - EXACT) % STEPS + 1) << (power - 3)) - 1;
}

void latency_add(struct latency *latency, int64_t now_ms, int64_t duration_ms)
{
    int64_t second = now_ms / 1000;
    unsigned slot = (unsigned)((uint64_t)second % LATENCY_SECONDS);

    if (latency->second[slot] != second) {
        memset(latency->counts[slot], 0, sizeof latency->counts[slot]);
        latency->second[slot] = second;
    }
    latency->counts[slot][bucket_of(duration_ms)]++;
}

int64_t latency_percentile(const struct latency *latency, int64_t now_ms, double share)
{
    uint64_t sums[LATENCY_BUCKETS] = { 0 }, total = 0, seen = 0;

    for (unsigned slot = 0; slot < LATENCY_SECONDS; slot++) {
        if (latency->second[slot] <= now_ms / 1000 - LATENCY_SECONDS)
            continue;
        for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
            sums[i] += latency->counts[slot][i];
            total += latency->counts[slot][i];
        }
    }
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += sums[i];
        if (seen && (double)seen >= share * (double)total)
            return bucket_end(i);
    }
    return -1;
}

bool latency_read_line(const char *text, size_t size, char ret_backend[LATENCY_NAME_SIZE],
                       int64_t *ret_ms)
{
    const char *end = text + size, *blank = memchr(text, ' ', size);
    size_t length = blank ? (size_t)(blank - text) : 0;
    int64_t ms = 0;

    if (!length || length >= LATENCY_NAME_SIZE || blank + 1 >= end || blank[1] < '0' ||
        blank[1] > '9')
        return false; /* -1 stands for a request that was given up */
    for (const char *c = blank + 1; c < end && *c >= '0' && *c <= '9' && ms < DURATION_MAX_MS; c++)
        ms = ms * 10 + (*c - '0');
    memcpy(ret_backend, text, length);
    ret_backend[length] = '\0';
    *ret_ms = ms;
    return true;
}
