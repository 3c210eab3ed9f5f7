/* HAProxy's statistics and log samples: texts of health checks come from members, so from guests.
 */
#include "drivers/balancer/haproxy/holding.h"
#include "drivers/balancer/haproxy/latency.h"
#include "drivers/balancer/haproxy/stats_csv.h"
#include "base/mem.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

static void look(void *arg, const struct stat_row *row)
{
    assert(strlen(row->proxy) < STAT_NAME_SIZE && strlen(row->server) < STAT_NAME_SIZE);
    assert(strlen(row->status) < STAT_NAME_SIZE && strlen(row->check_text) < STAT_TEXT_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = mem_copy(bytes, size);
    char name[LATENCY_NAME_SIZE];
    struct latency latency = { 0 };
    struct err err;
    struct holding_line held;
    int64_t ms;

    (void)stats_csv_read(text, size, look, NULL, &err);
    if (latency_read_line(text, size, name, &ms)) {
        assert(strlen(name) < LATENCY_NAME_SIZE && ms >= 0);
        latency_add(&latency, 5000, ms);
        assert(latency_percentile(&latency, 5000, 1) >= 0);
    }
    if (holding_read_line(text, size, &held))
        assert(held.backend[0] && strlen(held.backend) < LATENCY_NAME_SIZE && held.thread < HOLDING_THREADS_MAX);
    free(text);
    return 0;
}
