/* api/write.c - the one way an object is changed. */
#include "api/write.h"
#include "api/delete.h"
#include "api/internal.h"
#include "api/namespaces.h"
#include "api/prepare.h"
#include "api/request.h"
#include "base/chain.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

enum { OBJECT_SIZE_MAX = JSON_BODY_SIZE_MAX };

struct write *write_new(struct api *api, struct resource *resource, const char *namespace_name,
                        const char *name)
{
    struct write *write = mem_new(struct write);

    write->api = api;
    write->resource = resource;
    write->namespace_name = str_dup(namespace_name);
    write->name = str_dup(name);
    return write;
}

void write_cancel(struct write *write)
{
    json_decref(write->body);
    if (write->options)
        delete_options_done(write->options);
    free(write->options);
    free(write->namespace_name);
    free(write->name);
    free(write->manager);
    free(write->key);
    free(write);
}

static void finish(struct write *write, const struct failure *failure, const struct record *record,
                   const json_t *object)
{
    write->done(write->arg, write, failure, record, object);
    write_cancel(write);
}

/* --- checking what is wanted --- */

static int check_fields_of(struct write *write, const struct kind *kind, json_t *object, struct failure *failure)
{
    auto_causes struct causes unknown = { 0 };

    kind_unknown_fields(kind, object, /*prune=*/true, &unknown);
    if (!unknown.count || write->validation == VALIDATE_IGNORE)
        return 0;
    if (write->validation == VALIDATE_STRICT) {
        auto_buf struct buf text = { 0 };

        for (size_t i = 0; i < unknown.count; i++)
            buf_printf(&text, "%s%s", i ? ", " : "", unknown.items[i].message);
        return failure_set(failure, ERR_BAD_REQUEST, "strict decoding error: %s", text.bytes);
    }
    for (size_t i = 0; write->request && i < unknown.count; i++)
        request_warn(write->request, unknown.items[i].message);
    return 0;
}

int write_check_fields(struct write *write, json_t *object, struct failure *failure)
{
    return check_fields_of(write, write->resource->kind, object, failure);
}

static int validate(struct write *write, json_t *object, const json_t *old, struct failure *failure)
{
    const struct api_options *options = &write->api->options;
    const struct kind *kind = write->resource->kind;

    prepare_check(object, old, &failure->causes);
    if (!failure->causes.count)
        kind_validate(kind, object, old, &failure->causes);
    if (!failure->causes.count && options->admit && write->part == WRITE_OBJECT)
        options->admit(options->hook_arg, kind, object, old, &failure->causes);
    return failure->causes.count ? failure_invalid(failure, kind, object_name(object)) : 0;
}

static void track_fields(const struct write *write, json_t *object, const json_t *old)
{
    const struct kind *kind = write->resource->kind;
    struct field_writer writer = { .manager = write->manager ? write->manager : "unknown",
                                   .api_version = kind_api_version(kind),
                                   .subresource = write->part == WRITE_STATUS ? "status" : NULL,
                                   .wall_ms = loop_wall_ms(write->api->loop) };
    json_t *entries = managed_after_update(
        write->resource->schema, json_at(object, "metadata.managedFields"), old, object, &writer);

    if (json_array_size(entries))
        json_set_at(object, "metadata.managedFields", json_incref(entries));
    else
        json_remove_at(object, "metadata.managedFields");
    json_decref(entries);
}

static bool has_text(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_equal(json_string_value(json_array_get(list, i)), text))
            return true;
    return false;
}

static void add_finalizer(const struct write *write, json_t *object)
{
    const struct api_options *options = &write->api->options;
    const char *finalizer =
        options->finalizer ? options->finalizer(options->hook_arg, write->resource->kind) : NULL;

    if (!finalizer || has_text(json_at(object, "metadata.finalizers"), finalizer))
        return;
    if (!json_is_array(json_at(object, "metadata.finalizers")))
        json_set_at(object, "metadata.finalizers", json_array());
    json_array_append_new(json_at(object, "metadata.finalizers"), json_string(finalizer));
}

static void add_defaults(struct write *write, json_t *object)
{
    const struct api_options *options = &write->api->options;

    if (options->fill && write->part == WRITE_OBJECT)
        options->fill(options->hook_arg, write->resource->kind, object);
    kind_default(write->resource->kind, object);
}

/* Everything between what make() wants and what the store gets. */
static int complete(struct write *write, json_t *object, const json_t *old, struct failure *failure)
{
    prepare_drop_nulls(object);
    if (prepare_identity(write, object, old, failure) < 0 ||
        write_check_fields(write, object, failure) < 0)
        return -1;
    prepare_server_fields(write, object, old, loop_wall_ms(write->api->loop));
    if (!old && is_namespace(write->resource->kind))
        namespace_prepare(object);
    add_defaults(write, object);
    if (!old && !write->name)
        write->name = str_dup(object_name(object));
    if (!old && write->namespace_name &&
        namespace_check(write->api, write->namespace_name, write->resource->kind, write->name,
                        failure) < 0)
        return -1;
    if (validate(write, object, old, failure) < 0)
        return -1;
    prepare_generation(write, object, old);
    if (!write->is_apply)
        track_fields(write, object, old);
    if (!old)
        add_finalizer(write, object);
    return 0;
}

/* --- to the store --- */

static void link_write(struct write *write)
{
    struct api *api = write->api;

    chain_add(&api->writes, write);
    map_set(api->writes_by_key, write->key, write);
}

static void unlink_write(struct write *write)
{
    chain_remove(write);
    if (map_get(write->api->writes_by_key, write->key) == write)
        map_remove(write->api->writes_by_key, write->key);
}

/* Ends without done(). */
static void drop(struct write *write)
{
    if (write->drop)
        write->drop(write->arg);
    write_cancel(write);
}

static void cancel_waiting(struct write *write)
{
    while (write->first_waiting) {
        struct write *waiting = write->first_waiting;

        write->first_waiting = waiting->next_waiting;
        drop(waiting);
    }
}

void writes_orphan(struct api *api)
{
    while (api->writes) {
        struct write *write = api->writes;

        unlink_write(write);
        cancel_waiting(write);
        write->api = NULL;
    }
}

/* Whether an earlier write of the same object is on its way; then this one waits for its end. */
static bool waits(struct write *write)
{
    struct write *ahead;

    if (!write->name)
        return false;
    free(write->key);
    write->key = resource_key(write->resource, write->namespace_name, write->name);
    ahead = map_get(write->api->writes_by_key, write->key);
    if (!ahead)
        return false;
    write->next_waiting = NULL;
    if (ahead->first_waiting)
        ahead->last_waiting->next_waiting = write;
    else
        ahead->first_waiting = write;
    ahead->last_waiting = write;
    return true;
}

static void attempt(struct write *write);

/* Somebody else was faster; or the generated name is taken. Whether to try again. */
static bool is_worth_another(const struct write *write, const struct err *err)
{
    if (write->attempts >= WRITE_ATTEMPTS_MAX)
        return false;
    if (err->code == ERR_ALREADY_EXISTS)
        return write->generates_name || write->may_create;
    return err->code == ERR_CONFLICT || (err->code == ERR_NOT_FOUND && write->may_create);
}

static void translate(const struct write *write, const struct err *err, struct failure *failure)
{
    const struct kind *kind = write->resource->kind;

    if (err->code == ERR_ALREADY_EXISTS)
        failure_exists(failure, kind, write->name);
    else if (err->code == ERR_NOT_FOUND)
        failure_not_found(failure, kind, write->name);
    else if (err->code == ERR_CONFLICT)
        failure_conflict(failure, kind, write->name, NULL);
    else
        failure_from(failure, err);
    if (err->code == ERR_TOO_MANY || err->code == ERR_UNAVAILABLE)
        failure->retry_after_s = 1;
}

/* The first goes on its way, most likely, and the others then wait behind it. */
static void start_waiting(struct write *first)
{
    while (first) {
        struct write *write = first;

        first = write->next_waiting;
        attempt(write);
    }
}

static void stored(void *arg, const struct err *err, const struct record *record)
{
    struct write *write = arg, *waiting = write->first_waiting;
    auto_failure struct failure failure = { 0 };

    if (!write->api) {
        drop(write);
        return;
    }
    unlink_write(write);
    write->first_waiting = NULL;
    if (!err) {
        finish(write, NULL, record, NULL);
    } else if (is_worth_another(write, err)) {
        attempt(write);
    } else {
        translate(write, err, &failure);
        finish(write, &failure, NULL, NULL);
    }
    start_waiting(waiting);
}

static int submit(struct write *write, const json_t *object, int64_t expected,
                  struct failure *failure)
{
    struct store *store = write->api->store;
    auto_buf struct buf text = { 0 };
    struct store_value value;

    object_encode(object, &text, &value);
    if (value.size > OBJECT_SIZE_MAX)
        return failure_set(failure, ERR_TOO_LARGE,
                           "the object would have %zu bytes, the limit is %d", value.size,
                           OBJECT_SIZE_MAX);
    free(write->key);
    write->key = resource_key(write->resource, write->namespace_name, write->name);
    link_write(write);
    if (write->removes)
        store->ops->remove(store, write->key, value, expected, stored, write);
    else
        store->ops->put(store, write->key, value, expected, stored, write);
    return 0;
}

/* --- one attempt --- */

static struct record *read_current(struct write *write)
{
    struct store *store = write->api->store;

    if (!write->name)
        return NULL;
    auto_free char *key = resource_key(write->resource, write->namespace_name, write->name);
    return store->ops->get(store, key);
}

static int check_presence(const struct write *write, const struct record *record,
                          struct failure *failure)
{
    if (record && write->creates)
        return failure_exists(failure, write->resource->kind, write->name);
    if (!record && !write->creates && !write->may_create)
        return failure_not_found(failure, write->resource->kind, write->name);
    return 0;
}

/* An object that only waited for its last finalizer goes with this write. Namespaces have theirs
 * in spec. */
static bool ends_deletion(const json_t *object, const json_t *old)
{
    return old && object_is_deleting(object) &&
           json_array_size(json_at(object, "metadata.finalizers")) == 0 &&
           json_array_size(json_at(object, "spec.finalizers")) == 0;
}

static int check_version(const struct write *write, const json_t *object, struct failure *failure)
{
    const char *version = json_text_at(object, "apiVersion", "");

    if (!*version || str_equal(version, kind_api_version(write->view)))
        return 0;
    auto_free char *message = str_printf("the API version in the data \"%.200s\" does not match \"%s\"", version,
                                         kind_api_version(write->view));
    return failure_set(failure, ERR_BAD_REQUEST, "%s", message);
}

/* What make() wants, in the stored version. */
static int make(struct write *write, const json_t *old, json_t **ret_made, struct failure *failure)
{
    if (!write->view)
        return write->make(write, old, ret_made, failure);
    auto_json json_t *shown = old ? write->view->show(old) : NULL;
    json_t *made = NULL;
    if (write->make(write, shown, &made, failure) < 0)
        return -1;
    auto_json json_t *object = made;
    prepare_drop_nulls(object);
    if (check_version(write, object, failure) < 0 || check_fields_of(write, write->view, object, failure) < 0)
        return -1;
    *ret_made = write->view->take(object, old);
    return 0;
}

static int run_attempt(struct write *write, struct record *record, struct failure *failure)
{
    auto_json json_t *old = record ? object_decode(record) : NULL;
    auto_json json_t *object = NULL;
    json_t *made = NULL;

    write->created = !record;
    write->removes = false;
    if (check_presence(write, record, failure) < 0 || make(write, old, &made, failure) < 0)
        return -1;
    object = made;
    if (!write->removes && !write->is_system && complete(write, object, old, failure) < 0)
        return -1;
    if (!write->removes && write->is_system)
        prepare_generation(write, object, old);
    write->removes |= ends_deletion(object, old);
    if (write->dry_run) {
        finish(write, NULL, NULL, object);
        return 0;
    }
    if (!write->removes && old && json_equal(object, old)) {
        finish(write, NULL, record, NULL);
        return 0;
    }
    return submit(write, object, record ? record->revision : STORE_MUST_NOT_EXIST, failure);
}

static void attempt(struct write *write)
{
    auto_failure struct failure failure = { 0 };

    if (write->attempts && write->generates_name)
        free(take_pointer(write->name));
    if (waits(write))
        return;
    if (write->attempts && write->request)
        buf_clear(&write->request->warnings);
    write->attempts++;
    auto_clean(record_unref_auto) struct record *record = read_current(write);
    if (run_attempt(write, record, &failure) < 0)
        finish(write, &failure, NULL, NULL);
}

void write_start(struct write *write)
{
    write->generates_name = !write->name;
    attempt(write);
}

int dry_run_parse(const char *text, bool *ret_dry_run, struct failure *failure)
{
    if (str_is_empty(text))
        return 0;
    if (!str_equal(text, "All")) {
        causes_add(&failure->causes, "FieldValueNotSupported", "dryRun",
                   "Unsupported value: \"%.64s\": supported values: \"All\"", text);
        return failure_set(failure, ERR_INVALID,
                           "dryRun: Unsupported value: \"%.64s\": supported values: \"All\"", text);
    }
    *ret_dry_run = true;
    return 0;
}
