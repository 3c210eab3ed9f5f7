/* tests/support/storage_rig.c - an open directory driver in a folder of its own. */
#include "storage_rig.h"
#include "base/files.h"
#include "drivers/storage/directory/directory.h"
#include "scratch.h"
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OTHER_USER = 61234, WAIT_MS_MAX = 60 * 1000 };

static void open_driver(struct storage_rig *rig)
{
    struct err err = { 0 };

    rig->driver = storage_directory.open(&rig->setup, &err);
    CHECK_STR(err.text, "");
    directory_of(rig->driver)->place.retry_ms = 1;
}

void storage_rig_open(struct storage_rig *rig, const char *parent)
{
    struct err err = { 0 };

    if (geteuid() != 0)
        skip();
    *rig = (struct storage_rig){ 0 };
    rig->folder = scratch_new_in(parent ? parent : "/tmp");
    rig->loop = loop_new(&err);
    CHECK(rig->loop);
    rig->setup = (struct storage_setup){ .loop = rig->loop,
                                         .image_dir = str_printf("%s/images", rig->folder),
                                         .convert_uid = OTHER_USER,
                                         .import_program = getenv("VIRGA_IMPORT") };
    rig->pool =
        (struct storage_pool){ .type = "Directory", .path = str_printf("%s/pool", rig->folder) };
    open_driver(rig);
}

void storage_rig_reopen(struct storage_rig *rig)
{
    rig->driver->ops->close(rig->driver);
    open_driver(rig);
}

static void check_work_is_empty(const char *folder)
{
    auto_free char *path = str_printf("%s/.work", folder);
    auto_free char *left = list_files(path);

    CHECK_STR(left, "");
}

void storage_rig_close(struct storage_rig *rig)
{
    rig->driver->ops->close(rig->driver);
    check_work_is_empty(rig->setup.image_dir);
    check_work_is_empty(rig->pool.path);
    scratch_remove(rig->folder);
    loop_free(rig->loop);
    free((char *)rig->setup.image_dir);
    free((char *)rig->pool.path);
}

static void take_end(struct storage_answer *answer, const struct err *err)
{
    answer->called++;
    if (err)
        answer->err = *err;
    loop_stop(answer->rig->loop);
}

void storage_answer_done(void *answer, const struct err *err) { take_end(answer, err); }

void storage_answer_image(void *arg, const struct err *err, const struct image_info *info)
{
    struct storage_answer *answer = arg;

    if (info)
        answer->image = *info;
    take_end(answer, err);
}

void storage_answer_progress(void *arg, const char *step, int64_t bytes, int64_t total)
{
    struct storage_answer *answer = arg;

    CHECK(step[0] != '\0');
    CHECK(bytes >= 0 && total >= 0);
    answer->progress_count++;
}

static void stop_loop(void *arg)
{
    struct storage_rig *rig = arg;

    loop_stop(rig->loop);
}

void storage_rig_wait(struct storage_rig *rig, struct storage_answer *answer)
{
    struct loop_source *limit = loop_timer(rig->loop, WAIT_MS_MAX, stop_loop, rig);
    int64_t until_ms = loop_now_ms(rig->loop) + WAIT_MS_MAX;
    struct err err = { 0 };

    while (!answer->called && loop_now_ms(rig->loop) < until_ms)
        CHECK_OK(loop_run(rig->loop, &err), &err);
    loop_source_free(limit);
    CHECK_EQ(answer->called, 1);
}

void storage_rig_upload(struct storage_rig *rig, const char *uid, const void *bytes, size_t size)
{
    struct err err = { 0 };
    int64_t offset;
    int fd = -1;

    CHECK_OK(rig->driver->ops->image_upload(rig->driver, uid, &fd, &offset, &err), &err);
    CHECK_OK(write_all(fd, bytes, size, &err), &err);
    CHECK_EQ(close(fd), 0);
}

void storage_rig_upload_file(struct storage_rig *rig, const char *uid, const char *path)
{
    auto_buf struct buf text = { 0 };
    struct err err = { 0 };

    CHECK_OK(file_read(path, 256 << 20, &text, &err), &err);
    storage_rig_upload(rig, uid, text.bytes ? text.bytes : "", text.size);
}

struct storage_answer storage_rig_import(struct storage_rig *rig,
                                         const struct image_request *request)
{
    struct storage_answer answer = { .rig = rig };

    rig->driver->ops->image_import(rig->driver, request, storage_answer_progress,
                                   storage_answer_image, &answer);
    CHECK_EQ(answer.called, 0);
    storage_rig_wait(rig, &answer);
    return answer;
}

void run_shell(const char *format, ...)
{
    auto_free char *command = NULL;
    va_list args;

    va_start(args, format);
    command = str_vprintf(format, args);
    va_end(args);
    if (system(command) != 0)
        check_fail(CHECK_HERE, "failed: %s", command);
}

void wait_for_size(const char *path, int64_t size)
{
    struct pollfd changed = { .fd = inotify_init1(IN_CLOEXEC), .events = POLLIN };
    char events[4096];
    struct stat found;

    CHECK(inotify_add_watch(changed.fd, path, IN_MODIFY) >= 0);
    while (stat(path, &found) == 0 && found.st_size < size) {
        CHECK_EQ(poll(&changed, 1, 20 * 1000), 1);
        CHECK(read(changed.fd, events, sizeof events) > 0);
    }
    CHECK(found.st_size >= size);
    close(changed.fd);
}

char *list_files(const char *folder)
{
    auto_free char *command =
        str_printf("cd %s 2>/dev/null && find . -mindepth 1 -type d -printf '%%P/\\n' "
                   "-o -mindepth 1 -printf '%%P\\n' 2>/dev/null | sort",
                   folder);
    FILE *list = popen(command, "r");
    struct buf text = { 0 };
    char chunk[512];

    CHECK(list);
    while (fgets(chunk, sizeof chunk, list))
        buf_add_text(&text, chunk);
    pclose(list);
    return buf_take(&text);
}
