/* control/instance_plug_cards.c - network cards that come and go while the machine runs.
 *
 * status.networks names a card from before its port is made until after the port is removed:
 *   in:   choose and store its addresses -> port (instance_ports.c) -> tap -> card
 *   out:  card -> port -> forget its addresses */
#include "control/instance.h"
#include "base/mem.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>

static bool machine_has_card(const struct scene *scene, const char *name)
{
    return machine_has(scene->machine.nics, scene->machine.nic_count, name);
}

/* --- in --- */

/* A tap on its way into a machine. */
struct tap {
    struct compute *compute;
    char *uid;
    struct machine_nic nic;
    struct done done;
};

static void tap_opened(void *arg, const struct err *err, int take_fd)
{
    struct tap *tap = arg;

    if (err)
        done_call(tap->done, err);
    else
        tap->compute->ops->nic_attach(tap->compute, tap->uid, &tap->nic, take_fd, tap->done);
    free(tap->uid);
    free(tap);
}

static void plug_card(struct scene *scene, const json_t *card, const char *op)
{
    struct network_driver *network = control_setup(scene->work->control)->network;
    auto_free char *id = str_printf("%s/%s", scene->uid, json_text_at(card, "name", ""));
    struct tap *tap;

    if (!work_op_begin(scene->work, op))
        return;
    tap = mem_new(struct tap);
    *tap = (struct tap){ .compute = control_setup(scene->work->control)->compute,
                         .uid = str_dup(scene->uid),
                         .done = work_op_done(scene->work, op) };
    config_nic(scene, card, &tap->nic);
    network->ops->port_open(network, json_text_at(card, "networkUID", ""), id, tap_opened, tap);
}

static void plug_card_in(struct scene *scene, const json_t *card)
{
    const char *name = json_text_at(card, "name", "");
    auto_free char *op = str_printf("plug %s", name);
    auto_free char *device = str_printf("spec.networks[%s]", name);

    if (machine_has_card(scene, name))
        return;
    plug_waits(scene, device, op, "being attached");
    if (port_is_ready(scene, card))
        plug_card(scene, card, op);
}

/* --- out --- */

/* True when neither card nor port is left. */
static bool pull_card_out(struct scene *scene, const json_t *card)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    const char *name = json_text_at(card, "name", "");
    auto_free char *in = str_printf("plug %s", name), *out = str_printf("unplug %s", name);
    auto_free char *device = str_printf("network card %s", name);
    bool is_in = machine_has_card(scene, name) || work_op(scene->work, out, NULL) == OP_RUNNING;

    if (!is_in && work_op(scene->work, in, NULL) != OP_RUNNING && port_remove(scene, card)) {
        work_op_reset(scene->work, in);
        work_op_reset(scene->work, out);
        plug_slot_freed(scene);
        return true;
    }
    plug_waits(scene, device, out, "being removed");
    if (is_in && scene->machine.state == MACHINE_RUNNING && work_op_begin(scene->work, out))
        compute->ops->nic_detach(compute, scene->uid, name, work_op_done(scene->work, out));
    return false;
}

void cards_plug(struct scene *scene)
{
    json_t *cards = json_at(scene->object, "status.networks");

    for (size_t i = json_array_size(cards); i-- > 0;) {
        const json_t *card = json_array_get(cards, i);
        if (card_is_wanted(scene, card)) {
            plug_card_in(scene, card);
        } else if (pull_card_out(scene, card)) {
            address_forget(scene, json_text_at(card, "name", ""));
            json_array_remove(cards, i);
        }
    }
}
