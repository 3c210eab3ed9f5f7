/* control/instance_identity.c - makes a fork somebody else.
 *
 *   told who it is -> links up -> (a moment later, when the agent answers) script
 *
 * A program that waits in the guest since before it was frozen (identity_prepare.c) changes what others
 * can see: until then the fork's links are down, and nobody meets two of the same. The script does what
 * takes longer, and is all that one needs that booted. */
#include "control/instance.h"
#include "control/conditions.h"
#include "control/guest_exec.h"
#include "control/network_refs.h"
#include "control/results.h"
#include "control/turns.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "guest/identity.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#define LATER "identity later"

enum {
    SCRIPT_MS = 5 * 60 * 1000, /* it makes keys */
    LATER_MS = 1000,           /* the first answers come first */
    PATIENCE_MS = 10 * 1000,   /* with other forks that begin, or have just begun */
    ATTEMPTS_MAX = 3,
};

#define PROLOGUE "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"

/* Arguments: host name, machine id, and the MAC address of each network card. Of a machine that booted
 * without cards. */
static const char script[] = PROLOGUE
    "host=$1 id=$2; shift 2\n"
    "echo $id >/etc/machine-id || exit 1\n"
    "[ ! -f /var/lib/dbus/machine-id ] || [ -L /var/lib/dbus/machine-id ] || echo $id >/var/lib/dbus/machine-id\n"
    "[ $VIRGA_MODE = fork ] || exit 0\n"
    "echo $host >/etc/hostname\n"
    "hosts=\n"
    "while read -r line; do case $line in 127.0.1.1*) line=\"127.0.1.1 $host\";; esac; hosts=\"$hosts$line\n"
    "\"; done </etc/hosts\n"
    "printf %s \"$hosts\" >/etc/hosts\n"
    "[ ! -d /var/lib/virga ] || echo $VIRGA_UID >/var/lib/virga/instance-id\n"
    "exec >/dev/null 2>&1\n"
    "networkd=\n"
    "for own; do\n"
    "    for name in /sys/class/net/*; do read -r mac <$name/address; [ \"$mac\" != $own ] || break; done\n"
    "    name=${name##*/} ipv6=/proc/sys/net/ipv6/conf/${name##*/}/disable_ipv6\n"
    "    if [ -x /usr/lib/virga/network ]; then\n"
    "        [ \"$(cat $ipv6)\" != 0 ] || { echo 1 >$ipv6; echo 0 >$ipv6; }\n" /* of the other MAC address */
    "        /usr/lib/virga/network down $name; /usr/lib/virga/network up $name &\n"
    "    elif [ -d /run/systemd/netif/links ]; then networkd=1\n"
    "    elif grep -qs \"^$name=\" /run/network/ifstate; then ifdown --force $name; ifup $name\n"
    "    fi\n"
    "done\n"
    /* It is known to DHCP servers by what it made of the machine id when it began. */
    "[ -z \"$networkd\" ] || systemctl restart systemd-networkd\n"
    "rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /etc/dropbear/*_host_key\n"
    "[ ! -f /run/dropbear.pid ] || kill -9 $(cat /run/dropbear.pid)\n" /* it stands still */
    "[ ! -x /usr/lib/virga/ssh-server ] || /usr/lib/virga/ssh-server &\n"
    "if command -v ssh-keygen; then\n"
    "    ssh-keygen -A && { systemctl restart ssh || systemctl restart sshd || service ssh restart; }\n"
    "fi\n"
    "exit 0\n";

static void machine_id_of(const char *uid, char to[40])
{
    size_t length = 0;

    for (; *uid && length < 32; uid++)
        if (*uid != '-')
            to[length++] = *uid;
    to[length] = '\0';
}

/* --- the message --- */

static uint32_t ipv4_of(const struct ip_addr *addr)
{
    uint32_t number;

    memcpy(&number, addr->octet, sizeof number);
    return number;
}

static void set_mac(uint8_t to[6], const char *text)
{
    struct mac_addr mac = { 0 };
    struct err err;

    (void)mac_parse(text, &mac, &err); /* stored by ourselves */
    memcpy(to, mac.octet, sizeof mac.octet);
}

static struct guest_card card_of(const struct scene *scene, const json_t *card, const json_t *old_card)
{
    const json_t *network = json_object_get(scene->networks, json_text_at(card, "network", ""));
    auto_clean(network_config_free_auto) struct network_config *config = network ? network_config_of(network) : NULL;
    const char *ip = json_text_at(card, "ipv4Address", NULL);
    struct guest_card result = { 0 };
    struct ip_addr address, last;
    struct err err;

    set_mac(result.old_mac, json_text_at(old_card, "macAddress", ""));
    set_mac(result.new_mac, json_text_at(card, "macAddress", ""));
    if (!ip || !config || !config->dhcp4 || ip_parse(ip, &address, &err) < 0 || !ip_prefix_last(&config->ipv4, &last))
        return result;
    result.address = ipv4_of(&address);
    result.broadcast = ipv4_of(&last);
    result.netmask = htonl(config->ipv4.length ? UINT32_MAX << (32 - config->ipv4.length) : 0);
    if (config->nat)
        result.gateway = ipv4_of(&config->ipv4_gateway);
    return result;
}

static struct guest_identity message_of(const struct scene *scene)
{
    const char *hostname = scene_text(scene, "spec.hostname");
    const json_t *cards = scene_list(scene, "status.networks");
    auto_json json_t *snapshot = fork_snapshot(scene);
    const json_t *old_cards = json_at(snapshot, "status.networks");
    int64_t wall_ms = control_wall_ms(scene->work->control);
    struct guest_identity message = { .magic = GUEST_IDENTITY_MAGIC, .wall_s = wall_ms / 1000,
                                      .wall_ns = wall_ms % 1000 * 1000 * 1000 };

    snprintf(message.hostname, sizeof message.hostname, "%s", hostname ? hostname : scene->name);
    random_bytes(message.seed, sizeof message.seed);
    for (size_t i = 0; i < json_array_size(cards) && i < json_array_size(old_cards) && i < GUEST_CARDS_MAX; i++)
        message.cards[message.card_count++] =
            card_of(scene, json_array_get(cards, i), json_array_get(old_cards, i));
    return message;
}

static bool has_been_told(struct scene *scene)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    struct guest_identity message;

    if (work_op_succeeded(scene->work, "identity"))
        return true;
    if (!work_op_begin(scene->work, "identity"))
        return false;
    message = message_of(scene);
    compute->ops->identify(compute, scene->uid, &message, sizeof message, work_op_done(scene->work, "identity"));
    return false;
}

/* --- the steps --- */

static void script_ended(void *arg, const struct err *err, int exit_code, const char *output)
{
    struct done *done = arg;
    struct err failure;

    if (!err && exit_code != 0)
        (void)err_set(&failure, ERR_INTERNAL, "the guest took no identity of its own: status %d %.200s", exit_code,
                      output);
    done_call(*done, err ? err : exit_code ? &failure : NULL);
    free(done);
}

static bool script_has_run(struct scene *scene)
{
    const char *hostname = scene_text(scene, "spec.hostname");
    const json_t *cards = scene_list(scene, "status.networks");
    const char *argv[7 + GUEST_CARDS_MAX] = { "/bin/sh", "-c" };
    char machine_id[40];
    struct done done;
    size_t count = 2;

    if (work_op_succeeded(scene->work, "identity behind"))
        return true;
    if (!scene->machine.agent_connected || work_op(scene->work, "identity behind", NULL) == OP_RUNNING ||
        !turn_take(scene->work, TURN_TO_FINISH, scene->uid) || !work_op_begin(scene->work, "identity behind"))
        return false;
    auto_free char *text =
        str_printf("VIRGA_UID=%s VIRGA_MODE=%s\n%s", scene->uid, scene->machine.is_fork ? "fork" : "boot", script);
    machine_id_of(scene->uid, machine_id);
    argv[count++] = text;
    argv[count++] = "identity";
    argv[count++] = hostname ? hostname : scene->name;
    argv[count++] = machine_id;
    for (size_t i = 0; i < json_array_size(cards) && i < GUEST_CARDS_MAX; i++)
        argv[count++] = json_text_at(json_array_get(cards, i), "macAddress", "");
    done = work_op_done(scene->work, "identity behind");
    guest_exec(scene->work->control, scene->uid, argv, NULL, 0, SCRIPT_MS, script_ended, mem_copy(&done, sizeof done));
    return false;
}

static bool links_are_up(struct scene *scene)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    bool all = true;

    for (unsigned i = 0; scene->machine.is_fork && i < scene->machine.nic_count; i++) {
        auto_free char *op = str_printf("fork link %s", scene->machine.nics[i]);

        if (work_op_succeeded(scene->work, op))
            continue;
        all = false;
        if (work_op_begin(scene->work, op))
            compute->ops->nic_link(compute, scene->uid, scene->machine.nics[i], /*is_up=*/true,
                                   work_op_done(scene->work, op));
    }
    return all;
}

/* --- patience --- */

static bool has_failed_too_often(struct scene *scene, struct err *ret_err)
{
    static const char *const counter = "identity failures";
    const int64_t *before = work_result(scene->work, counter);
    int64_t failures = before ? *before : 0;

    if (work_op(scene->work, "identity", ret_err) != OP_FAILED)
        return false;
    work_op_reset(scene->work, "identity");
    work_result_keep(scene->work, counter, ++failures);
    return failures >= ATTEMPTS_MAX;
}

int identity_give(struct scene *scene, bool *ret_done, struct err *err)
{
    *ret_done = false;
    if (scene->machine.state != MACHINE_RUNNING)
        return 0;
    if (has_been_told(scene) && links_are_up(scene)) {
        work_result_keep(scene->work, LATER, loop_now_ms(control_setup(scene->work->control)->loop) + LATER_MS);
        *ret_done = true;
        return 0;
    }
    if (has_failed_too_often(scene, err)) {
        work_condition(scene->work, CONDITION_OWN_IDENTITY, false, "Failed", "%s", err->text);
        return -1;
    }
    work_condition(scene->work, CONDITION_OWN_IDENTITY, false, "Waiting", "the guest is being given it");
    return 0;
}

/* How long until what others serve is not held up by it; 0: now. */
static int64_t finish_delay_ms(struct scene *scene)
{
    const int64_t *later_ms = work_result(scene->work, LATER);
    int64_t now_ms = loop_now_ms(control_setup(scene->work->control)->loop), rested_ms;

    if (!later_ms)
        return 0;
    if (*later_ms > now_ms)
        return *later_ms - now_ms;
    if (*later_ms + PATIENCE_MS <= now_ms)
        return 0;
    rested_ms = turns_rested_ms(scene->work->control, TURN_TO_BEGIN);
    return rested_ms < LATER_MS ? LATER_MS - rested_ms : 0;
}

int64_t identity_finish(struct scene *scene)
{
    int64_t delay_ms;
    struct err err;

    if (condition_is_true(scene->object, CONDITION_OWN_IDENTITY) || scene->machine.state != MACHINE_RUNNING)
        return -1;
    delay_ms = finish_delay_ms(scene);
    if (delay_ms > 0)
        return delay_ms;
    if (script_has_run(scene)) {
        turn_end(scene->work->control, TURN_TO_FINISH, scene->uid);
        work_condition(scene->work, CONDITION_OWN_IDENTITY, true, "Given", "%s", "");
    } else if (work_op(scene->work, "identity behind", &err) == OP_FAILED) {
        work_condition(scene->work, CONDITION_OWN_IDENTITY, false, "Failed", "%s", err.text);
    } else {
        work_condition(scene->work, CONDITION_OWN_IDENTITY, false, "Waiting",
                       scene->machine.agent_connected ? "keys are being made" : "waiting for the guest agent");
    }
    return -1;
}

bool instance_is_itself(const json_t *instance)
{
    const json_t *condition = condition_get(instance, CONDITION_OWN_IDENTITY);

    return condition_is_true(instance, CONDITION_OWN_IDENTITY) ||
           str_equal(json_text_at(condition, "reason", ""), "Failed");
}

void identity_forget(struct scene *scene)
{
    work_op_reset(scene->work, "identity");
    work_op_reset(scene->work, "identity behind");
    work_result_forget(scene->work, LATER);
    work_result_forget(scene->work, "identity failures");
}
