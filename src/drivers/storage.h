/* drivers/storage.h - the contract of where disks and images live (a directory; a fake).
 *
 * Everything is named by uid below a pool's or the image directory, so that a half-made
 * thing is found and finished or removed. Files appear under their final name only when
 * whole (temporary name, fsync, rename). All calls are idempotent: creating what exists
 * with the same size succeeds, removing what is absent succeeds. Untrusted content is only
 * ever opened by a child process without privileges and with limits. */
#pragma once
#include "base/done.h"
#include "base/loop.h"
#include "base/worker.h"
#include "drivers/compute.h"
#include <stdint.h>

struct storage_pool { /* which pool: borrowed texts */
    const char *type; /* "Directory" */
    const char *path;
};

struct pool_usage {
    int64_t capacity_bytes; /* of the file system below */
    int64_t available_bytes;
    int64_t used_bytes;     /* by our volumes, allocated */
};
typedef void pool_usage_fn(void *arg, const struct err *err, const struct pool_usage *usage);

struct volume_request {
    struct storage_pool pool;
    const char *uid;
    int64_t size_bytes;     /* rounded up to 512; 0: the size of the image or volume it begins as */
    const char *image_uid;  /* copy-on-write child of this image; NULL: blank */
    const char *volume_uid; /* full copy of this volume of the same pool; NULL: no */
    /* Copy-on-write child of this volume of the same pool, which must not change as long as the
     * child is there; NULL: no. ERR_TOO_LARGE: DISK_CHAIN_MAX files would stand on each other. */
    const char *parent_uid;
    /* The same once more: the file of this volume of the same pool as it is, standing on the same
     * image or parent. A machine may have it open if it stands still and has flushed. NULL: no.
     * 'size_bytes' is 0. */
    const char *twin_uid;
};
struct volume_info {
    bool exists;
    int64_t size_bytes;      /* as the guest sees it */
    int64_t allocated_bytes; /* on the file system */
    char image_uid[40];      /* image at the end of its chain, or "" */
    char parent_uid[40];     /* volume it is a child of, or "" */
};
typedef void volume_info_fn(void *arg, const struct err *err, const struct volume_info *info);

/* What an import found. */
struct image_info {
    char format[16];          /* "qcow2" "raw" "vmdk" "vhdx" "vdi" "iso" "bundle" */
    int64_t virtual_bytes;
    int64_t allocated_bytes;
    char sha256[65];          /* of the bytes as they came, lower-case hex */
    bool is_cdrom;            /* an ISO 9660 file system: kept raw, used as CD-ROM */
    bool has_kernel;          /* a bundle with direct kernel boot */
    char default_user[64];
    char os[64];
    bool guest_agent;
};
typedef void image_info_fn(void *arg, const struct err *err, const struct image_info *info);
/* 'step' is "Downloading", "Checking", "Unpacking" or "Converting"; 'total' 0: unknown. Called
 * at most a few times a second. */
typedef void image_progress_fn(void *arg, const char *step, int64_t bytes, int64_t total);

struct image_request {
    const char *uid;
    const char *url;         /* http(s); NULL: the staged upload */
    const char *sha256;      /* expected digest of the bytes as they come: "sha256:HEX", "sha512:HEX"
                              * or HEX alone; NULL: not checked */
    int64_t size_max;        /* of the download and of the virtual size; 0: what the disk has room for */
};

/* How to start an instance from an image. */
struct image_boot {
    char *kernel, *initrd, *command_line; /* NULL: by firmware */
    struct disk_source source;            /* the image itself, read-only (CD-ROM) */
};
void image_boot_done(struct image_boot *boot);

struct storage_setup {
    struct loop *loop;
    struct worker_pool *workers;
    const char *image_dir;   /* persistent */
    const char *run_dir;
    uid_t convert_uid;       /* unprivileged user for qemu-img and curl on foreign bytes */
    const char *import_program; /* path of virga-import; NULL: found beside the running program */
};

struct storage_driver {
    const struct storage_ops *ops;
};

struct storage_ops {
    const char *name;
    struct storage_driver *(*open)(const struct storage_setup *setup, struct err *err);
    /* Ends what is under way: each outstanding callback is called, from here, with ERR_CANCELLED. */
    void (*close)(struct storage_driver *driver);

    /* Makes the directory when absent. ERR_INVALID when it is no place for a pool. */
    void (*pool_ensure)(struct storage_driver *driver, const struct storage_pool *pool, struct done done);
    void (*pool_read)(struct storage_driver *driver, const struct storage_pool *pool,
                      pool_usage_fn *fn, void *arg);
    /* Uids of volumes in the pool; NULL-terminated; freed with compute_uids_free(). Blocking,
     * short: at start-up and in sweeps only. */
    char **(*pool_list)(struct storage_driver *driver, const struct storage_pool *pool);

    void (*volume_create)(struct storage_driver *driver, const struct volume_request *request,
                          struct done done);
    void (*volume_read)(struct storage_driver *driver, const struct storage_pool *pool,
                        const char *uid, volume_info_fn *fn, void *arg);
    /* Grows a volume that no machine has open. */
    void (*volume_grow)(struct storage_driver *driver, const struct storage_pool *pool,
                        const char *uid, int64_t size_bytes, struct done done);
    void (*volume_remove)(struct storage_driver *driver, const struct storage_pool *pool,
                          const char *uid, struct done done);
    /* Fills the chain of files for compute; pure path arithmetic plus a read of the header. */
    int (*volume_source)(struct storage_driver *driver, const struct storage_pool *pool,
                         const char *uid, struct disk_source *ret_source, struct err *err);
    /* Where the UEFI variables of a machine that boots from this volume are kept: beside it, so
     * that they stay and go with it. Pure path arithmetic; the caller frees the text. */
    char *(*volume_vars)(struct storage_driver *driver, const struct storage_pool *pool,
                         const char *uid);

    /* Fetches (url, resuming what is there) or takes the finished upload, checks, converts to
     * qcow2 and puts in place. Idempotent after a crash. One import per uid at a time. */
    void (*image_import)(struct storage_driver *driver, const struct image_request *request,
                         image_progress_fn *progress, image_info_fn *fn, void *arg);
    /* Ends a running import with ERR_CANCELLED, soon, and forgets what was staged. */
    void (*image_cancel)(struct storage_driver *driver, const char *uid);
    /* A descriptor to append uploaded bytes to; '*ret_offset' is what is there already. */
    int (*image_upload)(struct storage_driver *driver, const char *uid, int *ret_fd,
                        int64_t *ret_offset, struct err *err);
    /* Read again what an import found; exists=false is ERR_NOT_FOUND. */
    void (*image_read)(struct storage_driver *driver, const char *uid, image_info_fn *fn, void *arg);
    int (*image_boot)(struct storage_driver *driver, const char *uid, struct image_boot *ret_boot,
                      struct err *err);
    void (*image_remove)(struct storage_driver *driver, const char *uid, struct done done);
    /* Uids of images and of unfinished imports and uploads, as pool_list. */
    char **(*image_list)(struct storage_driver *driver);

    /* Writes the cloud-init seed (NoCloud ISO 9660, label cidata) for an instance, replacing the
     * one there is. Kept over a reboot of the host. Its content is secret: mode 0600. The texts
     * are borrowed; network_config may be NULL. */
    void (*seed_write)(struct storage_driver *driver, const char *instance_uid,
                       const char *meta_data, const char *user_data, const char *network_config,
                       struct done done);
    int (*seed_source)(struct storage_driver *driver, const char *instance_uid,
                       struct disk_source *ret_source, struct err *err);
    void (*seed_remove)(struct storage_driver *driver, const char *instance_uid, struct done done);
};
void disk_source_done(struct disk_source *source);

extern const struct storage_ops storage_directory;
