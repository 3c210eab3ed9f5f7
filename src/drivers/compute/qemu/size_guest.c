/* drivers/compute/qemu/size_guest.c - a guest made to use what it has been given.
 *
 * Many kernels leave new processors and new memory switched off until a program of the system says
 * otherwise, and few systems have one. The agent can do both.
 * Source: qga/qapi-schema.json of QEMU; Documentation/admin-guide/mm/memory-hotplug.rst of Linux. */
#include "base/chain.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include "drivers/compute/qemu/size.h"
#include <stdlib.h>

enum { AGENT_MS = 10 * 1000, SEE_TRIES_MAX = 50, SEE_AGAIN_MS = 100, PROCESSORS_MAX = 1024 };

struct guest_telling {
    struct guest_telling *next, **link; /* of the driver's */
    struct qemu_driver *driver;
    char *uid;
    guest_told_fn *fn;
    void *arg;
    unsigned write;        /* which of the kernel's settings */
    int64_t file;          /* handle in the guest */
    unsigned count, plugged, tries;
    unsigned *online;      /* the caller's */
    struct loop_source *again;
};

static struct guest_telling *telling_new(struct qemu_driver *driver, const char *uid, guest_told_fn *fn, void *arg)
{
    struct guest_telling *telling = mem_new(struct guest_telling);

    *telling = (struct guest_telling){ .driver = driver, .uid = str_dup(uid), .fn = fn, .arg = arg };
    chain_add(&driver->tellings, telling);
    return telling;
}

static void end(struct guest_telling *telling, const struct err *err)
{
    guest_told_fn *fn = telling->fn;
    void *arg = telling->arg;

    chain_remove(telling);
    loop_source_free(telling->again);
    free(telling->uid);
    free(telling);
    fn(arg, err);
}

/* Those that wait to look again; the others end with the agent's command that is under way. */
void qemu_guest_tellings_stop(struct qemu_driver *driver)
{
    struct guest_telling *telling = driver->tellings, *next;
    struct err err;

    (void)err_set(&err, ERR_CANCELLED, "the driver was closed");
    for (; telling; telling = next) {
        next = telling->next;
        if (telling->again)
            end(telling, &err);
    }
}

static void tell(struct guest_telling *telling, const char *command, json_t *take_arguments, compute_json_fn *fn)
{
    qemu_agent(&telling->driver->compute, telling->uid, command, take_arguments, AGENT_MS, fn, telling);
    json_decref(take_arguments);
}

/* --- memory --- */

/* Movable memory can be given back, but a kernel needs some that is not: "auto-movable" keeps a
 * ratio. Older kernels do not know it. */
static const struct {
    const char *path, *base64;
} settings[] = {
    { "/sys/module/memory_hotplug/parameters/online_policy", "YXV0by1tb3ZhYmxl" }, /* auto-movable */
    { "/sys/devices/system/memory/auto_online_blocks", "b25saW5l" },               /* online */
};
enum { SETTING_COUNT = sizeof settings / sizeof settings[0] };

static void write_setting(struct guest_telling *telling);

static void is_gone(const struct err *err, bool *ret_gone)
{
    *ret_gone = err && (err->code == ERR_UNAVAILABLE || err->code == ERR_CANCELLED || err->code == ERR_TIMEOUT ||
                        err->code == ERR_IO || err->code == ERR_CONFLICT);
}

static void blocks_set(void *arg, const struct err *err, const json_t *result) { end(arg, NULL); }

static void got_blocks(void *arg, const struct err *err, const json_t *result)
{
    struct guest_telling *telling = arg;
    auto_json json_t *wanted = json_array();
    size_t i;
    json_t *block;

    json_array_foreach ((json_t *)result, i, block) {
        json_t *index = json_object_get(block, "phys-index");

        if (!json_bool_at(block, "online", true) && json_is_integer(index))
            json_array_append_new(wanted, json_pack("{sO,sb}", "phys-index", index, "online", 1));
    }
    if (err || !json_array_size(wanted))
        end(telling, NULL);
    else
        tell(telling, "guest-set-memory-blocks", json_pack("{sO}", "mem-blks", wanted), blocks_set);
}

static void closed(void *arg, const struct err *err, const json_t *result)
{
    struct guest_telling *telling = arg;

    telling->write++;
    write_setting(telling);
}

static void written(void *arg, const struct err *err, const json_t *result)
{
    struct guest_telling *telling = arg;

    tell(telling, "guest-file-close", json_pack("{sI}", "handle", (json_int_t)telling->file), closed);
}

static void opened(void *arg, const struct err *err, const json_t *result)
{
    struct guest_telling *telling = arg;
    bool gone;

    is_gone(err, &gone);
    if (gone) {
        end(telling, err);
    } else if (err || !json_is_integer(result)) {
        closed(telling, NULL, NULL); /* no such kernel */
    } else {
        telling->file = json_integer_value(result);
        tell(telling, "guest-file-write",
             json_pack("{sI,ss}", "handle", (json_int_t)telling->file, "buf-b64", settings[telling->write].base64),
             written);
    }
}

static void write_setting(struct guest_telling *telling)
{
    if (telling->write < SETTING_COUNT)
        tell(telling, "guest-file-open",
             json_pack("{ss,ss}", "path", settings[telling->write].path, "mode", "w"), opened);
    else
        tell(telling, "guest-get-memory-blocks", NULL, got_blocks);
}

void qemu_guest_take_memory(struct qemu_driver *driver, const char *uid, guest_told_fn *fn, void *arg)
{
    write_setting(telling_new(driver, uid, fn, arg));
}

/* --- processors --- */

static void got_processors(void *arg, const struct err *err, const json_t *result);

static void look(struct guest_telling *telling) { tell(telling, "guest-get-vcpus", NULL, got_processors); }

static void on_again(void *arg)
{
    struct guest_telling *telling = arg;

    loop_source_free(telling->again);
    telling->again = NULL;
    look(telling);
}

static void look_again(struct guest_telling *telling, const char *why)
{
    struct err err;

    if (++telling->tries > SEE_TRIES_MAX || telling->driver->is_closing) {
        (void)err_set(&err, ERR_TIMEOUT, "%s", why);
        end(telling, &err);
        return;
    }
    telling->again = loop_timer(telling->driver->setup.loop, SEE_AGAIN_MS, on_again, telling);
}

static void processors_set(void *arg, const struct err *err, const json_t *result)
{
    struct guest_telling *telling = arg;
    bool gone;

    is_gone(err, &gone);
    if (gone)
        end(telling, err);
    else if (telling->tries++ == 0)
        look(telling);
    else
        look_again(telling, err ? err->text : "the guest does not switch its processors on or off");
}

struct view {
    unsigned seen, online;
    json_t *changes; /* for guest-set-vcpus */
};

/* Is it among the first 'count' by its number? A guest numbers them as they came. */
static bool is_among_first(const json_t *processors, const json_t *one, unsigned count)
{
    int64_t id = json_int_at(one, "logical-id", 0);
    unsigned before = 0;
    size_t i;
    json_t *each;

    json_array_foreach ((json_t *)processors, i, each)
        before += json_int_at(each, "logical-id", 0) < id;
    return before < count;
}

static struct view view_of(const json_t *processors, unsigned count)
{
    struct view view = { .changes = json_array() };
    size_t i;
    json_t *each;

    json_array_foreach ((json_t *)processors, i, each) {
        bool is_online = json_bool_at(each, "online", false);
        bool is_wanted = is_among_first(processors, each, count);

        view.seen++;
        view.online += is_online;
        if (is_online != is_wanted && json_bool_at(each, "can-offline", true))
            json_array_append_new(view.changes,
                                  json_pack("{sI,sb}", "logical-id", (json_int_t)json_int_at(each, "logical-id", 0),
                                            "online", (int)is_wanted));
    }
    return view;
}

/* Linux from 6.12 on takes later processors only when it knows the hypervisor, and emulation is none:
 * acpi_is_processor_usable() in arch/x86/kernel/acpi/boot.c. */
static const char *why_unseen(const struct guest_telling *telling)
{
    return telling->driver->host.kvm_usable
               ? "the guest does not see its new processors"
               : "the guest does not see its new processors (without KVM, Linux from 6.12 on does when it boots again)";
}

static void got_processors(void *arg, const struct err *err, const json_t *result)
{
    struct guest_telling *telling = arg;
    struct view view;
    struct err failure;

    if (!err && (!json_is_array(result) || json_array_size(result) > PROCESSORS_MAX)) {
        (void)err_set(&failure, ERR_UNAVAILABLE, "the guest agent does not tell its processors");
        err = &failure;
    }
    if (err) {
        end(telling, err);
        return;
    }
    view = view_of(result, telling->count);
    *telling->online = view.online;
    if (json_array_size(view.changes))
        tell(telling, "guest-set-vcpus", json_pack("{sO}", "vcpus", view.changes), processors_set);
    else if (view.seen < telling->plugged && telling->count > view.seen)
        look_again(telling, why_unseen(telling));
    else
        end(telling, NULL);
    json_decref(view.changes);
}

void qemu_guest_use_cpus(struct qemu_driver *driver, const char *uid, unsigned count, unsigned plugged,
                         unsigned *ret_online, guest_told_fn *fn, void *arg)
{
    struct guest_telling *telling = telling_new(driver, uid, fn, arg);

    telling->count = count;
    telling->plugged = plugged;
    telling->online = ret_online;
    look(telling);
}
