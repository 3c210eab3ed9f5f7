/* drivers/storage/directory/qemu_img.c - programs on foreign bytes, fenced in. */
#include "drivers/storage/directory/qemu_img.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_FD = 3, OPEN_FILES_MAX = 64 };

static const uint64_t ADDRESS_SPACE_MAX = UINT64_C(4) << 30;
static const int64_t TIMEOUT_MS = INT64_C(24) * 3600 * 1000;

/* Threads of qemu-img would each reserve an arena and go over the address space. */
static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
                                           "MALLOC_ARENA_MAX=2", NULL };

static struct child describe(const struct foreign_run *run, const struct spawn_fd *fds)
{
    return (struct child){
        .spawn = { .argv = run->argv,
                   .env = environment,
                   .fds = fds,
                   .fd_count = run->fd_count,
                   .new_netns = true,
                   .change_user = true,
                   .uid = run->place->convert_uid,
                   .gid = (gid_t)run->place->convert_uid,
                   .address_space_max = run->limits_itself ? 0 : ADDRESS_SPACE_MAX,
                   .file_size_max = run->file_size_max,
                   .cpu_seconds_max = run->cpu_seconds_max,
                   .open_files_max = OPEN_FILES_MAX },
        .cancel = run->cancel,
        .timeout_ms = TIMEOUT_MS,
        .printed = run->printed,
        .tick = run->tick,
        .arg = run->arg,
    };
}

int foreign_run(const struct foreign_run *run, struct child_end *ret_end, struct err *err)
{
    struct spawn_fd *fds = mem_array(run->fd_count, sizeof *fds);
    struct child child = describe(run, fds);
    int result;

    for (size_t i = 0; i < run->fd_count; i++)
        fds[i] = (struct spawn_fd){ .from = run->fds[i], .to = FIRST_FD + (int)i };
    result = child_run(&child, ret_end, err);
    free(fds);
    return result;
}

int foreign_run_well(const struct foreign_run *run, enum err_code code, struct err *err)
{
    struct child_end end;

    if (foreign_run(run, &end, err) < 0)
        return -1;
    return end.code == 0 ? 0 : child_explain(&end, code, err);
}

char *qemu_img_file(const char *format, int fd)
{
    return str_printf("json:{\"driver\":\"%s\",%s\"file\":{\"driver\":\"file\","
                      "\"filename\":\"/dev/fd/%d\"}}",
                      format, str_equal(format, "qcow2") ? "\"backing\":null," : "", fd);
}

char *qemu_img_chain(int first_fd, unsigned count)
{
    struct buf text = { 0 };

    for (unsigned i = 0; i < count; i++)
        buf_printf(&text, "%s{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"/dev/fd/%d\"},"
                   "\"backing\":", i ? "" : "json:", first_fd + (int)i);
    buf_add_text(&text, "null");
    for (unsigned i = 0; i < count; i++)
        buf_add_char(&text, '}');
    return buf_take(&text);
}

int foreign_give(const struct place *place, int fd, struct err *err)
{
    if (fchown(fd, place->convert_uid, (gid_t)place->convert_uid) < 0 || fchmod(fd, 0600) < 0)
        return err_errno(err, "hand the file to user %u", (unsigned)place->convert_uid);
    return 0;
}

int foreign_take_back(int fd, mode_t mode, struct err *err)
{
    if (fchown(fd, 0, 0) < 0 || fchmod(fd, mode) < 0)
        return err_errno(err, "take the file back");
    return 0;
}
