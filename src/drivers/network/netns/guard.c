/* drivers/network/netns/guard.c - applying rules and remembering what was applied. */
#include "drivers/network/netns/guard.h"

#include "base/fault.h"
#include "base/mem.h"
#include "drivers/network/netns/nft.h"
#include <stdlib.h>

void guard_forget(struct guard *guard)
{
    map_free(guard->ports);
    free(guard->network_text);
    *guard = (struct guard){ 0 };
}

void guard_done(struct guard *guard) { guard_forget(guard); }

/* --- reading what the kernel has --- */

static struct port_rules *rules_of(struct map *ports, const char *tap)
{
    struct port_rules *rules = map_get(ports, tap);

    if (!rules) {
        rules = mem_new(struct port_rules);
        map_set(ports, tap, rules);
    }
    return rules;
}

/* 'element' is ["tap", "value"] of a set, or "tap" alone. */
static void read_element(struct map *ports, const char *set, const json_t *element)
{
    const json_t *concat = json_at(element, "concat");
    const char *tap = json_string_value(concat ? json_array_get(concat, 0) : element);
    const char *value = json_string_value(json_array_get(concat, 1));
    struct err unused;
    struct ip_addr addr;

    if (!tap)
        return;
    if (str_equal(set, "v_trusted"))
        rules_of(ports, tap)->is_trusted = true;
    else if (!value)
        return;
    else if (str_equal(set, "v_mac"))
        (void)mac_parse(value, &rules_of(ports, tap)->mac, &unused);
    else if (str_equal(set, "v_ip4"))
        (void)ip_parse(value, &rules_of(ports, tap)->ipv4, &unused);
    else if (str_equal(set, "v_ip6") && ip_parse(value, &addr, &unused) == 0 &&
             addr.octet[0] != 0xfe) /* the link-local one follows from the MAC */
        rules_of(ports, tap)->ipv6 = addr;
}

static int guard_load(struct guard *guard, struct err *err)
{
    auto_json json_t *objects = NULL;
    size_t i, j;
    json_t *object, *element;

    if (guard->ports)
        return 0;
    if (nft_list("list table bridge virga", &objects, err) < 0)
        return -1;
    guard->ports = map_new(free);
    json_array_foreach (objects, i, object) {
        const char *set = json_text_at(object, "set.name", NULL);

        if (set)
            json_array_foreach (json_at(object, "set.elem"), j, element)
                read_element(guard->ports, set, element);
    }
    return 0;
}

/* --- the network --- */

struct tables {
    bool bridge, inet;
};

static int find_tables(struct tables *ret_tables, struct err *err)
{
    auto_json json_t *objects = NULL;
    struct tables found = { false, false };
    size_t i;
    json_t *object;

    if (nft_list("list tables", &objects, err) < 0)
        return -1;
    json_array_foreach (objects, i, object) {
        if (!str_equal(json_text_at(object, "table.name", NULL), "virga"))
            continue;
        found.bridge |= str_equal(json_text_at(object, "table.family", NULL), "bridge");
        found.inet |= str_equal(json_text_at(object, "table.family", NULL), "inet");
    }
    *ret_tables = found;
    return 0;
}

int guard_check(struct err *err)
{
    struct tables tables;

    if (find_tables(&tables, err) < 0)
        return -1;
    if (!tables.bridge || !tables.inet)
        return err_set(err, ERR_NOT_FOUND, "the firewall rules are gone");
    return 0;
}

static void add_ports(const struct guard *guard, struct buf *to)
{
    const char *tap;
    void *rules;

    if (guard->ports)
        for (size_t at = 0; map_next(guard->ports, &at, &tap, &rules);)
            rules_port(tap, NULL, rules, to);
}

/* Another version of this program may have left tables that ours can't be laid over: then they
 * are replaced, in one transaction, with the ports that are known or can be read. */
static int replace_tables(struct guard *guard, const char *text, struct err *err)
{
    auto_buf struct buf all = { 0 };
    struct err unused;

    (void)guard_load(guard, &unused);
    buf_add_text(&all, "add table bridge virga\ndelete table bridge virga\n"
                       "add table inet virga\ndelete table inet virga\n");
    buf_add_text(&all, text);
    add_ports(guard, &all);
    return nft_apply(all.bytes, err);
}

int guard_ensure(struct guard *guard, const struct network_config *config, struct err *err)
{
    auto_buf struct buf text = { 0 }, all = { 0 };
    struct tables tables;

    if (find_tables(&tables, err) < 0)
        return -1;
    rules_network(config, &text);
    if (tables.bridge && tables.inet && str_equal(guard->network_text, text.bytes))
        return 0;
    fault_point("network.rules");
    buf_add_text(&all, text.bytes);
    if (!tables.bridge)
        add_ports(guard, &all);
    if (nft_apply(all.bytes, err) < 0 && replace_tables(guard, text.bytes, err) < 0)
        return -1;
    free(guard->network_text);
    guard->network_text = buf_take(&text);
    return 0;
}

/* --- ports --- */

int guard_set_port(struct guard *guard, const char *tap, const struct port_rules *rules,
                   struct err *err)
{
    auto_buf struct buf text = { 0 };

    if (guard_load(guard, err) < 0)
        return -1;

    const struct port_rules *old = map_get(guard->ports, tap);
    if (rules && old && port_rules_equal(old, rules))
        return 0;
    rules_port(tap, old, rules, &text);
    if (text.size > 0 && nft_apply(text.bytes, err) < 0) {
        guard_forget(guard);
        return -1;
    }
    if (rules)
        map_set(guard->ports, tap, mem_copy(rules, sizeof *rules));
    else
        (void)map_remove(guard->ports, tap);
    return 0;
}
