/* tests/contract/storage/rig_fake.c - the contract suite on the fake. */
#include "rig.h"
#include "drivers/storage/fake/fake.h"

void rig_open(struct rig *rig)
{
    struct storage_fake *disks = storage_fake_new();
    struct storage_fake_settings settings = storage_fake_settings(disks);

    *rig = (struct rig){ .loop = loop_sim_new(11), .own = disks, .image_bytes = 1 << 20 };
    settings.image_bytes = rig->image_bytes;
    storage_fake_set(disks, &settings);
    storage_fake_sha256(NULL, rig->sha256);
    rig->pool = (struct storage_pool){ .type = "Directory", .path = "/pool" };
    rig->setup = (struct storage_setup){ .loop = rig->loop, .image_dir = "/images" };
    rig->driver = storage_fake_open(disks, &rig->setup);
}

void rig_close(struct rig *rig)
{
    rig->driver->ops->close(rig->driver);
    CHECK_STR(storage_fake_violation(rig->own), NULL);
    storage_fake_free(rig->own);
    loop_free(rig->loop);
}

void rig_reopen(struct rig *rig)
{
    rig->driver->ops->close(rig->driver);
    rig->driver = storage_fake_open(rig->own, &rig->setup);
}

void rig_upload(struct rig *rig, const char *uid) { rig_upload_bytes(rig, uid, "disk", 4); }
