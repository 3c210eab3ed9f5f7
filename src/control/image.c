/* control/image.c - Image: waits for its bytes, has them imported, says what was found. */
#include "control/control.h"
#include "control/results.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <string.h>

#define UPLOADED "uploaded"
#define PROGRESS "progress"

struct progress {
    char step[32];
    int64_t bytes, total;
};

static const char *phase_of(const struct work *work)
{
    const char *phase = view_text(&kind_image, work->object, "status.phase");

    return phase ? phase : "Pending";
}

/* --- the driver's answers --- */

static void imported(void *arg, const struct err *err, const struct image_info *info)
{
    carrier_end(arg, err, info, sizeof *info);
}

static void progressed(void *arg, const char *step, int64_t bytes, int64_t total)
{
    struct progress progress = { .bytes = bytes, .total = total };

    strncpy(progress.step, step, sizeof progress.step - 1);
    carrier_interim(arg, PROGRESS, &progress, sizeof progress);
}

static void begin_import(struct work *work)
{
    struct storage_driver *storage = control_setup(work->control)->storage;
    const char *checksum = view_text(&kind_image, work->object, "spec.source.checksum");
    struct image_request request = {
        .uid = object_uid(work->object),
        .url = view_text(&kind_image, work->object, "spec.source.url"),
        .sha256 = checksum && str_starts(checksum, "sha256:") ? checksum + strlen("sha256:") : checksum,
    };

    if (work_op_begin(work, "import"))
        storage->ops->image_import(storage, &request, progressed, imported, carrier_new(work, "import"));
}

/* --- what users see --- */

static void show_progress(struct work *work)
{
    const struct progress *progress = work_result(work, PROGRESS);

    if (progress)
        json_set_at(work->object, "status.progress",
                    json_pack("{s:s,s:I,s:I}", "step", progress->step, "bytes",
                              (json_int_t)progress->bytes, "totalBytes", (json_int_t)progress->total));
}

static void set_bytes(json_t *object, const char *path, int64_t bytes)
{
    char text[32];

    quantity_format_bytes(bytes, text, sizeof text);
    json_set_at(object, path, json_string(text));
}

static void set_text(json_t *object, const char *path, const char *text)
{
    if (text[0])
        json_set_at(object, path, json_string(text));
}

static void show_found(struct work *work, const struct image_info *info)
{
    json_t *object = work->object;

    set_text(object, "status.format", info->format);
    set_text(object, "status.type", info->is_cdrom ? "CDROM" : "Disk");
    set_bytes(object, "status.virtualSize", info->virtual_bytes);
    set_bytes(object, "status.size", info->allocated_bytes);
    if (info->sha256[0])
        json_set_at(object, "status.checksum", json_printf("sha256:%s", info->sha256));
    set_text(object, "status.defaultUser", info->default_user);
    set_text(object, "status.os", info->os);
    json_set_at(object, "status.directKernelBoot", json_boolean(info->has_kernel));
    json_set_at(object, "status.guestAgent", json_boolean(info->guest_agent));
    json_remove_at(object, "status.progress");
    work_phase(work, "Ready", NULL);
    work_condition(work, "Ready", true, "Imported", "instances can be made from it");
    work_event(work, "Normal", "Imported", "%s image of %s", info->format,
               json_text_at(object, "status.virtualSize", ""));
}

static struct verdict show_failed(struct work *work, const struct err *err)
{
    bool is_final = !err_is_retried(err->code) || err->code == ERR_NOT_FOUND;

    json_remove_at(work->object, "status.progress");
    work_phase(work, is_final ? "Failed" : "Importing", err->text);
    work_condition(work, "Ready", false, is_final ? "ImportFailed" : "Retrying", "%s", err->text);
    if (is_final)
        work_event(work, "Warning", "ImportFailed", "%s", err->text);
    return VERDICT_SETTLED;
}

static struct verdict waiting_for_upload(struct work *work)
{
    work_phase(work, "Uploading", "waiting for its content");
    work_condition(work, "Ready", false, "Uploading", "waiting for its content: virga image import");
    return VERDICT_SETTLED;
}

static bool content_is_there(struct work *work)
{
    return !view_bool(&kind_image, work->object, "spec.source.upload") || work_result(work, UPLOADED) ||
           str_equal(phase_of(work), "Importing");
}

static struct verdict import(struct work *work)
{
    struct err err = { 0 };
    const struct image_info *info = work_op_succeeded(work, "import") ? work_result(work, "import") : NULL;

    if (info) {
        show_found(work, info);
        return VERDICT_SETTLED;
    }
    /* Stored first: after a crash the import goes on though the upload's mark is forgotten. */
    if (!str_equal(phase_of(work), "Importing")) {
        work_phase(work, "Importing", NULL);
        work_condition(work, "Ready", false, "Importing", "the content is being checked and converted");
        return VERDICT_SETTLED;
    }
    if (work_op(work, "import", &err) == OP_FAILED) {
        struct verdict verdict = show_failed(work, &err);
        if (!str_equal(phase_of(work), "Importing"))
            return verdict;
    } else {
        show_progress(work);
    }
    begin_import(work);
    return VERDICT_SETTLED;
}

static struct verdict reconcile(struct work *work)
{
    const char *phase = phase_of(work);

    if (str_equal(phase, "Ready") || str_equal(phase, "Failed"))
        return VERDICT_SETTLED;
    return content_is_there(work) ? import(work) : waiting_for_upload(work);
}

static struct verdict finalize(struct work *work, bool *ret_gone)
{
    struct storage_driver *storage = control_setup(work->control)->storage;
    const char *uid = object_uid(work->object);

    work_phase(work, "Terminating", NULL);
    if (work_op(work, "import", NULL) == OP_RUNNING) {
        storage->ops->image_cancel(storage, uid);
        return VERDICT_SETTLED;
    }
    *ret_gone = work_op_succeeded(work, "remove");
    if (!*ret_gone && work_op_begin(work, "remove"))
        storage->ops->image_remove(storage, uid, work_op_done(work, "remove"));
    return VERDICT_SETTLED;
}

void control_image_uploaded(struct control *control, const char *image_name)
{
    control_keep_result(control, &kind_image, NULL, image_name, UPLOADED, 1);
    control_wake(control, &kind_image, NULL, image_name);
}

const struct controller controller_image = {
    .kind = &kind_image,
    .finalizer = "virga.dev/image",
    .reconcile = reconcile,
    .finalize = finalize,
};
