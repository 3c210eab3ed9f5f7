/* drivers/compute/qemu/chain.c - the files of a disk, opened by us, as block nodes of QEMU.
 *
 *   open (job) -> add-fd each -> blockdev-add file and format, deepest first -> opened
 *                     \____________ any failure: wipe ________________/ */
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/plug.h"
#include "drivers/storage.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- wiping --- */

static void fdset_removed(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;

    if (--plug->outstanding == 0)
        plug->wiped(plug, err);
}

static bool is_of_chain(const struct node_base *base, const json_t *fdset)
{
    const char *opaque = json_text_at(fdset, "fds[0].opaque", "");

    return str_starts(opaque, base->text) && opaque[strlen(base->text)] == '-';
}

static void on_fdsets(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;
    size_t i;
    json_t *fdset;

    plug->outstanding = 1;
    json_array_foreach ((json_t *)result, i, fdset) {
        if (!is_of_chain(&plug->base, fdset))
            continue;
        plug->outstanding++;
        plug_ask(plug, "remove-fd",
                 json_pack("{sI}", "fdset-id", (json_int_t)json_int_at(fdset, "fdset-id", -1)), -1,
                 fdset_removed);
    }
    fdset_removed(plug, err, NULL);
}

/* That a node is not there is what we want. */
static void node_deleted(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;

    if (--plug->outstanding == 0)
        plug_ask(plug, "query-fdsets", NULL, -1, on_fdsets);
}

void chain_wipe(struct qemu_plug *plug, plug_step *then)
{
    plug->wiped = then;
    plug->outstanding = 2 * DISK_CHAIN_MAX;
    for (unsigned file = 0; file < DISK_CHAIN_MAX; file++) {
        char name[NODE_NAME_SIZE];

        node_name(&plug->base, file, name);
        plug_ask(plug, "blockdev-del", json_pack("{ss}", "node-name", name), -1, node_deleted);
        plug_ask(plug, "blockdev-del", json_pack("{so}", "node-name", json_printf("%s-file", name)),
                 -1, node_deleted);
    }
}

/* --- making --- */

static void wiped_after_failure(struct qemu_plug *plug, const struct err *err)
{
    struct err failure = plug->err;

    plug->opened(plug, &failure);
}

static void all_answered(struct qemu_plug *plug, plug_step *next)
{
    if (plug->err.code)
        chain_wipe(plug, wiped_after_failure);
    else
        next(plug, NULL);
}

static void note_failure(struct qemu_plug *plug, const struct err *err)
{
    if (err && !plug->err.code)
        plug->err = *err;
}

static void nodes_made(struct qemu_plug *plug, const struct err *err) { plug->opened(plug, NULL); }

static void node_added(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;

    note_failure(plug, err);
    if (--plug->outstanding == 0)
        all_answered(plug, nodes_made);
}

/* The monitor works in order, so a format node may follow its file node unanswered. */
static void add_nodes(struct qemu_plug *plug, const struct err *err)
{
    const struct disk_source *source = &plug->source;
    bool io_uring = plug->driver->host.has_io_uring;

    plug->outstanding = 2 * source->file_count;
    for (unsigned file = source->file_count; file-- > 0;) {
        bool writable = file_is_writable(source, file);

        plug_ask(plug, "blockdev-add",
                 file_node(&plug->base, file, plug->fdsets[file], writable, io_uring), -1,
                 node_added);
        plug_ask(plug, "blockdev-add", format_node(&plug->base, file, source), -1, node_added);
    }
}

/* The set's opaque text is "disk7-3": the last number is the file. */
static void fd_added(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;

    note_failure(plug, err);
    if (!err)
        plug->fdsets[plug->outstanding - 1] = (unsigned)json_int_at(result, "fdset-id", 0);
    if (--plug->outstanding == 0)
        all_answered(plug, add_nodes);
}

/* Answers come in order: the last file first, so that the count left names the file. */
static void add_fds(struct qemu_plug *plug)
{
    plug->outstanding = plug->source.file_count;
    for (unsigned file = plug->source.file_count; file-- > 0;) {
        char name[NODE_NAME_SIZE];
        int fd = plug->fds[file];

        plug->fds[file] = -1;
        node_name(&plug->base, file, name);
        plug_ask(plug, "add-fd", json_pack("{ss}", "opaque", name), fd, fd_added);
    }
}

/* --- opening --- */

static int open_files(void *arg, struct err *err)
{
    struct qemu_plug *plug = arg;

    fault_point("compute.plug.begun");
    if (fault_fails("compute.plug.open", err) < 0)
        return -1;
    for (unsigned file = 0; file < plug->source.file_count; file++) {
        const char *path = plug->source.files[file].path;
        bool writable = file_is_writable(&plug->source, file);

        plug->fds[file] = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY);
        if (plug->fds[file] < 0)
            return err_errno(err, "open %s", path);
    }
    fault_point("compute.plug.opened");
    return 0;
}

static void files_opened(void *arg, bool is_closed, const struct err *err)
{
    struct qemu_plug *plug = arg;

    plug->in_job = false;
    if (is_closed || !plug->link)
        plug_free(plug);
    else if (err)
        plug->opened(plug, err);
    else
        add_fds(plug);
}

void chain_open(struct qemu_plug *plug, plug_step *then)
{
    plug->opened = then;
    plug->in_job = true;
    err_clear(&plug->err);
    qemu_job_run(plug->driver->jobs, plug->machine->uid,
                 (struct qemu_job){ open_files, files_opened, plug });
}
