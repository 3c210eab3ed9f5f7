/* control/placement.h - what of this host is promised to instances. In memory, rebuilt at start
 * from status.host of the stored instances; a promise is made in the same call that stores it. */
#pragma once
#include "control/control.h"

struct room {
    double cpus;           /* with overcommit */
    int64_t memory_bytes;
};
struct promised {
    int64_t cpus, memory_bytes, instances;
};

/* What may be promised in all: capacity, reserve and overcommit of the Host object. */
struct room placement_allocatable(struct control *control);
struct room placement_capacity(struct control *control);
struct promised placement_promised(struct control *control);

/* The Host's spec may have changed: whoever waits for room looks again. */
void placement_host_seen(struct control *control, const json_t *host);
/* Promises so much to instance 'uid', instead of what it had. ERR_EXHAUSTED says what is missing
 * ("needs 4Gi memory, 1.2Gi of 7Gi free") and leaves it what it had. */
int placement_take(struct control *control, const char *uid, int64_t cpus, int64_t memory_bytes,
                   struct err *err);
/* Records what a stored instance already has, whatever there is room for. */
void placement_adopt(struct control *control, const char *uid, int64_t cpus, int64_t memory_bytes);
/* Gives back; wakes the instances that wait for room. */
void placement_give_back(struct control *control, const char *uid);
/* Has 'key' called again when room was given back. */
void placement_wait(struct control *control, const char *key);
