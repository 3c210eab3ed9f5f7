/* drivers/storage/directory/import_program.h - how the driver talks to virga-import.
 *
 *   virga-import decompress gzip|xz|zstd LOGICAL_MAX WRITTEN_MAX
 *       descriptor 3: the compressed file, 4: what is in it
 *   virga-import unbundle LOGICAL_MAX WRITTEN_MAX
 *       3: a tar archive, 4: its image.json, 5: disk, 6: kernel, 7: initrd
 *
 * Zeros are left as holes: LOGICAL_MAX bounds each file's size, WRITTEN_MAX the bytes written
 * in all. On failure the last line on standard error says why. */
#pragma once

enum import_exit {
    IMPORT_EXIT_FAILED = 1,    /* what was read is damaged or not allowed */
    IMPORT_EXIT_TOO_LARGE = 3, /* more than LOGICAL_MAX */
    IMPORT_EXIT_NO_SPACE = 4,  /* more than WRITTEN_MAX, or the disk is full */
};
