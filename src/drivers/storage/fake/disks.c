/* drivers/storage/fake/disks.c - the imagined disks, and what tests ask of them. */
#include "drivers/storage/fake/disks.h"
#include "base/mem.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void volume_free(void *value)
{
    struct fake_volume *volume = value;

    free(volume->pool);
    free(volume->uid);
    free(volume);
}

static void staged_free(void *value)
{
    struct fake_staged *staged = value;

    if (staged->upload_fd >= 0)
        close(staged->upload_fd);
    free(staged);
}

struct storage_fake *storage_fake_new(void)
{
    struct storage_fake *disks = mem_new(struct storage_fake);

    disks->settings = (struct storage_fake_settings){
        .delay_ms_max = 50,
        .import_ms_max = 5000,
        .capacity_bytes = INT64_C(1) << 40,
        .image_bytes = INT64_C(1) << 30,
    };
    disks->volumes = map_new(volume_free);
    disks->images = map_new(free);
    disks->staged = map_new(staged_free);
    disks->seeds = map_new(free);
    return disks;
}

void storage_fake_free(struct storage_fake *disks)
{
    if (!disks)
        return;
    assert(disks->open_count == 0);
    map_free(disks->volumes);
    map_free(disks->images);
    map_free(disks->staged);
    map_free(disks->seeds);
    free(disks->violation);
    free(disks);
}

void storage_fake_set(struct storage_fake *disks, const struct storage_fake_settings *settings)
{
    disks->settings = *settings;
}

struct storage_fake_settings storage_fake_settings(const struct storage_fake *disks)
{
    return disks->settings;
}

void storage_fake_watch_use(struct storage_fake *disks, storage_fake_in_use_fn *fn, void *arg)
{
    disks->in_use = fn;
    disks->in_use_arg = arg;
}

bool fake_is_in_use(const struct storage_fake *disks, const char *path)
{
    return disks->in_use && disks->in_use(disks->in_use_arg, path);
}

const char *storage_fake_violation(const struct storage_fake *disks) { return disks->violation; }

void fake_violation(struct storage_fake *disks, const char *format, ...)
{
    va_list args;

    if (disks->violation)
        return;
    va_start(args, format);
    disks->violation = str_vprintf(format, args);
    va_end(args);
}

struct fake_volume *fake_volume_get(const struct storage_fake *disks, const char *pool,
                                    const char *uid)
{
    auto_free char *key = str_printf("%s/%s", pool, uid);

    return map_get(disks->volumes, key);
}

struct fake_staged *fake_staged_make(struct storage_fake *disks, const char *uid)
{
    struct fake_staged *staged = map_get(disks->staged, uid);

    if (!staged) {
        staged = mem_new(struct fake_staged);
        staged->upload_fd = -1;
        map_set(disks->staged, uid, staged);
    }
    return staged;
}

int64_t fake_used_bytes(const struct storage_fake *disks, const char *pool)
{
    int64_t used = 0;
    const char *key;
    void *value;

    for (size_t at = 0; map_next(disks->volumes, &at, &key, &value);) {
        const struct fake_volume *volume = value;
        if (str_equal(volume->pool, pool))
            used += volume->allocated_bytes;
    }
    return used;
}

int fake_take_space(const struct storage_fake *disks, const char *folder, int64_t bytes,
                    struct err *err)
{
    const struct storage_fake_settings *settings = &disks->settings;
    int64_t available =
        settings->capacity_bytes - settings->foreign_bytes - fake_used_bytes(disks, folder);

    if (bytes > available)
        return err_set(err, ERR_NO_SPACE, "%s: no space left on device", folder);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_keys(char **lines, size_t *count, const struct map *things, const char *what)
{
    const char *key;
    void *value;

    for (size_t at = 0; map_next(things, &at, &key, &value);)
        lines[(*count)++] = str_printf("%s %s\n", what, key);
}

const char *storage_fake_seed(const struct storage_fake *disks, const char *instance_uid)
{
    return map_get(disks->seeds, instance_uid);
}

char *storage_fake_describe(const struct storage_fake *disks)
{
    size_t count = 0, all = map_count(disks->volumes) + map_count(disks->images) +
                            map_count(disks->staged) + map_count(disks->seeds);
    char **lines = mem_array(all + 1, sizeof *lines);
    struct buf text = { 0 };

    add_keys(lines, &count, disks->volumes, "volume");
    add_keys(lines, &count, disks->images, "image");
    add_keys(lines, &count, disks->staged, "staged");
    add_keys(lines, &count, disks->seeds, "seed");
    qsort(lines, count, sizeof *lines, by_text);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&text, lines[i]);
        free(lines[i]);
    }
    free(lines);
    return buf_take(&text);
}
