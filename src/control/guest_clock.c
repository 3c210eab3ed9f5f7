/* control/guest_clock.c - the clock of a guest that stood still. Source: qga/qapi-schema.json of QEMU. */
#include "control/guest_clock.h"
#include "control/internal.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

#define NAME "guest clocks"

enum { ANSWER_MS = 10 * 1000, SOON_MS = 1000 };

/* The agent also writes it to a hardware clock, and complains where there is none: no harm. */
static void answered(void *arg, const struct err *err, const json_t *result) {}

void guest_clock_set(struct control *control, const char *uid)
{
    struct compute *compute = control_setup(control)->compute;
    auto_json json_t *arguments =
        json_pack("{s:I}", "time", (json_int_t)control_wall_ms(control) * 1000 * 1000);

    compute->ops->agent(compute, uid, "guest-set-time", arguments, ANSWER_MS, answered, NULL);
}

/* --- soon --- */

struct appointment {
    struct control *control;
    char *uid;
    struct loop_source *timer;
};

static void appointment_free(void *pointer)
{
    struct appointment *appointment = pointer;

    loop_source_free(appointment->timer);
    free(appointment->uid);
    free(appointment);
}

static struct map *appointments(struct control *control)
{
    struct map *map = control_extension(control, NAME);

    if (!map) {
        map = map_new(appointment_free);
        control_set_extension(control, NAME, map, (void (*)(void *))map_free);
    }
    return map;
}

static void is_due(void *arg)
{
    struct appointment *appointment = arg;
    struct control *control = appointment->control;
    auto_free char *uid = str_dup(appointment->uid);

    map_remove(appointments(control), uid);
    guest_clock_set(control, uid);
}

void guest_clock_set_soon(struct control *control, const char *uid)
{
    struct appointment *appointment = mem_new(struct appointment);

    *appointment = (struct appointment){ .control = control, .uid = str_dup(uid) };
    appointment->timer = loop_timer(control_setup(control)->loop, SOON_MS, is_due, appointment);
    map_set(appointments(control), uid, appointment);
}
