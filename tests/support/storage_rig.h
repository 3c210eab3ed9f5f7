/* tests/support/storage_rig.h - an open directory driver in a folder of its own, for root. */
#pragma once
#include "check.h"
#include "drivers/storage.h"
#include "base/str.h"

struct storage_rig {
    char *folder; /* holds "images" and "pool" */
    struct loop *loop;
    struct storage_setup setup;
    struct storage_pool pool;
    struct storage_driver *driver;
};

/* Skips the test when not root. 'parent' NULL: /tmp. */
void storage_rig_open(struct storage_rig *rig, const char *parent);
/* Also checks that nothing half-made is left. */
void storage_rig_close(struct storage_rig *rig);
void storage_rig_reopen(struct storage_rig *rig);

/* The result of one call. */
struct storage_answer {
    struct storage_rig *rig;
    unsigned called;
    struct err err;
    struct image_info image;
    unsigned progress_count;
};
void storage_answer_done(void *answer, const struct err *err);
void storage_answer_image(void *answer, const struct err *err, const struct image_info *info);
void storage_answer_progress(void *answer, const char *step, int64_t bytes, int64_t total);
/* Runs the loop until the call ends; fails the test after a minute. */
void storage_rig_wait(struct storage_rig *rig, struct storage_answer *answer);

void storage_rig_upload(struct storage_rig *rig, const char *uid, const void *bytes, size_t size);
void storage_rig_upload_file(struct storage_rig *rig, const char *uid, const char *path);
struct storage_answer storage_rig_import(struct storage_rig *rig,
                                         const struct image_request *request);

/* Runs a shell command and checks that it succeeds. */
void run_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Waits until the file, which is there, has at least so many bytes; fails the test after 20 seconds. */
void wait_for_size(const char *path, int64_t size);
/* Names below the folder, sorted, one a line, "NAME" or "NAME/" for folders, with what is in
 * them; the caller frees it. */
char *list_files(const char *folder);
