/* tests/sim/spy.c - calls told as they come and go; answers that get lost. */
#include "spy.h"
#include "base/mem.h"
#include <stdlib.h>

static void answer_comes(void *arg, const struct err *err)
{
    struct answer *answer = arg;
    struct sim *sim = answer->sim;
    struct err lost = { 0 };

    if (!err && answer->is_lost && sim->is_up) {
        (void)err_set(&lost, ERR_IO, "the answer was lost");
        sim->counts->lost++;
        err = &lost;
    }
    sim_trace(sim, "  answer: %s: %s", answer->text, err ? err->text : "done");
    done_call(answer->done, err);
    free(answer->text);
    free(answer);
}

struct done spy_answer(struct sim *sim, struct done done, bool may_lose, const char *format, ...)
{
    struct answer *answer = mem_new(struct answer);
    va_list args;

    va_start(args, format);
    *answer = (struct answer){ .sim = sim,
                               .text = str_vprintf(format, args),
                               .done = done,
                               .is_lost = may_lose && !sim->is_calm &&
                                          sim_chance(sim, sim->plan.lost_one_in) };
    va_end(args);
    sim->counts->calls++;
    sim_trace(sim, "  call: %s", answer->text);
    return (struct done){ answer_comes, answer };
}

void spy_tell(struct sim *sim, const char *format, ...)
{
    va_list args;

    sim->counts->calls++;
    if (!sim->traces)
        return;
    va_start(args, format);
    auto_free char *text = str_vprintf(format, args);
    va_end(args);
    sim_trace(sim, "  call: %s", text);
}

struct thing *spy_expects_wanted(struct sim *sim, const char *call, const char *uid)
{
    struct thing *thing = thing_here(sim, uid);

    if (!thing)
        sim_fail(sim, "%s for %s, which is not there", call, uid);
    if (thing_is_deleting(thing))
        sim_fail(sim, "%s for %s, which is being deleted", call, thing->key);
    return thing;
}

void spy_expects_unwanted(struct sim *sim, const char *call, const char *uid)
{
    struct thing *thing = thing_here(sim, uid);

    if (thing ? !thing_is_deleting(thing) : !stranger_may_go(sim, uid))
        sim_fail(sim, "%s for %s, which is %s", call, thing ? thing->key : uid,
                 thing ? "wanted" : "a stranger");
}
