/* tests/contract/storage/rig.h - what the contract suite of the storage drivers stands on:
 * a driver, a loop, and ways to wait. One rig_*.c per driver fills in the first part. */
#pragma once
#include "contract/rig_call.h"
#include "drivers/storage.h"

struct rig {
    struct loop *loop;
    struct storage_driver *driver;
    struct storage_setup setup;
    struct storage_pool pool;
    int64_t image_bytes; /* virtual size of what rig_upload() uploads */
    char sha256[65];     /* and its checksum */
    void *own;           /* the driver's part */
};

/* --- by driver --- */

void rig_open(struct rig *rig);
void rig_close(struct rig *rig);
void rig_reopen(struct rig *rig); /* the daemon ends and comes back */
/* Uploads a whole disk image. */
void rig_upload(struct rig *rig, const char *uid);

/* --- for all --- */

void rig_upload_bytes(struct rig *rig, const char *uid, const void *bytes, size_t size);

struct wait {
    struct rig *rig;
    unsigned called;
    struct err err; /* ERR_NONE: success */
    struct pool_usage usage;
    struct volume_info volume;
    struct image_info image;
    int64_t progressed; /* bytes, as last told */
};
struct done wait_done(struct rig *rig, struct wait *wait);
void wait_usage(void *wait, const struct err *err, const struct pool_usage *usage);
void wait_volume(void *wait, const struct err *err, const struct volume_info *info);
void wait_image(void *wait, const struct err *err, const struct image_info *info);
void wait_progress(void *wait, const char *step, int64_t bytes, int64_t total);
/* Runs the loop until the call ends; fails the test after a minute of the loop's clock. */
void rig_wait(struct rig *rig, struct wait *wait);

#define RIG_DRIVER(rig) ((rig)->driver)
