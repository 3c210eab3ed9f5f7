/* cli/plan_check.c - see plan_check.h */
#include "cli/plan_check.h"
#include "base/netaddr.h"
#include "base/str.h"

static const char *text_of(const struct plan_item *item, const char *path)
{
    return json_text_at(item->object, path, NULL);
}

static int refuse(const struct plan_item *item, const struct plan_item *before, const char *field, const char *value,
                  const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s: %s: Invalid value: \"%s\": %s %s of the same manifest (%s)", item->where, field,
                   value, what, before->name, before->where);
}

static int check_subnet(const struct plan_item *item, const struct plan_item *before, const char *field, struct err *err)
{
    const char *mine = text_of(item, field), *its = text_of(before, field);
    struct ip_prefix a, b;
    struct err ignored;

    if (!mine || !its || ip_prefix_parse(mine, &a, &ignored) < 0 || ip_prefix_parse(its, &b, &ignored) < 0 ||
        !ip_prefix_overlaps(&a, &b))
        return 0;
    return refuse(item, before, field, mine, "overlaps network", err);
}

static int check_networks(const struct plan_item *item, const struct plan_item *before, struct err *err)
{
    if (check_subnet(item, before, "spec.ipv4.subnet", err) < 0)
        return -1;
    return check_subnet(item, before, "spec.ipv6.subnet", err);
}

static int check_card(const struct plan_item *item, const struct plan_item *before, size_t index, struct err *err)
{
    static const char *const keys[] = { "macAddress", "ipv4Address", "ipv6Address" };
    const json_t *mine = json_array_get(json_at(item->object, "spec.networks"), index);
    const json_t *others = json_at(before->object, "spec.networks");

    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        const char *value = json_text_at(mine, keys[k], NULL);
        auto_free char *field = str_printf("spec.networks[%zu].%s", index, keys[k]);

        for (size_t i = 0; value && i < json_array_size(others); i++) {
            const json_t *its = json_array_get(others, i);

            if (str_equal(json_text_at(its, "network", NULL), json_text_at(mine, "network", NULL)) &&
                str_equal(json_text_at(its, keys[k], NULL), value))
                return refuse(item, before, field, value, "is taken by instance", err);
        }
    }
    return 0;
}

static int check_instances(const struct plan_item *item, const struct plan_item *before, struct err *err)
{
    for (size_t i = 0; i < json_array_size(json_at(item->object, "spec.networks")); i++)
        if (check_card(item, before, i, err) < 0)
            return -1;
    return 0;
}

static int check_scalers(const struct plan_item *item, const struct plan_item *before, struct err *err)
{
    const char *mine = text_of(item, "spec.scaleTargetRef.name");

    if (!mine || !str_equal(mine, text_of(before, "spec.scaleTargetRef.name")))
        return 0;
    return refuse(item, before, "spec.scaleTargetRef.name", mine, "is scaled by autoscaler", err);
}

static const struct check {
    const char *plural;
    int (*fn)(const struct plan_item *item, const struct plan_item *before, struct err *err);
} checks[] = {
    { "networks", check_networks },
    { "instances", check_instances },
    { "autoscalers", check_scalers },
};

static int check_pair(const struct plan_item *item, const struct plan_item *before, struct err *err)
{
    if (item->kind != before->kind || !str_equal(item->namespace_name, before->namespace_name) ||
        str_equal(item->name, before->name))
        return 0;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (str_equal(checks[i].plural, item->kind->plural))
            return checks[i].fn(item, before, err);
    return 0;
}

int plan_check(const struct plan *plan, struct err *err)
{
    for (size_t i = 1; i < plan->count; i++)
        for (size_t k = 0; k < i; k++)
            if (check_pair(&plan->items[i], &plan->items[k], err) < 0)
                return -1;
    return 0;
}
