/* daemon/bind_images.c - content: the bytes of an uploaded image. */
#include "daemon/assemble.h"
#include "kinds/tables/tables.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/object.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

struct upload {
    struct daemon *daemon;
    int64_t offset; /* where this part began */
    int64_t total;  /* bytes in all; -1: this part is the last */
};

/* The image controller sees that the bytes are complete through this mark on the object. */
static void mark_complete(struct daemon *daemon, const json_t *object)
{
    control_image_uploaded(daemon->control, object_name(object));
}

static void part_ended(void *arg, struct api_call *call, const struct err *err, int64_t bytes)
{
    struct upload *upload = arg;
    int64_t have = upload->offset + bytes;

    if (err) {
        api_call_error(call, err);
    } else {
        if (upload->total < 0 || have >= upload->total)
            mark_complete(upload->daemon, api_call_object(call));
        api_call_json(call, 200, json_pack("{s:I}", "bytes", (json_int_t)have));
    }
    free(upload);
}

static int64_t number_option(const struct api_call *call, const char *name, int64_t fallback)
{
    const char *text = api_call_option(call, name);

    return text ? strtoll(text, NULL, 10) : fallback;
}

static int begin(struct daemon *daemon, const struct api_call *call, int *ret_fd, int64_t *ret_have,
                 struct err *err)
{
    const json_t *object = api_call_object(call);
    const char *phase = json_text_at(object, "status.phase", "");

    if (!json_bool_at(object, "spec.source.upload", false))
        return err_set(err, ERR_CONFLICT, "image %s is not made by upload", object_name(object));
    if (str_equal(phase, "Ready") || str_equal(phase, "Importing"))
        return err_set(err, ERR_CONFLICT, "image %s has its content already", object_name(object));
    return daemon->storage->ops->image_upload(daemon->storage, object_uid(object), ret_fd, ret_have, err);
}

static void content(void *arg, struct api_call *call)
{
    struct daemon *daemon = arg;
    int64_t have, offset = number_option(call, "offset", 0);
    struct err err;
    int fd;

    if (begin(daemon, call, &fd, &have, &err) < 0) {
        api_call_error(call, &err);
        return;
    }
    if (str_equal(api_call_method(call), "GET")) {
        close(fd);
        api_call_json(call, 200, json_pack("{s:I}", "bytes", (json_int_t)have));
        return;
    }
    /* Parts of two uploads would end up one behind the other. */
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        (void)err_set(&err, ERR_CONFLICT, "image %s is being uploaded already", object_name(api_call_object(call)));
        api_call_error(call, &err);
        return;
    }
    if (offset == 0 && have > 0 && ftruncate(fd, 0) == 0)
        have = 0;
    if (offset != have) {
        close(fd);
        (void)err_set(&err, ERR_CONFLICT, "offset: %lld bytes are there, go on from %lld",
                      (long long)have, (long long)have);
        api_call_error(call, &err);
        return;
    }
    struct upload *upload = mem_new(struct upload);
    *upload = (struct upload){ daemon, offset, number_option(call, "size", -1) };
    api_call_upload(call, fd, part_ended, upload);
}

void bind_images(struct daemon *daemon) { api_bind(daemon->api, &kind_image, "content", content, daemon); }
