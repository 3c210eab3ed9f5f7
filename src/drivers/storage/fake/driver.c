/* drivers/storage/fake/driver.c - the fake as a driver of its family. */
#include "base/mem.h"
#include "drivers/storage/fake/disks.h"
#include <stdlib.h>

struct storage_driver *storage_fake_open(struct storage_fake *disks,
                                         const struct storage_setup *setup)
{
    struct fake_driver *fake = mem_new(struct fake_driver);

    fake->base.ops = &storage_fake;
    fake->loop = setup->loop;
    fake->disks = disks;
    fake->image_dir = str_dup(setup->image_dir);
    disks->open_count++;
    return &fake->base;
}

static struct storage_driver *open_own(const struct storage_setup *setup, struct err *err)
{
    struct storage_driver *driver = storage_fake_open(storage_fake_new(), setup);

    (void)err;
    fake_of(driver)->owns_disks = true;
    return driver;
}

static void close_fake(struct storage_driver *driver)
{
    struct fake_driver *fake = fake_of(driver);

    if (!driver)
        return;
    fake_ops_crash(fake);
    fake->disks->open_count--;
    if (fake->owns_disks)
        storage_fake_free(fake->disks);
    free(fake->image_dir);
    free(fake);
}

const struct storage_ops storage_fake = {
    .name = "fake",
    .open = open_own,
    .close = close_fake,
    .pool_ensure = fake_pool_ensure,
    .pool_read = fake_pool_read,
    .pool_list = fake_pool_list,
    .volume_create = fake_volume_create,
    .volume_read = fake_volume_read,
    .volume_grow = fake_volume_grow,
    .volume_remove = fake_volume_remove,
    .volume_source = fake_volume_source,
    .volume_vars = fake_volume_vars,
    .image_import = fake_image_import,
    .image_cancel = fake_image_cancel,
    .image_upload = fake_image_upload,
    .image_read = fake_image_read,
    .image_boot = fake_image_boot,
    .image_remove = fake_image_remove,
    .image_list = fake_image_list,
    .seed_write = fake_seed_write,
    .seed_source = fake_seed_source,
    .seed_remove = fake_seed_remove,
};
