/* kinds/tables/network.c - Network: a switch with addresses, DHCP, DNS and a firewall. */
#include "kinds/tables/shapes.h"
#include "base/netaddr.h"
#include "base/str.h"

static const struct field ipv4_fields[] = {
    { .name = "subnet",
      .type = FIELD_PREFIX4,
      .flags = FIELD_REQUIRED,
      .doc = "Addresses of the network, for example 10.20.0.0/24." },
    { .name = "gateway",
      .type = FIELD_IPV4,
      .doc = "The network's own address; absent: the subnet's first." },
    { .name = "dhcp", .type = FIELD_BOOL, .fallback = "true", .doc = "Serve DHCP." },
    { 0 },
};
static const struct field ipv6_fields[] = {
    { .name = "subnet",
      .type = FIELD_PREFIX6,
      .flags = FIELD_REQUIRED,
      .doc = "A /64, for example fd00:20::/64." },
    { .name = "gateway",
      .type = FIELD_IPV6,
      .doc = "The network's own address; absent: the subnet's first." },
    { 0 },
};
static const struct field dns_fields[] = {
    { .name = "domain",
      .type = FIELD_SUBDOMAIN,
      .doc = "Suffix of the instances' names; absent: NETWORK.NAMESPACE.internal." },
    { .name = "servers",
      .type = FIELD_LIST,
      .item = ITEM_OF(FIELD_IP),
      .max = 4,
      .doc = "Where other names are asked, with nat; absent: the host's resolvers." },
    { 0 },
};

static const struct field spec_fields[] = {
    { .name = "ipv4",
      OBJECT(ipv4_fields),
      .flags = FIELD_IMMUTABLE,
      .doc = "IPv4 of the network." },
    { .name = "ipv6",
      OBJECT(ipv6_fields),
      .flags = FIELD_IMMUTABLE,
      .doc = "IPv6 of the network." },
    { .name = "nat",
      .type = FIELD_BOOL,
      .fallback = "false",
      .doc = "Instances reach the outside through the host's addresses." },
    { .name = "dns", OBJECT(dns_fields), .fallback = "{}", .doc = "Names." },
    { .name = "mtu",
      .type = FIELD_INT,
      .flags = FIELD_IMMUTABLE,
      .min = 1280,
      .max = 9000,
      .fallback = "1500",
      .doc = "Largest packet, in bytes." },
    { 0 },
};

static const struct field status_fields[] = {
    STATUS_COMMON,
    PHASE("Whether it can be used.",
          "Pending", "Ready", "Failed", "Terminating"),
    { .name = "message", .type = FIELD_TEXT, .doc = "What is wrong." },
    { .name = "gateway", .type = FIELD_IPV4, .doc = "The network's own IPv4 address." },
    { .name = "gateway6", .type = FIELD_IPV6, .doc = "The network's own IPv6 address." },
    { .name = "domain", .type = FIELD_TEXT, .doc = "Suffix of the instances' names." },
    { .name = "ports", .type = FIELD_INT, .doc = "Network cards connected." },
    { 0 },
};

static const struct field fields[] = {
    SPEC(spec_fields, "What the network should be."),
    STATUS(status_fields, "What it is."),
    { 0 },
};

static const struct column columns[] = {
    COLUMN_NAME,
    { "Phase", "string", "status.phase", 0, "Whether it can be used" },
    { "IPv4", "string", "spec.ipv4.subnet", 0, "IPv4 subnet" },
    { "IPv6", "string", "spec.ipv6.subnet", 0, "IPv6 subnet" },
    { "NAT", "boolean", "spec.nat", 0, "Instances reach the outside" },
    { "Ports", "integer", "status.ports", 0, "Network cards connected" },
    COLUMN_AGE,
    { "Domain", "string", "status.domain", 1, "Suffix of the instances' names" },
    { "Message", "string", "status.message", 1, "What is wrong" },
    { 0 },
};

/* Not loopback, multicast, link-local, reserved or unspecified: a guest can use the address. */
static bool is_usable(const struct ip_prefix *subnet)
{
    static const char *const unusable[] = { "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16",
                                            "224.0.0.0/3", "::/64",     "fe80::/10", "ff00::/8" };
    struct ip_prefix prefix;
    struct err err;

    for (size_t i = 0; i < sizeof unusable / sizeof unusable[0]; i++)
        if (ip_prefix_parse(unusable[i], &prefix, &err) == 0 && ip_prefix_overlaps(&prefix, subnet))
            return false;
    return true;
}

/* An address inside that is neither the subnet's own nor its broadcast address. */
static bool can_be_gateway(const struct ip_prefix *subnet, const struct ip_addr *gateway)
{
    struct ip_addr last;

    return ip_prefix_contains(subnet, gateway) && !ip_equal(gateway, &subnet->addr) &&
           (gateway->family == 6 || !ip_prefix_last(subnet, &last) || !ip_equal(gateway, &last));
}

static void check_subnet(const json_t *object, const char *path, const struct ip_prefix *subnet,
                         struct causes *causes)
{
    const json_t *value = json_at(object, path);

    if (subnet->addr.family == 4 && (subnet->length < 8 || subnet->length > 30))
        causes_invalid(causes, path, value, "must have a length from /8 to /30");
    else if (subnet->addr.family == 6 && subnet->length != 64)
        causes_invalid(causes, path, value, "must be a /64");
    else if (!is_usable(subnet))
        causes_invalid(causes, path, value,
                       "must not be loopback, link-local, multicast or reserved addresses; use for "
                       "example %s", subnet->addr.family == 4 ? "10.20.0.0/24" : "fd00:20::/64");
}

static void check_gateway(const json_t *object, const char *family, struct causes *causes)
{
    auto_free char *subnet_path = str_printf("spec.%s.subnet", family);
    auto_free char *gateway_path = str_printf("spec.%s.gateway", family);
    const char *subnet_text = json_text_at(object, subnet_path, NULL);
    const char *gateway_text = json_text_at(object, gateway_path, NULL);
    struct ip_prefix subnet;
    struct ip_addr gateway;
    struct err err;

    if (!subnet_text || ip_prefix_parse(subnet_text, &subnet, &err) < 0)
        return;
    check_subnet(object, subnet_path, &subnet, causes);
    if (gateway_text && ip_parse(gateway_text, &gateway, &err) == 0 &&
        !can_be_gateway(&subnet, &gateway))
        causes_invalid(causes, gateway_path, json_at(object, gateway_path),
                       "must be an address inside %s that a machine can have", subnet_text);
}

static void check(const json_t *object, const json_t *old, struct causes *causes)
{
    if (!json_at(object, "spec.ipv4") && !json_at(object, "spec.ipv6"))
        causes_add(causes, "FieldValueRequired", "spec.ipv4.subnet",
                   "Required value: give spec.ipv4.subnet, spec.ipv6.subnet or both");
    check_gateway(object, "ipv4", causes);
    check_gateway(object, "ipv6", causes);
}

const struct kind kind_network = {
    VIRGA_KIND("Network", "networks", "network"),
    .short_names = TEXTS("net"),
    .categories = TEXTS("all", "virga"),
    .flags = KIND_NAMESPACED | KIND_HAS_STATUS | KIND_LABEL_NAME,
    .doc = "A virtual network of its own: a switch with addresses, DHCP, DNS and a firewall. "
           "Instances of different networks cannot reach each other.",
    .fields = fields,
    .columns = columns,
    .check = check,
};
