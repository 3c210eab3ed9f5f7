/* control/instance_identity.c - makes a fork somebody else.
 *
 *   agent answers -> first script -> links up -> (a moment later) second script
 *
 * The first changes what others can see: until it has run, the fork's links are down, and nobody meets
 * two of the same. The second does what takes longer, and is all that one needs that booted. */
#include "control/instance.h"
#include "control/guest_clock.h"
#include "control/guest_exec.h"
#include "control/network_refs.h"
#include "control/results.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>
#include <stdlib.h>

#define OWN_IDENTITY "OwnIdentity"
#define SINCE "identity since"
#define LATER "identity later"

enum {
    FIRST_MS = 20 * 1000,
    SECOND_MS = 5 * 60 * 1000, /* it makes keys */
    LATER_MS = 300,            /* the first answers come first */
    PATIENCE_MS = 30 * 1000,
    ATTEMPTS_MAX = 3,
    SEED_BYTES = 32,
};

#define PROLOGUE "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"

/* A program for x86-64 whose status is 0 when the kernel has drawn its randomness anew:
 *
 *   exit(-ioctl(open("/dev/urandom", O_RDONLY), RNDRESEEDCRNG, 0))
 *
 * Kernels without a driver for the generation identifier (Debian's are) would only do so after up to a
 * minute, and no shell can ask them. Its bytes are written as printf takes them. */
#define RESEED                                                                                     \
    "\\177ELF\\002\\001\\001\\000\\000\\000\\000\\000\\000\\000\\000\\000\\002\\000\\076\\000" \
    "\\001\\000\\000\\000x\\000\\100\\000\\000\\000\\000\\000\\100\\000\\000\\000\\000\\000" \
    "\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\100\\000\\070" \
    "\\000\\001\\000\\000\\000\\000\\000\\000\\000\\001\\000\\000\\000\\005\\000\\000\\000" \
    "\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\100\\000\\000\\000\\000\\000\\000" \
    "\\000\\100\\000\\000\\000\\000\\000\\260\\000\\000\\000\\000\\000\\000\\000\\260\\000" \
    "\\000\\000\\000\\000\\000\\000\\000\\020\\000\\000\\000\\000\\000\\000\\270\\002\\000" \
    "\\000\\000H\\215\\075\\037\\000\\000\\000\\061\\366\\061\\322\\017\\005\\211\\307\\270" \
    "\\020\\000\\000\\000\\276\\007R\\000\\000\\017\\005\\211\\307\\367\\337\\270\\074\\000" \
    "\\000\\000\\017\\005/dev/urandom\\000"

/* Arguments: host name, machine id, random digits, and for each network card its old and new MAC address,
 * IPv4 address, length of the prefix, net mask, broadcast address and gateway, separated by commas; "-":
 * none.
 *
 * The parent's SSH server is stopped, and keys that another would read are emptied. The addresses are
 * known, so nobody waits for a lease. Under emulation all this is slow after a fork, when no code is
 * translated yet, and each process and each file costs 10 to 20 ms: there are as few as can be. */
static const char first_script[] = PROLOGUE
    "host=$1 id=$2 seed=$3; shift 3\n"
    "echo $id >/etc/machine-id || exit 1\n"
    "echo $seed >/dev/urandom\n"
    "for at in /root /var/tmp /tmp; do\n"
    "    printf '" RESEED "' >$at/.reseed && chmod 700 $at/.reseed && $at/.reseed && break\n"
    "    false\n"
    "done || perl -e 'open F, \"<\", \"/dev/urandom\"; exit !ioctl(F, 0x5207, 0)' ||\n"
    "    { echo the kernel does not draw its randomness anew; exit 1; }\n"
    "echo $host >/proc/sys/kernel/hostname || exit 1\n"
    "[ ! -f /run/dropbear.pid ] || { read -r pid </run/dropbear.pid && kill -KILL $pid; }\n"
    "[ ! -f /run/sshd.pid ] || { read -r pid </run/sshd.pid && kill -STOP $pid; }\n"
    "for key in /etc/ssh/ssh_host_*_key; do [ ! -f $key ] || : >$key; done\n"
    "for card; do\n"
    "    IFS=, read -r old new address length mask broadcast gateway <<CARD\n"
    "$card\n"
    "CARD\n"
    "    for name in /sys/class/net/*; do\n"
    "        read -r mac <$name/address; [ \"$mac\" != $old ] && [ \"$mac\" != $new ] || break\n"
    "    done\n"
    "    [ \"$mac\" = $old ] || [ \"$mac\" = $new ] || { echo \"no card has $old\"; exit 1; }\n"
    "    name=${name##*/} ipv6=/proc/sys/net/ipv6/conf/${name##*/}/disable_ipv6\n"
    "    [ ! -f $ipv6 ] || echo 1 >$ipv6\n"
    "    if command -v ifconfig >/dev/null; then\n"
    "        if [ $address = - ]; then ifconfig $name 0.0.0.0 hw ether $new\n"
    "        else ifconfig $name $address netmask $mask broadcast $broadcast hw ether $new; fi || exit 1\n"
    "    else\n"
    "        ip addr flush dev $name && ip link set dev $name address $new || exit 1\n"
    "        [ $address = - ] || ip addr add $address/$length broadcast $broadcast dev $name || exit 1\n"
    "    fi\n"
    "    [ ! -f $ipv6 ] || echo 0 >$ipv6\n"
    "done\n"
    "exit 0\n";

/* The same arguments; of a machine that booted without cards. */
static const char second_script[] = PROLOGUE
    "host=$1 id=$2; shift 3\n"
    "rm -f /root/.reseed /var/tmp/.reseed /tmp/.reseed\n"
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
    "for card; do\n"
    "    IFS=, read -r old new address length mask broadcast gateway <<CARD\n"
    "$card\n"
    "CARD\n"
    "    for name in /sys/class/net/*; do read -r mac <$name/address; [ \"$mac\" != $new ] || break; done\n"
    "    name=${name##*/}\n"
    "    [ $gateway = - ] || ip route replace default via $gateway dev $name metric 4096\n"
    "    if [ -x /usr/lib/virga/network ]; then\n"
    "        /usr/lib/virga/network down $name; /usr/lib/virga/network up $name &\n"
    "    elif [ -d /run/systemd/netif/links ]; then networkctl renew $name\n"
    "    elif grep -qs \"^$name=\" /run/network/ifstate; then ifdown --force $name; ifup $name\n"
    "    fi\n"
    "done\n"
    "rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /etc/dropbear/*_host_key\n"
    "[ ! -x /usr/lib/virga/ssh-server ] || /usr/lib/virga/ssh-server &\n"
    "if command -v ssh-keygen; then\n"
    "    ssh-keygen -A && { systemctl restart ssh || systemctl restart sshd || service ssh restart; }\n"
    "fi\n"
    "exit 0\n";

/* --- the arguments --- */

static void machine_id_of(const char *uid, char to[40])
{
    size_t length = 0;

    for (; *uid && length < 32; uid++)
        if (*uid != '-')
            to[length++] = *uid;
    to[length] = '\0';
}

static void random_digits(char to[2 * SEED_BYTES + 1])
{
    unsigned char bytes[SEED_BYTES];

    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

/* "52:54:00:..,52:54:00:..,10.0.0.7,24,255.255.255.0,10.0.0.255,10.0.0.1" */
static char *card_argument(const struct scene *scene, const json_t *card, const char *old_mac)
{
    const json_t *network = json_object_get(scene->networks, json_text_at(card, "network", ""));
    auto_clean(network_config_free_auto) struct network_config *config = network ? network_config_of(network) : NULL;
    const char *ip = json_text_at(card, "ipv4Address", NULL), *mac = json_text_at(card, "macAddress", "");
    char gateway[IP_TEXT_SIZE] = "-", broadcast[IP_TEXT_SIZE] = "-";
    struct ip_addr last;
    uint32_t mask;

    if (!ip || !config || !config->dhcp4 || !ip_prefix_last(&config->ipv4, &last))
        return str_printf("%s,%s,-,-,-,-,-", old_mac, mac);
    if (config->nat)
        ip_format(&config->ipv4_gateway, gateway);
    ip_format(&last, broadcast);
    mask = config->ipv4.length ? UINT32_MAX << (32 - config->ipv4.length) : 0;
    return str_printf("%s,%s,%s,%u,%u.%u.%u.%u,%s,%s", old_mac, mac, ip, (unsigned)config->ipv4.length, mask >> 24,
                      mask >> 16 & 0xff, mask >> 8 & 0xff, mask & 0xff, broadcast, gateway);
}

struct arguments {
    char machine_id[40], seed[2 * SEED_BYTES + 1], *prologue, *cards[MACHINE_NICS_MAX];
    const char *argv[10 + MACHINE_NICS_MAX];
};

static void arguments_done(struct arguments *arguments)
{
    free(arguments->prologue);
    for (size_t i = 0; i < MACHINE_NICS_MAX; i++)
        free(arguments->cards[i]);
}

static void arguments_begin(const struct scene *scene, const char *script, struct arguments *arguments)
{
    const char *hostname = scene_text(scene, "spec.hostname");
    const json_t *cards = scene_list(scene, "status.networks");
    auto_json json_t *snapshot = fork_snapshot(scene);
    const json_t *old_cards = json_at(snapshot, "status.networks");
    size_t count = 0;

    *arguments = (struct arguments){ 0 };
    machine_id_of(scene->uid, arguments->machine_id);
    random_digits(arguments->seed);
    arguments->prologue =
        str_printf("VIRGA_UID=%s VIRGA_MODE=%s\n%s", scene->uid, scene->machine.is_fork ? "fork" : "boot", script);
    const char *const fixed[] = { "/bin/sh", "-c", arguments->prologue, "identity", hostname ? hostname : scene->name,
                                  arguments->machine_id, arguments->seed };
    for (; count < sizeof fixed / sizeof fixed[0]; count++)
        arguments->argv[count] = fixed[count];
    for (size_t i = 0; i < json_array_size(cards) && i < json_array_size(old_cards) && i < MACHINE_NICS_MAX; i++) {
        arguments->cards[i] = card_argument(scene, json_array_get(cards, i),
                                            json_text_at(json_array_get(old_cards, i), "macAddress", ""));
        arguments->argv[count++] = arguments->cards[i];
    }
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

static bool script_has_run(struct scene *scene, const char *op, const char *script, int64_t timeout_ms)
{
    struct arguments arguments;
    struct done done;

    if (work_op_succeeded(scene->work, op))
        return true;
    if (!scene->machine.agent_connected || !work_op_begin(scene->work, op))
        return false;
    arguments_begin(scene, script, &arguments);
    done = work_op_done(scene->work, op);
    guest_exec(scene->work->control, scene->uid, arguments.argv, NULL, timeout_ms, script_ended,
               mem_copy(&done, sizeof done));
    arguments_done(&arguments);
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

static int64_t patience_left_ms(struct scene *scene)
{
    int64_t now_ms = loop_now_ms(control_setup(scene->work->control)->loop);
    const int64_t *since_ms = work_result(scene->work, SINCE);

    if (!since_ms)
        work_result_keep(scene->work, SINCE, now_ms);
    return PATIENCE_MS - (since_ms ? now_ms - *since_ms : 0);
}

int identity_give(struct scene *scene, bool *ret_done, int64_t *ret_again_ms, struct err *err)
{
    int64_t left_ms;

    *ret_done = false;
    if (scene->machine.state != MACHINE_RUNNING)
        return 0;
    if (script_has_run(scene, "identity", first_script, FIRST_MS) && links_are_up(scene)) {
        work_result_keep(scene->work, LATER, loop_now_ms(control_setup(scene->work->control)->loop) + LATER_MS);
        *ret_done = true;
        return 0;
    }
    if (has_failed_too_often(scene, err)) {
        work_condition(scene->work, OWN_IDENTITY, false, "Failed", "%s", err->text);
        return -1;
    }
    work_condition(scene->work, OWN_IDENTITY, false, "Waiting",
                   scene->machine.agent_connected ? "the guest is being given it" : "waiting for the guest agent");
    left_ms = patience_left_ms(scene);
    if (left_ms <= 0 && !scene->machine.agent_connected)
        return err_set(err, ERR_TIMEOUT,
                       "the guest agent does not answer, and without it a fork is its parent's double");
    *ret_again_ms = left_ms > 0 ? left_ms : -1;
    return 0;
}

int64_t identity_finish(struct scene *scene)
{
    const int64_t *later_ms = work_result(scene->work, LATER);
    int64_t now_ms = loop_now_ms(control_setup(scene->work->control)->loop);
    struct err err;

    if (condition_is_true(scene->object, OWN_IDENTITY) || scene->machine.state != MACHINE_RUNNING)
        return -1;
    if (later_ms && *later_ms > now_ms)
        return *later_ms - now_ms;
    if (script_has_run(scene, "identity behind", second_script, SECOND_MS)) {
        work_condition(scene->work, OWN_IDENTITY, true, "Given", "%s", "");
        if (scene->machine.is_fork)
            guest_clock_set(scene->work->control, scene->uid);
    } else if (work_op(scene->work, "identity behind", &err) == OP_FAILED) {
        work_condition(scene->work, OWN_IDENTITY, false, "Failed", "%s", err.text);
    } else {
        work_condition(scene->work, OWN_IDENTITY, false, "Waiting",
                       scene->machine.agent_connected ? "keys are being made" : "waiting for the guest agent");
    }
    return -1;
}

bool identity_is_settled(const struct scene *scene)
{
    const json_t *condition = condition_get(scene->object, OWN_IDENTITY);

    return condition_is_true(scene->object, OWN_IDENTITY) || str_equal(json_text_at(condition, "reason", ""), "Failed");
}

void identity_forget(struct scene *scene)
{
    work_op_reset(scene->work, "identity");
    work_op_reset(scene->work, "identity behind");
    work_result_forget(scene->work, SINCE);
    work_result_forget(scene->work, LATER);
    work_result_forget(scene->work, "identity failures");
}
