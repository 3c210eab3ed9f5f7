/* control/guest_clock.c - the clock of a guest that stood still. Source: qga/qapi-schema.json of QEMU. */
#include "control/guest_clock.h"
#include "guest/identity.h"

enum { ANSWER_MS = 10 * 1000 };

/* The agent also writes it to a hardware clock, and complains where there is none: no harm. */
static void answered(void *arg, const struct err *err, const json_t *result) {}

void guest_clock_set(struct control *control, const char *uid)
{
    struct compute *compute = control_setup(control)->compute;
    auto_json json_t *arguments =
        json_pack("{s:I}", "time", (json_int_t)control_wall_ms(control) * 1000 * 1000);

    compute->ops->agent(compute, uid, "guest-set-time", arguments, ANSWER_MS, answered, NULL);
}

void guest_clock_tell(struct control *control, const char *uid, struct done done)
{
    struct compute *compute = control_setup(control)->compute;
    int64_t wall_ms = control_wall_ms(control);
    struct guest_identity message = { .magic = GUEST_CLOCK_MAGIC, .wall_s = wall_ms / 1000,
                                      .wall_ns = wall_ms % 1000 * 1000 * 1000 };

    compute->ops->identify(compute, uid, &message, sizeof message, done);
}
