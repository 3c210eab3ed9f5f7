/* drivers/compute/fake/touch.c - consoles, logs, screenshots, the agent, usage. */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/fake/call.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const unsigned char black_pixel_png[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x3a, 0x7e, 0x9b, 0x55, 0x00, 0x00, 0x00, 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xda, 0x63, 0x60, 0x00, 0x00, 0x00, 0x02, 0x00, 0x01, 0xe5, 0x27, 0xde, 0xfc, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};

/* --- streams --- */

static int open_stream(struct fake_call *call, struct fake_machine *machine, const char *greeting,
                       struct err *err)
{
    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    call->result_fd = fake_console_open(call->driver, greeting, err);
    return call->result_fd < 0 ? -1 : 0;
}

static int do_console(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    return open_stream(call, machine, "fake console\r\n", err);
}

void fake_console_call(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg)
{
    fake_call_fd(compute, uid, fn, arg, do_console);
}

static int do_vnc(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    if (machine && !machine->config->vnc)
        return err_set(err, ERR_CONFLICT, "the machine has no VNC server");
    return open_stream(call, machine, "RFB 003.008\n", err);
}

void fake_vnc_call(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg)
{
    fake_call_fd(compute, uid, fn, arg, do_vnc);
}

static int do_log(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    const char *name = map_get(call->driver->world->logs, call->uid);
    auto_free char *text = NULL;

    if (!name)
        return err_set(err, ERR_NOT_FOUND, "there is no log: the machine has not been started yet");
    text = str_printf("fake log of %s\n", name);
    call->result_fd = memfd_create("fake-log", MFD_CLOEXEC);
    if (call->result_fd < 0 || write(call->result_fd, text, strlen(text)) < 0)
        return err_errno(err, "memfd");
    (void)lseek(call->result_fd, 0, SEEK_SET); /* cannot fail on a memfd */
    return 0;
}

void fake_log_call(struct compute *compute, const char *uid, bool qemu_log, compute_fd_fn *fn,
                   void *arg)
{
    fake_call_fd(compute, uid, fn, arg, do_log);
}

static int do_logs_remove(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    if (machine)
        return err_set(err, ERR_CONFLICT, "the machine is not released yet");
    (void)map_remove(call->driver->world->logs, call->uid); /* absent is fine */
    return 0;
}

void fake_logs_remove(struct compute *compute, const char *uid, struct done done)
{
    fake_call_done(compute, uid, done, do_logs_remove);
}

char **fake_logs_list(struct compute *compute) { return map_keys(fake_driver_of(compute)->world->logs); }

/* --- screenshots --- */

static void answer_bytes(struct fake_call *call, const struct err *err)
{
    call->bytes_fn(call->arg, err, err ? NULL : black_pixel_png, err ? 0 : sizeof black_pixel_png);
}

static int do_screenshot(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    return fake_needs_monitor(machine, err);
}

void fake_screenshot(struct compute *compute, const char *uid, compute_bytes_fn *fn, void *arg)
{
    struct fake_call *call = fake_call_new(compute, uid, do_screenshot);

    call->answer = answer_bytes;
    call->bytes_fn = fn;
    call->arg = arg;
}

/* --- the agent --- */

static void answer_json(struct fake_call *call, const struct err *err)
{
    call->json_fn(call->arg, err, call->result);
}

static int do_agent(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    call->result = fake_guest_agent(machine, call->command, call->arguments, err);
    return call->result ? 0 : -1;
}

void fake_agent(struct compute *compute, const char *uid, const char *command,
                const json_t *arguments, int64_t timeout_ms, compute_json_fn *fn, void *arg)
{
    struct fake_call *call = fake_call_new(compute, uid, do_agent);

    call->answer = answer_json;
    call->command = str_dup(command);
    call->arguments = arguments ? json_deep_copy(arguments) : NULL;
    call->json_fn = fn;
    call->arg = arg;
}

/* --- usage --- */

static int do_sample(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    struct compute_fake_world *world = call->driver->world;
    void *each;

    for (size_t at = 0; map_next(world->machines, &at, NULL, &each);) {
        struct fake_machine *sampled = each;

        if (!sampled->has_process)
            continue;
        fake_guest_account(sampled);
        sampled->status.usage.wall_ms = loop_wall_ms(world->loop);
    }
    return 0;
}

void fake_sample(struct compute *compute, struct done done)
{
    fake_call_done(compute, "", done, do_sample);
}
