/* drivers/storage/storage.c - values that travel from the storage drivers. */
#include "drivers/storage.h"
#include <stdlib.h>

void image_boot_done(struct image_boot *boot)
{
    free(boot->kernel);
    free(boot->initrd);
    free(boot->command_line);
    disk_source_done(&boot->source);
    *boot = (struct image_boot){ 0 };
}
