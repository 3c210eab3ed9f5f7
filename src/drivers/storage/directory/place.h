/* drivers/storage/directory/place.h - where things lie, and how a thing appears and goes whole.
 *
 *   POOL/UID/disk.qcow2 volume.json          a volume
 *   IMAGES/UID/disk.qcow2 | disk.iso, kernel, initrd, image.json
 *   IMAGES/.staging/UID/                     a download or an upload, kept for going on
 *   IMAGES/.seeds/UID.iso                    cloud-init seeds, mode 0600
 *   POOL/.work/, IMAGES/.work/               folders being made or removed
 *
 * A folder is made below .work and renamed into place; it is removed by renaming it back and
 * emptying it there. What a killed daemon left in .work carries another session's mark and is
 * swept. All folders are 0700: processes without privileges get descriptors, not paths. */
#pragma once
#include "base/err.h"
#include "drivers/storage.h"
#include <stdatomic.h>

enum { SESSION_SIZE = 13 };

/* The settings of an open driver. Constant while it is open, so that threads may read it. */
struct place {
    char *image_dir;
    char *import_program;
    uid_t convert_uid;
    int64_t retry_ms;           /* first pause between tries of a download */
    char session[SESSION_SIZE]; /* marks what this opening of the driver makes below .work */
    atomic_uint work_count;
};

/* Uids become file names: lower-case letters, digits and '-', 1 to 39 of them. */
int place_check_uid(const char *uid, struct err *err);

/* Paths, owned by the caller. */
char *place_volume(const char *pool, const char *uid, const char *file); /* file NULL: the folder */
char *place_image(const struct place *place, const char *uid, const char *file);
char *place_staging(const struct place *place, const char *uid, const char *file);
char *place_seed(const struct place *place, const char *uid);

/* A name below 'parent'/.work that nothing else has; owned by the caller. */
char *place_work_path(struct place *place, const char *parent, const char *uid);
/* A new, empty folder below 'parent'/.work, which must be there, for 'uid'; NULL on failure.
 * Blocking, as all that follows. */
char *place_work_make(struct place *place, const char *parent, const char *uid, struct err *err);
/* Syncs the files of 'work' named in 'files' (NULL-terminated) and the folder, and gives it the
 * name parent/uid. ERR_ALREADY_EXISTS when that is taken. */
int place_commit(const char *parent, const char *uid, const char *work, const char *const *files,
                 struct err *err);
/* Removes parent/uid; absent is fine. A crash midway leaves it whole or in .work. */
int place_remove(struct place *place, const char *parent, const char *uid, struct err *err);
/* Removes what earlier sessions left below 'parent'/.work. */
int place_sweep(const struct place *place, const char *parent, struct err *err);

/* Names of the folders in 'parent' that are uids, added to a NULL-terminated array that
 * compute_uids_free() frees. '*uids' may be NULL. */
void place_list(const char *parent, char ***uids);

/* Free bytes of the file system of 'path', less a reserve that imports leave to the volumes. */
int place_free_bytes(const char *path, int64_t *ret_bytes, struct err *err);

/* ERR_UNAVAILABLE while any process has the file open for writing, where that can be told.
 * 'fd' is read-only. */
int place_check_no_writer(int fd, struct err *err);
