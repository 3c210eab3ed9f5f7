/* drivers/network/netns/segment.c - a network as its jobs see it, and being inside it. */
#include "drivers/network/netns/segment.h"

#include "base/mem.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>

struct segment *segment_new(const struct host *host, const char *uid)
{
    struct segment *segment = mem_new(struct segment);

    (void)snprintf(segment->uid, sizeof segment->uid, "%s", uid);
    segment->run_dir = str_printf("%s/%s", host->run_dir, uid);
    segment->state_dir = str_printf("%s/%s", host->state_dir, uid);
    segment->netns_path = str_printf("%s/netns", segment->run_dir);
    return segment;
}

void segment_free(struct segment *segment)
{
    if (!segment)
        return;
    guard_done(&segment->guard);
    free(segment->run_dir);
    free(segment->state_dir);
    free(segment->netns_path);
    free(segment);
}

int segment_open(const struct segment *segment, int *ret_fd, struct err *err)
{
    if (namespace_open(segment->netns_path, ret_fd, err) == 0)
        return 0;
    if (err->code == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "network %s is not there", segment->uid);
    return -1;
}

static int visit_with_netlink(int netns_fd, visit_fn *fn, void *arg, struct err *err)
{
    struct namespace_visit visit;
    struct netlink netlink = { 0 };
    int result;

    if (namespace_enter(netns_fd, &visit, err) < 0)
        return -1;
    result = netlink_open(&netlink, err);
    if (result == 0)
        result = fn(arg, &netlink, err);
    netlink_close(&netlink);
    namespace_leave(&visit);
    return result;
}

int segment_visit(const struct segment *segment, visit_fn *fn, void *arg, struct err *err)
{
    auto_close int netns_fd = -1;

    if (segment_open(segment, &netns_fd, err) < 0)
        return -1;
    return visit_with_netlink(netns_fd, fn, arg, err);
}

int host_visit(struct host *host, visit_fn *fn, void *arg, struct err *err)
{
    pthread_mutex_lock(&host->lock);
    int result = visit_with_netlink(host->netns_fd, fn, arg, err);
    pthread_mutex_unlock(&host->lock);
    return result;
}
