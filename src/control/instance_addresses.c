/* control/instance_addresses.c - MAC and IP addresses of instances: chosen once, kept for life.
 *
 * A choice is remembered here in the moment it is made, before it is stored, so that two
 * instances looked at in the same turn cannot choose the same. */
#include "control/instance.h"
#include "control/internal.h"
#include "control/network_refs.h"
#include "control/results.h"
#include "base/map.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>
#include <stdlib.h>

#define NAME "addresses"
#define CHANGED "addresses changed" /* a result of the instance */

enum { TRIES_MAX = 1 << 16 };

static void taken_free(void *map) { map_free(map); }

static struct map *taken(struct control *control)
{
    struct map *map = control_extension(control, NAME);

    if (map)
        return map;
    map = map_new(free);
    control_set_extension(control, NAME, map, taken_free);
    return map;
}

/* "NETWORK_UID ADDRESS" belongs to "INSTANCE_UID/NIC". */
static bool take(struct control *control, const char *network_uid, const char *address,
                 const char *owner)
{
    auto_free char *id = str_printf("%s %s", network_uid, address);
    const char *holder = map_get(taken(control), id);

    if (!holder)
        map_set(taken(control), id, str_dup(owner));
    return !holder || str_equal(holder, owner);
}

void addresses_adopt(struct control *control, const json_t *instance)
{
    static const char *const fields[] = { "macAddress", "ipv4Address", "ipv6Address" };
    const json_t *cards = view_list(&kind_instance, instance, "status.networks");

    for (size_t i = 0; i < json_array_size(cards); i++) {
        const json_t *card = json_array_get(cards, i);
        auto_free char *owner =
            str_printf("%s/%s", object_uid(instance), json_text_at(card, "name", ""));
        for (unsigned j = 0; j < 3; j++) {
            const char *address = json_text_at(card, fields[j], NULL);
            if (address)
                (void)take(control, json_text_at(card, "networkUID", ""), address, owner);
        }
    }
}

static void forget_owner(struct control *control, const char *prefix)
{
    const char *id;
    void *owner;

    for (size_t at = 0; map_next(taken(control), &at, &id, &owner);)
        if (str_equal(owner, prefix) || (str_ends(prefix, "/") && str_starts(owner, prefix)))
            map_remove(taken(control), id);
}

void addresses_forget(struct control *control, const char *instance_uid)
{
    auto_free char *prefix = str_printf("%s/", instance_uid);

    forget_owner(control, prefix);
}

void address_forget(struct scene *scene, const char *nic)
{
    auto_free char *owner = str_printf("%s/%s", scene->uid, nic);

    forget_owner(scene->work->control, owner);
}

/* --- choosing --- */

struct choice {
    struct scene *scene;
    const json_t *card;     /* of spec.networks */
    const char *network_uid;
    char *owner;
};

/* FNV-1a, so that a machine made anew after a lost write gets the same again. */
static uint64_t hash_of(const char *text, uint64_t salt)
{
    uint64_t hash = 14695981039346656037ULL ^ salt;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
    return hash ^ hash >> 29;
}

static int choose_mac(struct choice *choice, struct mac_addr *ret_mac, char text[MAC_TEXT_SIZE])
{
    const char *fixed = json_text_at(choice->card, "macAddress", NULL);
    struct control *control = choice->scene->work->control;
    struct err err;

    if (fixed && mac_parse(fixed, ret_mac, &err) == 0) {
        mac_format(ret_mac, text);
        return take(control, choice->network_uid, text, choice->owner) ? 0 : -1;
    }
    for (uint64_t salt = 0; salt < TRIES_MAX; salt++) {
        uint64_t hash = hash_of(choice->owner, salt);
        *ret_mac = (struct mac_addr){ { 0x52, 0x54, 0x00, (uint8_t)hash, (uint8_t)(hash >> 8),
                                        (uint8_t)(hash >> 16) } };
        mac_format(ret_mac, text);
        if (take(control, choice->network_uid, text, choice->owner))
            return 0;
    }
    return -1;
}

static int choose_ipv4(struct choice *choice, const struct network_config *config, char text[IP_TEXT_SIZE])
{
    const char *fixed = json_text_at(choice->card, "ipv4Address", NULL);
    struct control *control = choice->scene->work->control;
    struct ip_addr addr, last;

    if (fixed) {
        (void)snprintf(text, IP_TEXT_SIZE, "%s", fixed);
        return take(control, choice->network_uid, text, choice->owner) ? 0 : -1;
    }
    (void)ip_prefix_last(&config->ipv4, &last);
    for (uint64_t offset = 1; offset < TRIES_MAX && ip_prefix_nth(&config->ipv4, offset, &addr); offset++) {
        if (ip_equal(&addr, &last) || ip_equal(&addr, &config->ipv4_gateway))
            continue;
        ip_format(&addr, text);
        if (take(control, choice->network_uid, text, choice->owner))
            return 0;
    }
    return -1;
}

/* What a guest makes of its MAC address by itself (SLAAC). */
static int choose_ipv6(struct choice *choice, const struct network_config *config,
                       const struct mac_addr *mac, char text[IP_TEXT_SIZE])
{
    const char *fixed = json_text_at(choice->card, "ipv6Address", NULL);
    struct ip_addr addr;
    struct err err;

    if (!fixed || ip_parse(fixed, &addr, &err) < 0)
        ip_eui64(&config->ipv6, mac, &addr);
    ip_format(&addr, text);
    return take(choice->scene->work->control, choice->network_uid, text, choice->owner) ? 0 : -1;
}

static json_t *choose(struct choice *choice, const struct network_config *config)
{
    char mac_text[MAC_TEXT_SIZE] = "", ipv4[IP_TEXT_SIZE] = "", ipv6[IP_TEXT_SIZE] = "";
    const char *name = json_text_at(choice->card, "name", "");
    const char *network = json_text_at(choice->card, "network", "");
    struct mac_addr mac;
    json_t *address;

    if (choose_mac(choice, &mac, mac_text) < 0 ||
        (config->ipv4.addr.family && choose_ipv4(choice, config, ipv4) < 0) ||
        (config->ipv6.addr.family && choose_ipv6(choice, config, &mac, ipv6) < 0)) {
        scene_waits(choice->scene, "AddressInUse", "%s: network %s: the address asked for is in use, or none is free",
                    name, network);
        return NULL;
    }
    address = json_pack("{s:s,s:s,s:s,s:s}", "name", name, "network", network, "networkUID",
                        choice->network_uid, "macAddress", mac_text);
    if (ipv4[0])
        json_object_set_new(address, "ipv4Address", json_string(ipv4));
    if (ipv6[0])
        json_object_set_new(address, "ipv6Address", json_string(ipv6));
    return address;
}

const json_t *address_of(const struct scene *scene, const char *nic)
{
    const json_t *cards = scene_list(scene, "status.networks");

    for (size_t i = 0; i < json_array_size(cards); i++)
        if (str_equal(json_text_at(json_array_get(cards, i), "name", NULL), nic))
            return json_array_get(cards, i);
    return NULL;
}

static bool same_address(const char *fixed, const char *assigned)
{
    struct ip_addr a, b;
    struct mac_addr mac_a, mac_b;
    struct err err;

    if (!fixed)
        return true;
    if (!assigned)
        return false;
    if (mac_parse(fixed, &mac_a, &err) == 0)
        return mac_parse(assigned, &mac_b, &err) == 0 && mac_equal(&mac_a, &mac_b);
    return ip_parse(fixed, &a, &err) == 0 && ip_parse(assigned, &b, &err) == 0 && ip_equal(&a, &b);
}

static bool fits(const struct scene *scene, const json_t *card, const json_t *address)
{
    static const char *const fields[] = { "macAddress", "ipv4Address", "ipv6Address" };
    const char *network_name = json_text_at(card, "network", "");
    const json_t *network = json_object_get(scene->networks, network_name);

    if (!address || !str_equal(json_text_at(address, "network", NULL), network_name) ||
        (network && !str_equal(json_text_at(address, "networkUID", NULL), object_uid(network))))
        return false;
    for (unsigned i = 0; i < 3; i++)
        if (!same_address(json_text_at(card, fields[i], NULL), json_text_at(address, fields[i], NULL)))
            return false;
    return true;
}

static const json_t *wanted_card(const struct scene *scene, const char *name)
{
    const json_t *cards = scene_list(scene, "spec.networks");

    for (size_t i = 0; i < json_array_size(cards); i++)
        if (str_equal(json_text_at(json_array_get(cards, i), "name", NULL), name))
            return json_array_get(cards, i);
    return NULL;
}

bool card_is_wanted(const struct scene *scene, const json_t *card)
{
    const json_t *wanted = wanted_card(scene, json_text_at(card, "name", ""));

    return wanted && fits(scene, wanted, card);
}

bool addresses_hold(const struct scene *scene)
{
    const json_t *cards = scene_list(scene, "spec.networks");

    for (size_t i = 0; i < json_array_size(cards); i++) {
        const json_t *card = json_array_get(cards, i);
        if (!fits(scene, card, address_of(scene, json_text_at(card, "name", ""))))
            return false;
    }
    return json_array_size(cards) == json_array_size(scene_list(scene, "status.networks"));
}

/* Gives up what was taken and is not in the status. */
static void reclaim(struct scene *scene)
{
    addresses_forget(scene->work->control, scene->uid);
    addresses_adopt(scene->work->control, scene->object);
}

/* Old addresses are kept until the new ones are stored: up to then they are what a crash, or a wish
 * taken back, returns to. */
void addresses_settle(struct scene *scene)
{
    if (!work_result(scene->work, CHANGED) || !addresses_hold(scene))
        return;
    reclaim(scene);
    work_result_forget(scene->work, CHANGED);
}

/* The address of one card: the old one, a new one, or NULL with the reason in the scene. */
static json_t *assign(struct scene *scene, const json_t *card)
{
    const char *name = json_text_at(card, "name", ""), *network_name = json_text_at(card, "network", "");
    const json_t *old = address_of(scene, name);
    const json_t *network = json_object_get(scene->networks, network_name);

    if (fits(scene, card, old))
        return json_deep_copy(old);
    if (!network || object_is_deleting(network)) {
        scene_waits(scene, "WaitingForNetwork", "waiting for network %s", network_name);
        return NULL;
    }
    auto_clean(network_config_free_auto) struct network_config *config = network_config_of(network);
    struct choice choice = { scene, card, object_uid(network), str_printf("%s/%s", scene->uid, name) };
    json_t *address = choose(&choice, config);
    free(choice.owner);
    if (address)
        work_result_keep(scene->work, CHANGED, 1);
    else
        reclaim(scene);
    return address;
}

/* Beside what a running machine has, which keeps it until its cards are out. */
static void assign_more(struct scene *scene)
{
    const json_t *cards = scene_list(scene, "spec.networks");
    json_t *addresses = json_at(scene->object, "status.networks");

    scene_waits(scene, "InProgress", "network cards are being removed");
    for (size_t i = 0; i < json_array_size(cards); i++) {
        const json_t *card = json_array_get(cards, i);
        if (address_of(scene, json_text_at(card, "name", "")))
            continue;
        scene_waits(scene, "InProgress", "being stored");
        json_t *address = assign(scene, card);
        if (address)
            json_array_append_new(addresses, address);
    }
}

/* Anew only while nothing of the old addresses is in use: no ports and no machine. */
void addresses_climb(struct scene *scene)
{
    const json_t *cards = scene_list(scene, "spec.networks");
    auto_json json_t *addresses = json_array();

    if (scene_has_process(scene)) {
        assign_more(scene);
        return;
    }
    launch_forget(scene); /* its taps may be those of the old ports */
    if (json_array_size(scene_list(scene, "status.networks")) && !ports_remove(scene)) {
        scene_waits(scene, "InProgress", "removing the old ports");
        return;
    }
    for (size_t i = 0; i < json_array_size(cards); i++) {
        json_t *address = assign(scene, json_array_get(cards, i));
        if (!address)
            return;
        json_array_append_new(addresses, address);
    }
    json_set_at(scene->object, "status.networks", json_incref(addresses));
    work_op_reset(scene->work, "seed"); /* it tells of them */
    scene_waits(scene, "InProgress", "being stored");
}
