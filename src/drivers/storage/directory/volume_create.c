/* drivers/storage/directory/volume_create.c - making volumes: blank, on an image or another volume,
 * as a copy. */
#include "base/auto.h"
#include "base/fault.h"
#include "base/files.h"
#include "base/json.h"
#include "drivers/storage/directory/image_file.h"
#include "drivers/storage/directory/image_formats.h"
#include "drivers/storage/directory/image_meta.h"
#include "drivers/storage/directory/qcow2_new.h"
#include "drivers/storage/directory/volume.h"
#include "drivers/storage/directory/volume_copy.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FACTS_SIZE_MAX = 4096,
    PAGE = 4096,
};

static const char *const volume_files[] = { "disk.qcow2", "volume.json", NULL };

int64_t volume_round_size(int64_t size_bytes)
{
    if (size_bytes > INT64_MAX - SECTOR_SIZE)
        return size_bytes;
    return (size_bytes + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
}

/* --- facts --- */

static int read_size(const char *pool, const char *uid, struct volume_facts *facts, struct err *err)
{
    auto_free char *path = place_volume(pool, uid, "disk.qcow2");
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct image_bytes bytes;
    struct stat found;

    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (fstat(fd, &found) < 0)
        return err_errno(err, "stat %s", path);
    facts->allocated_bytes = (int64_t)found.st_blocks * 512;
    if (image_file_bytes(&fd, &bytes, err) < 0 ||
        qcow2_check_volume(&bytes, &facts->size_bytes, err) < 0) {
        err->code = ERR_IO; /* a damaged disk, not a bad request */
        return err_wrap(err, "%s", path);
    }
    return 0;
}

int volume_facts_read(const char *pool, const char *uid, struct volume_facts *ret_facts,
                      struct err *err)
{
    auto_free char *path = place_volume(pool, uid, "volume.json");
    auto_buf struct buf text = { 0 };
    auto_json json_t *object = NULL;
    struct volume_facts facts = { 0 };

    if (place_check_uid(uid, err) < 0)
        return -1;
    if (file_read(path, FACTS_SIZE_MAX, &text, err) < 0)
        return err->code == ERR_NOT_FOUND
                   ? err_set(err, ERR_NOT_FOUND, "volume %s does not exist", uid)
                   : -1;
    object = json_parse(text.bytes ? text.bytes : "", text.size, err);
    if (!object) {
        err->code = ERR_IO;
        return err_wrap(err, "%s", path);
    }
    snprintf(facts.image_uid, sizeof facts.image_uid, "%s", json_text_at(object, "image", ""));
    snprintf(facts.parent_uid, sizeof facts.parent_uid, "%s", json_text_at(object, "parent", ""));
    if ((facts.image_uid[0] && place_check_uid(facts.image_uid, err) < 0) ||
        (facts.parent_uid[0] && place_check_uid(facts.parent_uid, err) < 0))
        return err_wrap(err, "%s", path);
    if (read_size(pool, uid, &facts, err) < 0)
        return -1;
    *ret_facts = facts;
    return 0;
}

/* Synced with all else when the folder gets its name. */
static int write_facts(const struct volume_facts *facts, const char *work, struct err *err)
{
    auto_free char *path = str_printf("%s/volume.json", work);
    auto_json json_t *object = json_object();
    auto_free char *text = NULL;

    if (facts->image_uid[0])
        json_set_at(object, "image", json_string(facts->image_uid));
    if (facts->parent_uid[0])
        json_set_at(object, "parent", json_string(facts->parent_uid));
    text = json_text(object);
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, "create %s", path);
    return write_all(fd, text, strlen(text), err);
}

/* --- blank, on an image, on a volume --- */

/* Leaves pages of zeros as holes. -1 and errno. */
static int write_pages(int fd, const struct buf *bytes)
{
    static const char zeros[PAGE];

    for (size_t at = 0; at < bytes->size; at += PAGE) {
        size_t size = bytes->size - at < PAGE ? bytes->size - at : PAGE;
        ssize_t written = (ssize_t)size;

        if (memcmp(bytes->bytes + at, zeros, size) != 0)
            written = pwrite(fd, bytes->bytes + at, size, (off_t)at);
        if (written >= 0 && (size_t)written != size)
            errno = ENOSPC; /* a short write to a file: the next one would say so */
        if (written < 0 || (size_t)written != size)
            return -1;
    }
    return 0;
}

static int make_thin(const struct op *op, const char *work, struct err *err)
{
    auto_free char *path = str_printf("%s/disk.qcow2", work);
    auto_free char *backing = op->image_uid    ? place_image(op->place, op->image_uid, "disk.qcow2")
                              : op->parent_uid ? place_volume(op->pool, op->parent_uid, "disk.qcow2")
                                               : NULL;
    const struct qcow2_new disk = { .size_bytes = op->size, .backing = backing };
    auto_buf struct buf head = { 0 };
    int64_t file_bytes;

    if (qcow2_new(&disk, &head, &file_bytes, err) < 0)
        return -1;
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, "create %s", path);
    if (write_pages(fd, &head) < 0 || ftruncate(fd, file_bytes) < 0 || fchmod(fd, VOLUME_MODE) < 0)
        return err_errno(err, "create %s", path);
    return 0;
}

/* --- deciding --- */

/* The volume that it begins as, in whatever way; NULL: none. */
static const char *source_uid(const struct op *op)
{
    return op->volume_uid ? op->volume_uid : op->parent_uid ? op->parent_uid : op->twin_uid;
}

/* The least size the volume can have: that of what it begins with. */
static int least_size(const struct op *op, int64_t *ret_bytes, struct err *err)
{
    *ret_bytes = 0;
    if (op->image_uid) {
        struct image_meta meta;

        if (image_meta_read(op->place, op->image_uid, &meta, err) < 0)
            return -1;
        if (meta.info.is_cdrom)
            return err_set(err, ERR_INVALID, "image %s is a CD-ROM and can't be a disk",
                           op->image_uid);
        *ret_bytes = meta.info.virtual_bytes;
    } else if (source_uid(op)) {
        struct volume_facts facts;

        if (volume_facts_read(op->pool, source_uid(op), &facts, err) < 0)
            return -1;
        *ret_bytes = facts.size_bytes;
    }
    return 0;
}

static int decide_size(struct op *op, struct err *err)
{
    int64_t least;

    if (least_size(op, &least, err) < 0)
        return -1;
    if (op->size == 0)
        op->size = least;
    op->size = volume_round_size(op->size);
    if (op->size <= 0)
        return err_set(err, ERR_INVALID, "a volume needs a size");
    if (op->size < least)
        return err_set(err, ERR_INVALID,
                       "%" PRId64 " bytes are less than the %" PRId64 " that it begins with",
                       op->size, least);
    return 0;
}

/* What it is to stand on. */
static int find_ground(const struct op *op, struct volume_facts *ret_facts, struct err *err)
{
    struct volume_facts from = { 0 };

    *ret_facts = (struct volume_facts){ 0 };
    if (op->image_uid)
        snprintf(ret_facts->image_uid, sizeof ret_facts->image_uid, "%s", op->image_uid);
    if (!op->parent_uid && !op->twin_uid)
        return 0;
    if (volume_facts_read(op->pool, source_uid(op), &from, err) < 0)
        return -1;
    memcpy(ret_facts->image_uid, from.image_uid, sizeof from.image_uid);
    if (op->parent_uid)
        snprintf(ret_facts->parent_uid, sizeof ret_facts->parent_uid, "%s", op->parent_uid);
    else
        memcpy(ret_facts->parent_uid, from.parent_uid, sizeof from.parent_uid);
    return 0;
}

static bool is_on_what_was_asked(const struct op *op, const struct volume_facts *facts)
{
    if (op->twin_uid)
        return true; /* on what the other stood on then */
    if (op->parent_uid)
        return str_equal(facts->parent_uid, op->parent_uid);
    return str_equal(facts->image_uid, op->image_uid ? op->image_uid : "") && !facts->parent_uid[0];
}

/* 1: there as asked for, 0: not there. */
static int find_existing(const struct op *op, struct err *err)
{
    struct volume_facts facts;

    if (volume_facts_read(op->pool, op->uid, &facts, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    if ((op->size != 0 && facts.size_bytes != volume_round_size(op->size)) || !is_on_what_was_asked(op, &facts))
        return err_set(err, ERR_ALREADY_EXISTS,
                       "volume %s exists with another size or on another image", op->uid);
    return 1;
}

static int check_depth(const struct op *op, struct err *err)
{
    auto_volume_chain struct volume_chain chain = { 0 };

    if (!op->parent_uid)
        return 0;
    if (volume_chain_read(op->place, op->pool, op->parent_uid, &chain, err) < 0)
        return -1;
    if (chain.count == DISK_CHAIN_MAX)
        return err_set(err, ERR_TOO_LARGE, "volume %s stands on %d others already", op->parent_uid,
                       DISK_CHAIN_MAX - 1);
    return 0;
}

static int fill(const struct op *op, const char *work, struct err *err)
{
    struct volume_facts facts;
    int result = find_ground(op, &facts, err);

    if (result == 0)
        result = op->volume_uid ? volume_copy(op, work, err)
                 : op->twin_uid ? volume_twin(op, work, err)
                                : make_thin(op, work, err);
    fault_point("storage.before_volume_facts");
    if (result < 0 || write_facts(&facts, work, err) < 0)
        return -1;
    return place_commit(op->pool, op->uid, work, volume_files, err);
}

int volume_create_work(struct op *op, struct err *err)
{
    auto_free char *work = NULL;
    struct err unseen;
    int existing;

    if (cancel_check(&op->cancel, err) < 0 || place_check_uid(op->uid, err) < 0)
        return -1;
    existing = find_existing(op, err);
    if (existing != 0)
        return existing < 0 ? -1 : 0;
    if (decide_size(op, err) < 0 || check_depth(op, err) < 0)
        return -1;
    work = place_work_make(op->place, op->pool, op->uid, err);
    if (!work)
        return -1;
    fault_point("storage.volume_work");
    if (fill(op, work, err) == 0)
        return 0;
    (void)dir_remove(work, &unseen); /* else swept at the next opening */
    return err_wrap(err, "volume %s", op->uid);
}
