/* control/admit_instance.c - what an Instance refers to, and what it must not share. */
#include "control/admit.h"
#include "base/netaddr.h"
#include "base/quantity.h"
#include "base/str.h"
#include "control/network_refs.h"
#include "control/placement.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

/* --- size --- */

void admit_fits(struct control *control, const json_t *object, const char *path, struct causes *causes)
{
    const json_t *value = json_at(object, path);
    struct room room = placement_allocatable(control);
    char text[24];
    int64_t bytes;
    struct err err;

    quantity_format_human(room.memory_bytes, text, sizeof text);
    if (json_is_integer(value) && (double)json_integer_value(value) > room.cpus)
        causes_invalid(causes, path, value, "is more than the host has for instances: %.4g", room.cpus);
    else if (json_is_string(value) && quantity_parse(json_string_value(value), &bytes, &err) == 0 &&
             bytes > room.memory_bytes)
        causes_invalid(causes, path, value, "is more than the host has for instances: %s", text);
}

static void admit_root(struct control *control, const json_t *object, struct causes *causes)
{
    const char *image = view_text(&kind_instance, object, "spec.image");
    auto_json json_t *found = image ? control_find(control, &kind_image, NULL, image) : NULL;
    const char *type = found ? view_text(&kind_image, found, "status.type") : NULL;
    int64_t bytes = view_bytes(&kind_instance, object, "spec.rootDisk.size");
    int64_t least = found ? view_bytes(&kind_image, found, "status.virtualSize") : 0;
    char text[32];

    if (type && !str_equal(type, "Disk"))
        causes_invalid(causes, "spec.image", json_at(object, "spec.image"),
                       "is a CD-ROM image: give it as spec.cdrom.image");
    quantity_format_bytes(least, text, sizeof text);
    if (bytes && bytes < least)
        causes_invalid(causes, "spec.rootDisk.size", json_at(object, "spec.rootDisk.size"),
                       "must be at least the image's size, %s", text);
}

/* What the disk has grown to, or had from its image, is the least. */
static void admit_root_growth(struct control *control, const json_t *object, struct causes *causes)
{
    const char *name = view_text(&kind_instance, object, "status.rootVolume");
    auto_json json_t *root =
        name ? control_find(control, &kind_volume, object_namespace(object), name) : NULL;
    int64_t bytes = view_bytes(&kind_instance, object, "spec.rootDisk.size");

    if (root && bytes && bytes < view_bytes(&kind_volume, root, "status.size"))
        causes_invalid(causes, "spec.rootDisk.size", json_at(object, "spec.rootDisk.size"),
                       "may grow but not shrink (now \"%s\")", json_text_at(root, "status.size", ""));
}

static void admit_cdrom(struct control *control, const json_t *object, struct causes *causes)
{
    const char *name = view_text(&kind_instance, object, "spec.cdrom.image");
    auto_json json_t *image = name ? control_find(control, &kind_image, NULL, name) : NULL;
    const char *type = image ? view_text(&kind_image, image, "status.type") : NULL;

    admit_exists(control, &kind_image, NULL, name, "spec.cdrom.image", causes);
    if (type && !str_equal(type, "CDROM"))
        causes_invalid(causes, "spec.cdrom.image", json_at(object, "spec.cdrom.image"),
                       "is no CD-ROM image: give it as spec.image");
}

/* --- addresses --- */

struct claim { /* what one network card asks for */
    struct control *control;
    const json_t *object, *card;
    size_t index;
    struct causes *causes;
};

static void claim_invalid(struct claim *claim, const char *key, const char *text)
{
    auto_free char *field = str_printf("spec.networks[%zu].%s", claim->index, key);

    causes_invalid(claim->causes, field, json_object_get(claim->card, key), "%s", text);
}

static bool is_host_address(const struct ip_prefix *subnet, const struct ip_addr *gateway,
                            const struct ip_addr *addr)
{
    struct ip_addr last;

    if (!subnet->addr.family || !ip_prefix_contains(subnet, addr) || ip_equal(addr, gateway) ||
        ip_equal(addr, &subnet->addr))
        return false;
    return addr->family == 6 || !ip_prefix_last(subnet, &last) || !ip_equal(addr, &last);
}

static void check_inside(struct claim *claim, const char *key, const struct ip_prefix *subnet,
                         const struct ip_addr *gateway)
{
    const char *text = json_text_at(claim->card, key, NULL);
    char subnet_text[IP_PREFIX_TEXT_SIZE];
    auto_free char *message = NULL;
    struct ip_addr addr;
    struct err err;

    if (!text || ip_parse(text, &addr, &err) < 0 || is_host_address(subnet, gateway, &addr))
        return;
    if (subnet->addr.family) {
        ip_prefix_format(subnet, subnet_text);
        message = str_printf("must be an address of %s that is not the network's own", subnet_text);
    } else {
        message = str_printf("network \"%s\" has no IPv%d subnet", json_text_at(claim->card, "network", ""),
                             addr.family);
    }
    claim_invalid(claim, key, message);
}

static bool has_taken(const json_t *cards, const char *network, const char *key, const char *text)
{
    for (size_t i = 0; i < json_array_size(cards); i++) {
        const json_t *card = json_array_get(cards, i);
        if (str_equal(json_text_at(card, "network", NULL), network) &&
            address_text_equal(json_text_at(card, key, ""), text))
            return true;
    }
    return false;
}

static void look_for_rival(void *arg, const json_t *other)
{
    static const char *const keys[] = { "macAddress", "ipv4Address", "ipv6Address" };
    struct claim *claim = arg;
    const char *network = json_text_at(claim->card, "network", NULL);
    auto_free char *message = str_printf("is taken by instance \"%s\"", object_name(other));

    if (str_equal(object_name(other), object_name(claim->object)))
        return;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *text = json_text_at(claim->card, keys[i], NULL);
        if (text && (has_taken(json_at(other, "spec.networks"), network, keys[i], text) ||
                     has_taken(json_at(other, "status.networks"), network, keys[i], text)))
            claim_invalid(claim, keys[i], message);
    }
}

static bool has_fixed_address(const json_t *card)
{
    return json_object_get(card, "macAddress") || json_object_get(card, "ipv4Address") ||
           json_object_get(card, "ipv6Address");
}

static void admit_card(struct claim *claim)
{
    const char *name = json_text_at(claim->card, "network", NULL);
    const char *namespace_name = object_namespace(claim->object);
    auto_free char *field = str_printf("spec.networks[%zu].network", claim->index);
    auto_json json_t *network = control_find(claim->control, &kind_network, namespace_name, name);

    admit_exists(claim->control, &kind_network, namespace_name, name, field, claim->causes);
    if (!network || !has_fixed_address(claim->card))
        return;
    auto_clean(network_config_free_auto) struct network_config *config = network_config_of(network);
    check_inside(claim, "ipv4Address", &config->ipv4, &config->ipv4_gateway);
    check_inside(claim, "ipv6Address", &config->ipv6, &config->ipv6_gateway);
    control_each(claim->control, &kind_instance, namespace_name, look_for_rival, claim);
}

static void admit_cards(struct control *control, const json_t *object, struct causes *causes)
{
    const json_t *cards = view_list(&kind_instance, object, "spec.networks");

    for (size_t i = 0; i < json_array_size(cards); i++) {
        struct claim claim = { control, object, json_array_get(cards, i), i, causes };
        admit_card(&claim);
    }
}

/* --- disks --- */

static bool names_volume(const json_t *instance, const char *name)
{
    const json_t *disks = view_list(&kind_instance, instance, "spec.disks");

    if (str_equal(view_text(&kind_instance, instance, "status.rootVolume"), name))
        return true;
    for (size_t i = 0; i < json_array_size(disks); i++)
        if (str_equal(json_text_at(json_array_get(disks, i), "volume", NULL), name))
            return true;
    return false;
}

/* The instance that has the volume and means to keep it. From one that was told to give it up, or is
 * being deleted, it comes by itself: who wants it next waits (VolumeInUse). */
static json_t *keeper_of(struct control *control, const json_t *volume)
{
    const char *holder = view_text(&kind_volume, volume, "status.attachedTo");
    auto_json json_t *instance =
        holder ? control_find(control, &kind_instance, object_namespace(volume), holder) : NULL;

    if (!instance || object_is_deleting(instance) || !names_volume(instance, object_name(volume)))
        return NULL;
    return json_incref(instance);
}

static void admit_disk(struct control *control, const json_t *object, size_t i, struct causes *causes)
{
    const json_t *disk = json_array_get(view_list(&kind_instance, object, "spec.disks"), i);
    const char *name = json_text_at(disk, "volume", NULL);
    auto_free char *field = str_printf("spec.disks[%zu].volume", i);
    auto_json json_t *volume = control_find(control, &kind_volume, object_namespace(object), name);
    auto_json json_t *keeper = volume ? keeper_of(control, volume) : NULL;

    admit_exists(control, &kind_volume, object_namespace(object), name, field, causes);
    if (keeper && !str_equal(object_name(keeper), object_name(object)))
        causes_invalid(causes, field, json_object_get(disk, "volume"),
                       "is attached to instance \"%s\"", object_name(keeper));
}

static void admit_disks(struct control *control, const json_t *object, struct causes *causes)
{
    for (size_t i = 0; i < json_array_size(view_list(&kind_instance, object, "spec.disks")); i++)
        admit_disk(control, object, i, causes);
}

/* An update that leaves a part alone is not judged anew on it: the world may have moved. */
static bool differs(const json_t *object, const json_t *old, const char *path)
{
    return !old || !json_equal(json_at(object, path), json_at(old, path));
}

void admit_instance(struct control *control, const json_t *object, const json_t *old,
                    struct causes *causes)
{
    static const char *const sizes[] = { "spec.cpus", "spec.memory", "spec.maxCPUs", "spec.maxMemory" };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (differs(object, old, sizes[i]))
            admit_fits(control, object, sizes[i], causes);
    if (!old) {
        admit_exists(control, &kind_image, NULL, view_text(&kind_instance, object, "spec.image"),
                     "spec.image", causes);
        admit_exists(control, &kind_storage_pool, NULL,
                     view_text(&kind_instance, object, "spec.rootDisk.pool"), "spec.rootDisk.pool",
                     causes);
        admit_root(control, object, causes);
        admit_instance_snapshot(control, object, causes);
    }
    if (differs(object, old, "spec.cdrom"))
        admit_cdrom(control, object, causes);
    if (old && differs(object, old, "spec.rootDisk.size"))
        admit_root_growth(control, object, causes);
    if (differs(object, old, "spec.networks"))
        admit_cards(control, object, causes);
    if (differs(object, old, "spec.disks"))
        admit_disks(control, object, causes);
}
