/* drivers/storage/directory/image_meta.c - image.json: its presence says that all is there. */
#include "drivers/storage/directory/image_meta.h"
#include "base/files.h"
#include "base/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { META_SIZE_MAX = 64 * 1024 };

const char *image_meta_disk(const struct image_meta *meta)
{
    return meta->info.is_cdrom ? "disk.iso" : "disk.qcow2";
}

int image_meta_write(const char *work, const struct image_meta *meta, struct err *err)
{
    const struct image_info *info = &meta->info;
    auto_free char *path = str_printf("%s/image.json", work);
    auto_json json_t *object = json_object();
    auto_free char *text = NULL;

    json_set_at(object, "format", json_string(info->format));
    json_set_at(object, "virtualBytes", json_integer(info->virtual_bytes));
    json_set_at(object, "allocatedBytes", json_integer(info->allocated_bytes));
    json_set_at(object, "sha256", json_string(info->sha256));
    json_set_at(object, "cdrom", json_boolean(info->is_cdrom));
    json_set_at(object, "kernel", json_boolean(info->has_kernel));
    json_set_at(object, "initrd", json_boolean(meta->has_initrd));
    json_set_at(object, "commandLine", json_string(meta->command_line));
    json_set_at(object, "defaultUser", json_string(info->default_user));
    json_set_at(object, "os", json_string(info->os));
    json_set_at(object, "guestAgent", json_boolean(info->guest_agent));
    text = json_text(object);
    return file_write_atomic(path, text, strlen(text), 0600, err);
}

static void copy_text(const json_t *object, const char *path, char *to, size_t size)
{
    snprintf(to, size, "%s", json_text_at(object, path, ""));
}

static void decode(const json_t *object, struct image_meta *meta)
{
    struct image_info *info = &meta->info;

    *meta = (struct image_meta){ 0 };
    copy_text(object, "format", info->format, sizeof info->format);
    info->virtual_bytes = json_int_at(object, "virtualBytes", 0);
    info->allocated_bytes = json_int_at(object, "allocatedBytes", 0);
    copy_text(object, "sha256", info->sha256, sizeof info->sha256);
    info->is_cdrom = json_bool_at(object, "cdrom", false);
    info->has_kernel = json_bool_at(object, "kernel", false);
    meta->has_initrd = json_bool_at(object, "initrd", false);
    copy_text(object, "commandLine", meta->command_line, sizeof meta->command_line);
    copy_text(object, "defaultUser", info->default_user, sizeof info->default_user);
    copy_text(object, "os", info->os, sizeof info->os);
    info->guest_agent = json_bool_at(object, "guestAgent", false);
}

int image_meta_read(const struct place *place, const char *uid, struct image_meta *ret_meta,
                    struct err *err)
{
    auto_free char *path = place_image(place, uid, "image.json");
    auto_buf struct buf text = { 0 };
    auto_json json_t *object = NULL;

    if (place_check_uid(uid, err) < 0)
        return -1;
    if (file_read(path, META_SIZE_MAX, &text, err) < 0)
        return err->code == ERR_NOT_FOUND
                   ? err_set(err, ERR_NOT_FOUND, "image %s does not exist", uid)
                   : -1;
    object = json_parse(text.bytes ? text.bytes : "", text.size, err);
    if (!object) {
        err->code = ERR_IO; /* ours, and damaged: nothing the user sent */
        return err_wrap(err, "%s", path);
    }
    decode(object, ret_meta);
    return 0;
}
