/* tests/fuzz/fuzz_image_detect.c - foreign files. An input describes a sparse file, so that
 * formats with tables far behind their header stay small: 4 bytes of size, then pieces of
 * 4 bytes offset, 2 bytes length and the bytes; the rest is zeros. Numbers are little endian. */
#include "fuzz.h"
#include "drivers/storage/directory/image_detect.h"
#include <stdlib.h>
#include <string.h>

enum { FILE_SIZE_MAX = 4 << 20 };

struct file {
    uint8_t *bytes;
    int64_t size;
};

static uint32_t number(const uint8_t *at, int width)
{
    uint32_t value = 0;

    for (int i = 0; i < width; i++)
        value |= (uint32_t)at[i] << 8 * i;
    return value;
}

static void build(const uint8_t *input, size_t size, struct file *file)
{
    file->size = number(input, 4) % FILE_SIZE_MAX;
    file->bytes = calloc(1, (size_t)file->size + 1);
    assert(file->bytes);
    for (size_t at = 4; at + 6 <= size;) {
        int64_t offset = number(input + at, 4);
        size_t length = number(input + at + 4, 2);

        at += 6;
        if (length > size - at)
            length = size - at;
        if (offset + (int64_t)length <= file->size)
            memcpy(file->bytes + offset, input + at, length);
        at += length;
    }
}

static int read_file(void *arg, int64_t offset, void *to, size_t count, struct err *err)
{
    const struct file *file = arg;

    assert(offset >= 0 && offset <= file->size && count <= (size_t)(file->size - offset));
    memcpy(to, file->bytes + offset, count);
    return 0;
}

static void check_found(const struct image_bytes *bytes, const struct image_found *found)
{
    bool is_disk = found->format != IMAGE_BUNDLE && !image_format_is_compressed(found->format);
    const struct file *file = bytes->arg;
    struct err err = { 0 };

    assert(found->format < IMAGE_FORMAT_COUNT);
    assert(is_disk ? found->virtual_bytes > 0 && found->virtual_bytes % 512 == 0
                   : found->virtual_bytes == 0);
    if (found->format == IMAGE_QCOW2) /* no backing file, no encryption, no data file */
        for (int i = 0; i < 12; i++)
            assert(file->bytes[8 + i] == 0);
    if (image_check_whole(bytes, found->format, &err) < 0)
        assert(err.code == ERR_INVALID && err.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct file file;
    struct image_bytes bytes = { .read = read_file, .arg = &file };
    struct image_found found;
    struct err err = { 0 };

    if (size < 4)
        return 0;
    build(input, size, &file);
    bytes.size = file.size;
    if (image_detect(&bytes, &found, &err) == 0)
        check_found(&bytes, &found);
    else
        assert(err.code == ERR_INVALID && err.text[0]);
    free(file.bytes);
    return 0;
}
