/* drivers/storage/fake/fake.h - disks and images that exist in memory only: for simulations,
 * and for running the whole daemon where no disk is wanted.
 *
 * The imagined disks belong to a 'struct storage_fake' that outlives the drivers opened on
 * it, as real disks outlive a daemon. Delays and failures are drawn from the loop's seeded
 * randomness. A call that fails may have done its work nevertheless, as a real one may. */
#pragma once
#include "base/auto.h"
#include "drivers/storage.h"

struct storage_fake;

struct storage_fake *storage_fake_new(void);
/* All drivers opened on it must be closed. NULL is fine. */
void storage_fake_free(struct storage_fake *disks);
DEFINE_AUTO(struct storage_fake, storage_fake_free)

struct storage_fake_settings {
    int64_t delay_ms_max;   /* each operation takes between 1 ms and this; default 50 */
    int64_t import_ms_max;  /* an import instead of it; default 5000 */
    unsigned fail_one_in;   /* a step fails with ERR_IO once in so many, on average; 0: never */
    int64_t capacity_bytes; /* of each pool and of the image folder; default 1 TiB */
    int64_t foreign_bytes;  /* of those, taken by others: raise it to fill the disk */
    int64_t image_bytes;    /* virtual size of every image; default 1 GiB */
};
void storage_fake_set(struct storage_fake *disks, const struct storage_fake_settings *settings);
struct storage_fake_settings storage_fake_settings(const struct storage_fake *disks);

/* Opens a driver on 'disks', to be used as one from ops->open(). close() applies some of the
 * work that is under way, at random, as a crash would leave it. */
struct storage_driver *storage_fake_open(struct storage_fake *disks,
                                         const struct storage_setup *setup);

/* As any driver; its open() makes disks of its own, which close() forgets. */
extern const struct storage_ops storage_fake;

/* What a URL holds is read from its text: "missing" answers 404, "corrupt" is no image,
 * ".iso" is a CD-ROM, "bundle" has a kernel; all else is a qcow2 image. An
 * upload that begins with "corrupt" is no image either. */

/* The checksum that the bytes at 'url' have; NULL: those of an upload. */
void storage_fake_sha256(const char *url, char to[65]);

/* Says whether a machine has this file open; asked when a file is removed or grown. */
typedef bool storage_fake_in_use_fn(void *arg, const char *path);
void storage_fake_watch_use(struct storage_fake *disks, storage_fake_in_use_fn *fn, void *arg);

/* The first thing done that no correct caller does (a volume removed or grown while a machine
 * has it open, an image removed below a volume), or NULL. Borrowed. */
const char *storage_fake_violation(const struct storage_fake *disks);

/* One line for each volume, image, staged import and seed, sorted; "" when nothing is left.
 * The caller frees it. */
char *storage_fake_describe(const struct storage_fake *disks);
/* A machine that has this file of a volume open has grown it. */
void storage_fake_grown(struct storage_fake *disks, const char *path, int64_t size_bytes);

/* What was written to a seed: "meta-data: ...\nuser-data: ...\nnetwork-config: ...\n". NULL when
 * there is none. Borrowed until the next call. */
const char *storage_fake_seed(const struct storage_fake *disks, const char *instance_uid);
