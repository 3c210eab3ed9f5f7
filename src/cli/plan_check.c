/* cli/plan_check.c - see plan_check.h */
#include "cli/plan_check.h"
#include "base/map.h"
#include "base/netaddr.h"
#include "base/str.h"
#include "kinds/tables/tables.h"

static const char *text_of(const struct plan_item *item, const char *path)
{
    return json_text_at(item->object, path, NULL);
}

static bool is_a(const struct plan_item *item, const char *plural) { return str_equal(item->kind->plural, plural); }

static bool is_same_object(const struct plan_item *a, const struct plan_item *b)
{
    return str_equal(a->kind->plural, b->kind->plural) && str_equal(a->namespace_name, b->namespace_name) &&
           str_equal(a->name, b->name);
}

static int refuse(const struct plan_item *item, const struct plan_item *before, const char *field, const json_t *value,
                  const char *what, struct err *err)
{
    auto_free char *shown = json_text(value);

    return err_set(err, ERR_INVALID, "%s: %s: Invalid value: %s: %s %s %s of the same manifest (%s)", item->where,
                   field, shown, what, before->kind->singular, before->name, before->where);
}

/* --- what only one may have --- */

/* 'take_key' says what it is. */
static int claim(struct map *claims, const struct plan_item *item, char *take_key, const char *field,
                 const json_t *value, const char *what, struct err *err)
{
    auto_free char *key = take_key;
    const struct plan_item *before = map_get(claims, key);

    if (before && !is_same_object(item, before))
        return refuse(item, before, field, value, what, err);
    map_set(claims, key, (void *)item);
    return 0;
}

/* However it is written. Owned. */
static char *plain_address(const char *text)
{
    char plain[IP_TEXT_SIZE > MAC_TEXT_SIZE ? IP_TEXT_SIZE : MAC_TEXT_SIZE];
    struct mac_addr mac;
    struct ip_addr ip;
    struct err err;

    if (mac_parse(text, &mac, &err) == 0)
        mac_format(&mac, plain);
    else if (ip_parse(text, &ip, &err) == 0)
        ip_format(&ip, plain);
    else
        return str_dup(text);
    return str_dup(plain);
}

static int claim_card(struct map *claims, const struct plan_item *item, size_t index, struct err *err)
{
    static const char *const keys[] = { "macAddress", "ipv4Address", "ipv6Address" };
    const json_t *card = json_array_get(json_at(item->object, "spec.networks"), index);

    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        const json_t *value = json_object_get(card, keys[k]);

        if (!json_is_string(value))
            continue;
        auto_free char *field = str_printf("spec.networks[%zu].%s", index, keys[k]);
        auto_free char *address = plain_address(json_string_value(value));
        char *key = str_printf("%s %s/%s %s", keys[k], item->namespace_name, json_text_at(card, "network", ""),
                               address);
        if (claim(claims, item, key, field, value, "is taken by", err) < 0)
            return -1;
    }
    return 0;
}

static int claim_all(struct map *claims, const struct plan_item *item, struct err *err)
{
    static const char group_field[] = "spec.scaleTargetRef.name";
    size_t cards = is_a(item, "instances") ? json_array_size(json_at(item->object, "spec.networks")) : 0;
    bool scales = is_a(item, "autoscalers") || is_a(item, "horizontalpodautoscalers");

    for (size_t i = 0; i < cards; i++)
        if (claim_card(claims, item, i, err) < 0)
            return -1;
    if (!scales || !text_of(item, group_field))
        return 0;
    return claim(claims, item, str_printf("group %s/%s", item->namespace_name, text_of(item, group_field)), group_field,
                 json_at(item->object, group_field), "is scaled by", err);
}

/* --- what must not overlap --- */

static int check_subnet(const struct plan_item *item, const struct plan_item *before, const char *field,
                        struct err *err)
{
    const char *mine = text_of(item, field), *its = text_of(before, field);
    struct ip_prefix a, b;
    struct err ignored;

    if (!mine || !its || ip_prefix_parse(mine, &a, &ignored) < 0 || ip_prefix_parse(its, &b, &ignored) < 0 ||
        !ip_prefix_overlaps(&a, &b))
        return 0;
    return refuse(item, before, field, json_at(item->object, field), "overlaps", err);
}

static int check_networks(const struct plan_item *item, const struct plan_item *before, struct err *err)
{
    if (!str_equal(item->namespace_name, before->namespace_name))
        return 0;
    if (check_subnet(item, before, "spec.ipv4.subnet", err) < 0)
        return -1;
    return check_subnet(item, before, "spec.ipv6.subnet", err);
}

static int check_balancers(const struct plan_item *item, const struct plan_item *before, struct err *err)
{
    const json_t *mine = json_at(item->object, "spec.listeners"), *its = json_at(before->object, "spec.listeners");
    bool is_neighbour = str_equal(item->namespace_name, before->namespace_name);

    for (size_t i = 0; i < json_array_size(mine); i++)
        for (size_t k = 0; k < json_array_size(its); k++) {
            const json_t *listener = json_array_get(mine, i);
            auto_free char *field = str_printf("spec.listeners[%zu].port", i);
            if ((is_neighbour || !json_object_get(listener, "network")) &&
                listeners_collide(listener, json_array_get(its, k)))
                return refuse(item, before, field, json_object_get(listener, "port"), "is the port of", err);
        }
    return 0;
}

/* Of kinds of which there are few. */
static const struct rivalry {
    const char *plural;
    int (*fn)(const struct plan_item *item, const struct plan_item *before, struct err *err);
} rivalries[] = {
    { "networks", check_networks },
    { "loadbalancers", check_balancers },
};

static int check_before(const struct plan *plan, size_t index, struct err *err)
{
    const struct plan_item *item = &plan->items[index];

    for (size_t i = 0; i < sizeof rivalries / sizeof rivalries[0]; i++)
        for (size_t k = 0; is_a(item, rivalries[i].plural) && k < index; k++)
            if (plan->items[k].kind == item->kind && !is_same_object(item, &plan->items[k]) &&
                rivalries[i].fn(item, &plan->items[k], err) < 0)
                return -1;
    return 0;
}

int plan_check(const struct plan *plan, struct err *err)
{
    struct map *claims = map_new(NULL);
    int result = 0;

    for (size_t i = 0; i < plan->count && result == 0; i++)
        if (claim_all(claims, &plan->items[i], err) < 0 || check_before(plan, i, err) < 0)
            result = -1;
    map_free(claims);
    return result;
}
