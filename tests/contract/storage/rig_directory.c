/* tests/contract/storage/rig_directory.c - the contract suite on real files, with real qemu-img. */
#include "rig.h"
#include "base/auto.h"
#include "base/files.h"
#include "base/str.h"
#include "scratch.h"
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DISK_SIZE = 1 << 20, OTHER_USER = 61234 };

struct own {
    char *folder;
    char image_dir[128], pool[128];
    uint8_t disk[DISK_SIZE];
};

/* Something in some clusters, zeros in the rest. */
static void fill_disk(struct own *own, char sha256[65])
{
    uint8_t digest[32];

    for (size_t i = 0; i < DISK_SIZE; i += 100 * 1024)
        memset(own->disk + i, (int)(i / 1024 + 1), 777);
    CHECK_EQ(gnutls_hash_fast(GNUTLS_DIG_SHA256, own->disk, DISK_SIZE, digest), 0);
    for (int i = 0; i < 32; i++)
        snprintf(sha256 + 2 * i, 3, "%02x", digest[i]);
}

void rig_open(struct rig *rig)
{
    struct own *own;
    struct err err = { 0 };

    if (geteuid() != 0)
        skip();
    own = calloc(1, sizeof *own);
    own->folder = scratch_new();
    snprintf(own->image_dir, sizeof own->image_dir, "%s/images", own->folder);
    snprintf(own->pool, sizeof own->pool, "%s/pool", own->folder);
    *rig = (struct rig){ .own = own, .image_bytes = DISK_SIZE };
    fill_disk(own, rig->sha256);
    rig->loop = loop_new(&err);
    CHECK(rig->loop);
    rig->pool = (struct storage_pool){ .type = "Directory", .path = own->pool };
    rig->setup = (struct storage_setup){ .loop = rig->loop,
                                         .image_dir = own->image_dir,
                                         .convert_uid = OTHER_USER,
                                         .import_program = getenv("VIRGA_IMPORT") };
    rig->driver = storage_directory.open(&rig->setup, &err);
    CHECK_STR(err.text, "");
}

/* Nothing half-made may be left when a test is through. */
static void check_work_is_empty(const char *folder)
{
    auto_free char *path = str_printf("%s/.work", folder);

    if (access(path, F_OK) == 0)
        CHECK_EQ(rmdir(path), 0);
}

void rig_close(struct rig *rig)
{
    struct own *own = rig->own;

    rig->driver->ops->close(rig->driver);
    check_work_is_empty(own->image_dir);
    check_work_is_empty(own->pool);
    scratch_remove(own->folder);
    loop_free(rig->loop);
    free(own);
}

void rig_reopen(struct rig *rig)
{
    struct err err = { 0 };

    rig->driver->ops->close(rig->driver);
    rig->driver = storage_directory.open(&rig->setup, &err);
    CHECK_STR(err.text, "");
}

void rig_upload(struct rig *rig, const char *uid)
{
    struct own *own = rig->own;

    rig_upload_bytes(rig, uid, own->disk, DISK_SIZE);
}
