/* tests/bench/bench_calls.c - asks an HTTP server at 127.0.0.1 until it was asked often enough.
 *
 *   bench_calls PORT CLIENTS COUNT
 *
 * As fast as it answers, over connections that stay open, one request at a time on each. Prints one line
 * of "name=value": answers, failures, rate (answers a second), and what failed first. */
#include "web.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bench_calls PORT CLIENTS COUNT\n");
        return 2;
    }
    const struct web_load load = { .port = (uint16_t)strtoul(argv[1], NULL, 10),
                                   .clients = (unsigned)strtoul(argv[2], NULL, 10),
                                   .keep_alive = true,
                                   .path = "/" };
    uint64_t count = strtoull(argv[3], NULL, 10), before = 0;
    struct web_running *running = web_load_start(&load);
    struct web_result result;

    while (before < count) {
        uint64_t step = count - before < 1000 ? count - before : 1000;

        if (!web_load_wait(running, step)) {
            fprintf(stderr, "bench_calls: half a minute without %" PRIu64 " answers\n", step);
            break;
        }
        before = web_load_answers(running);
    }
    result = web_load_stop(running);
    printf("answers=%" PRIu64 " failures=%" PRIu64 " rate=%.0f first=%s\n", result.answers, result.failures,
           (double)result.answers / result.seconds, result.failures ? result.first_failure : "-");
    return result.failures != 0 || before < count;
}
