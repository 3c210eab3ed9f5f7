/* control/turns.c - who has a turn, and who waits for one. */
#include "control/turns.h"
#include "control/internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <unistd.h>

#define NAME "turns"

enum { TURN_MS = 3000 }; /* one that takes longer is not what the others wait for */

struct seat {
    struct seat *next;
    char *uid, *key;
    int64_t until_ms; /* of the loop; 0: it waits */
};

struct turns {
    struct control *control;
    struct seat *first; /* in the order in which they came */
    unsigned most;
    int64_t rests_since_ms; /* of the loop, while there is no seat */
    bool was_taken;         /* ever */
    struct loop_source *timer;
};

static void seat_free(struct seat *seat)
{
    free(seat->uid);
    free(seat->key);
    free(seat);
}

static void remove_at(struct seat **link)
{
    struct seat *seat = *link;

    *link = seat->next;
    seat_free(seat);
}

static void turns_free(void *state)
{
    struct turns *all = state;

    for (enum turn turn = 0; turn < TURN_COUNT; turn++) {
        loop_source_free(all[turn].timer);
        while (all[turn].first)
            remove_at(&all[turn].first);
    }
    free(all);
}

static struct turns *turns_of(struct control *control, enum turn turn)
{
    struct turns *all = control_extension(control, NAME);

    if (!all) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);

        all = mem_array(TURN_COUNT, sizeof *all);
        all[TURN_TO_BEGIN] = (struct turns){ .control = control, .most = processors > 1 ? (unsigned)processors : 1 };
        all[TURN_TO_FINISH] =
            (struct turns){ .control = control, .most = processors > 2 ? (unsigned)processors / 2 : 1 };
        control_set_extension(control, NAME, all, turns_free);
    }
    return &all[turn];
}

static int64_t now_ms(const struct turns *turns) { return loop_now_ms(turns->control->setup.loop); }

static struct seat **find(struct turns *turns, const char *uid)
{
    struct seat **link = &turns->first;

    while (*link && !str_equal((*link)->uid, uid))
        link = &(*link)->next;
    return link;
}

/* --- handing them on --- */

static void hand_on(void *arg);

static void look_again(struct turns *turns, int64_t at_ms)
{
    int64_t delay_ms = at_ms - now_ms(turns);

    loop_source_free(turns->timer);
    turns->timer = loop_timer(turns->control->setup.loop, delay_ms > 0 ? delay_ms : 0, hand_on, turns);
}

/* Those that took too long lose theirs, and the first that wait get one. */
static void hand_on(void *arg)
{
    struct turns *turns = arg;
    unsigned taken = 0;
    int64_t next_ms = 0;

    for (struct seat **link = &turns->first; *link;) {
        bool is_over = (*link)->until_ms && (*link)->until_ms <= now_ms(turns);

        if (is_over)
            remove_at(link);
        else
            link = &(*link)->next;
    }
    for (struct seat *seat = turns->first; seat; seat = seat->next)
        taken += seat->until_ms != 0;
    for (struct seat *seat = turns->first; seat; seat = seat->next) {
        if (!seat->until_ms && taken < turns->most) {
            seat->until_ms = now_ms(turns) + TURN_MS;
            taken++;
            control_wake_key(turns->control, seat->key);
        }
        if (seat->until_ms && (!next_ms || seat->until_ms < next_ms))
            next_ms = seat->until_ms;
    }
    if (next_ms)
        look_again(turns, next_ms);
    if (!turns->first)
        turns->rests_since_ms = now_ms(turns);
}

bool turn_take(struct work *work, enum turn turn, const char *uid)
{
    struct turns *turns = turns_of(work->control, turn);
    struct seat **link = find(turns, uid), *seat = *link;

    if (!seat) {
        turns->was_taken = true;
        *link = seat = mem_new(struct seat);
        *seat = (struct seat){ .uid = str_dup(uid), .key = str_dup(work->key) };
        hand_on(turns); /* takes away what took too long, and this one has not begun */
    }
    return seat->until_ms != 0;
}

void turn_end(struct control *control, enum turn turn, const char *uid)
{
    struct turns *turns = turns_of(control, turn);
    struct seat **link = find(turns, uid);

    if (!*link)
        return;
    remove_at(link);
    hand_on(turns);
}

int64_t turns_rested_ms(struct control *control, enum turn turn)
{
    const struct turns *turns = turns_of(control, turn);

    if (turns->first)
        return 0;
    return turns->was_taken ? now_ms(turns) - turns->rests_since_ms : INT64_MAX;
}
