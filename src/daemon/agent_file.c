/* daemon/agent_file.c - copying a file out of and into a guest, one block at a time. */
#include "daemon/agent_file.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCK_SIZE = 48 * 1024, CALL_TIMEOUT_MS = 30 * 1000 };

struct transfer {
    struct loop *loop;
    struct compute *compute;
    char *uid;
    int64_t handle;         /* of the open file in the guest, -1: none */
    int fd;
    int reader;             /* the other end of 'fd' until it is handed out, or -1 */
    compute_fd_fn *opened;  /* gets it */
    void *arg;
    struct done done;       /* told once */
    struct err failure;     /* what to tell after closing; code ERR_NONE: nothing */
    gnutls_datum_t block;   /* read from the guest, not yet all written to 'fd' */
    size_t block_at;
    bool guest_at_end;
    struct loop_source *writable;
};

static void tell(struct transfer *transfer, const struct err *err)
{
    struct done done = transfer->done;
    int reader = transfer->reader;

    transfer->done = (struct done){ NULL, NULL };
    transfer->reader = -1;
    if (reader >= 0 && err)
        close(reader);
    if (reader >= 0)
        transfer->opened(transfer->arg, err, err ? -1 : reader);
    done_call(done, err);
}

static void transfer_free(struct transfer *transfer)
{
    loop_source_free(transfer->writable);
    gnutls_free(transfer->block.data);
    if (transfer->fd >= 0)
        close(transfer->fd);
    if (transfer->reader >= 0)
        close(transfer->reader);
    free(transfer->uid);
    free(transfer);
}

/* A socket that is closed with something unread resets its other end, which so learns that the bytes
 * it got are not all: one byte lies there from the beginning, and is taken away after the last block. */
static int mark(struct transfer *transfer, struct err *err)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return err_errno(err, "socketpair");
    transfer->fd = ends[0];
    transfer->reader = ends[1];
    return send(ends[1], "", 1, MSG_NOSIGNAL) == 1 ? 0 : err_errno(err, "send");
}

static void unmark(struct transfer *transfer)
{
    char byte;

    (void)recv(transfer->fd, &byte, 1, 0); /* it is there */
}

static void guest_closed(void *arg, const struct err *err, const json_t *result)
{
    struct transfer *transfer = arg;
    const struct err *failure = transfer->failure.code ? &transfer->failure : err;

    if (transfer->opened && !failure)
        unmark(transfer);
    tell(transfer, failure);
    transfer_free(transfer);
}

static void call(struct transfer *transfer, const char *command, json_t *take_arguments,
                 compute_json_fn *fn)
{
    auto_json json_t *arguments = take_arguments;

    transfer->compute->ops->agent(transfer->compute, transfer->uid, command, arguments,
                                  CALL_TIMEOUT_MS, fn, transfer);
}

static void close_guest(struct transfer *transfer, const struct err *err)
{
    if (err)
        transfer->failure = *err;
    call(transfer, "guest-file-close", json_pack("{s:I}", "handle", (json_int_t)transfer->handle),
         guest_closed);
}

static struct transfer *transfer_new(struct loop *loop, struct compute *compute, const char *uid,
                                     int take_fd, struct done done)
{
    struct transfer *transfer = mem_new(struct transfer);

    *transfer = (struct transfer){
        .loop = loop, .compute = compute, .uid = str_dup(uid), .handle = -1, .fd = take_fd, .reader = -1, .done = done
    };
    return transfer;
}

static void open_guest(struct transfer *transfer, const char *path, const char *mode,
                       compute_json_fn *fn)
{
    call(transfer, "guest-file-open", json_pack("{s:s,s:s}", "path", path, "mode", mode), fn);
}

/* The handle of a fresh open, or false after the end of the transfer. */
static bool take_handle(struct transfer *transfer, const struct err *err, const json_t *result)
{
    if (err) {
        tell(transfer, err);
        transfer_free(transfer);
        return false;
    }
    transfer->handle = json_integer_value(result);
    return true;
}

/* --- out of the guest --- */

static void read_block(struct transfer *transfer);

/* Writes what is held; asks for more when all is out. */
static void drain(void *arg, int fd, unsigned events)
{
    struct transfer *transfer = arg;
    struct err err;

    while (transfer->block_at < transfer->block.size) {
        ssize_t size = write(transfer->fd, transfer->block.data + transfer->block_at,
                             transfer->block.size - transfer->block_at);
        if (size < 0 && errno == EAGAIN) {
            loop_io_events(transfer->writable, LOOP_WRITE);
            return;
        }
        if (size < 0) {
            loop_io_events(transfer->writable, 0);
            (void)err_errno(&err, "write");
            close_guest(transfer, &err);
            return;
        }
        transfer->block_at += (size_t)size;
    }
    loop_io_events(transfer->writable, 0);
    if (transfer->guest_at_end)
        close_guest(transfer, NULL);
    else
        read_block(transfer);
}

static void block_read(void *arg, const struct err *err, const json_t *result)
{
    struct transfer *transfer = arg;
    const char *base64 = json_text_at(result, "buf-b64", "");
    gnutls_datum_t text = { (unsigned char *)base64, (unsigned)strlen(base64) };

    if (err) {
        close_guest(transfer, err);
        return;
    }
    gnutls_free(transfer->block.data);
    transfer->block = (gnutls_datum_t){ NULL, 0 };
    transfer->block_at = 0;
    if (text.size && gnutls_base64_decode2(&text, &transfer->block) < 0) {
        struct err bad;
        (void)err_set(&bad, ERR_IO, "the guest agent answered bytes that are no base64");
        close_guest(transfer, &bad);
        return;
    }
    transfer->guest_at_end = json_bool_at(result, "eof", false) || json_int_at(result, "count", 0) == 0;
    if (transfer->reader >= 0)
        tell(transfer, NULL);
    drain(transfer, transfer->fd, LOOP_WRITE);
}

static void read_block(struct transfer *transfer)
{
    call(transfer, "guest-file-read",
         json_pack("{s:I,s:i}", "handle", (json_int_t)transfer->handle, "count", BLOCK_SIZE),
         block_read);
}

static void opened_for_reading(void *arg, const struct err *err, const json_t *result)
{
    struct transfer *transfer = arg;

    if (!take_handle(transfer, err, result))
        return;
    transfer->writable = loop_io(transfer->loop, transfer->fd, 0, drain, transfer);
    read_block(transfer); /* a folder can be opened, but not read */
}

void agent_file_read(struct loop *loop, struct compute *compute, const char *uid, const char *path,
                     compute_fd_fn *opened, void *arg)
{
    struct transfer *transfer = transfer_new(loop, compute, uid, -1, (struct done){ 0 });
    struct err err;

    transfer->opened = opened;
    transfer->arg = arg;
    if (mark(transfer, &err) == 0) {
        open_guest(transfer, path, "r", opened_for_reading);
    } else {
        transfer_free(transfer);
        opened(arg, &err, -1);
    }
}

/* --- into the guest --- */

static void write_block(struct transfer *transfer);

static void block_written(void *arg, const struct err *err, const json_t *result)
{
    struct transfer *transfer = arg;

    if (err)
        close_guest(transfer, err);
    else
        write_block(transfer);
}

static void write_block(struct transfer *transfer)
{
    unsigned char bytes[BLOCK_SIZE];
    ssize_t size = read(transfer->fd, bytes, sizeof bytes);
    gnutls_datum_t block = { bytes, size > 0 ? (unsigned)size : 0 }, text = { NULL, 0 };
    struct err err;

    if (size < 0) {
        (void)err_errno(&err, "read the upload");
        close_guest(transfer, &err);
    } else if (size == 0) {
        close_guest(transfer, NULL);
    } else if (gnutls_base64_encode2(&block, &text) == 0) {
        call(transfer, "guest-file-write",
             json_pack("{s:I,s:s%}", "handle", (json_int_t)transfer->handle, "buf-b64",
                       (char *)text.data, (size_t)text.size),
             block_written);
        gnutls_free(text.data);
    }
}

static void opened_for_writing(void *arg, const struct err *err, const json_t *result)
{
    struct transfer *transfer = arg;

    if (take_handle(transfer, err, result))
        write_block(transfer);
}

void agent_file_write(struct loop *loop, struct compute *compute, const char *uid, const char *path,
                      int take_fd, struct done done)
{
    open_guest(transfer_new(loop, compute, uid, take_fd, done), path, "w", opened_for_writing);
}
