/* Bad values of every field type: which field is named, and with which words. */
#include "parsed.h"
#include "kinds/tables/shapes.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct field part_fields[] = {
    { .name = "name", .type = FIELD_NAME, .flags = FIELD_REQUIRED, .doc = "Key." },
    { .name = "size", .type = FIELD_QUANTITY, .flags = FIELD_GROWS, .doc = "Size." },
    { .name = "fixed", .type = FIELD_TEXT, .flags = FIELD_IMMUTABLE, .doc = "Fixed." },
    { 0 },
};

static const struct field spec_fields[] = {
    { .name = "text", .type = FIELD_TEXT, .min = 2, .max = 8, .doc = "Text." },
    { .name = "long", .type = FIELD_TEXT, .doc = "Text without a bound of its own." },
    { .name = "label", .type = FIELD_NAME, .doc = "Label." },
    { .name = "subdomain", .type = FIELD_SUBDOMAIN, .doc = "Subdomain." },
    { .name = "int", .type = FIELD_INT, .min = 1, .max = 9, .doc = "Integer." },
    { .name = "bool", .type = FIELD_BOOL, .doc = "Boolean." },
    { .name = "number", .type = FIELD_NUMBER, .min = 1, .max = 9, .doc = "Number." },
    { .name = "enum", .type = FIELD_ENUM, .values = TEXTS("On", "Off"), .doc = "Choice." },
    { .name = "quantity", .type = FIELD_QUANTITY, .min = 1024, .max = 4096, .doc = "Size." },
    { .name = "any_quantity", .type = FIELD_QUANTITY, .doc = "Size." },
    { .name = "duration", .type = FIELD_DURATION, .max = 60000, .doc = "Duration." },
    { .name = "time", .type = FIELD_TIME, .doc = "Time." },
    { .name = "ip", .type = FIELD_IP, .doc = "Address." },
    { .name = "ipv4", .type = FIELD_IPV4, .doc = "IPv4 address." },
    { .name = "ipv6", .type = FIELD_IPV6, .doc = "IPv6 address." },
    { .name = "prefix4", .type = FIELD_PREFIX4, .doc = "IPv4 prefix." },
    { .name = "prefix6", .type = FIELD_PREFIX6, .doc = "IPv6 prefix." },
    { .name = "mac", .type = FIELD_MAC, .doc = "MAC address." },
    { .name = "port", .type = FIELD_PORT, .doc = "Port." },
    { .name = "url", .type = FIELD_URL, .max = 64, .doc = "URL." },
    { .name = "path", .type = FIELD_PATH, .doc = "Path." },
    { .name = "base64", .type = FIELD_BASE64, .doc = "Bytes." },
    { .name = "object", .type = FIELD_OBJECT, .fields = part_fields, .doc = "Object." },
    { .name = "list",
      .type = FIELD_LIST,
      .key = "name",
      .item = OBJECT_ITEM(part_fields),
      .max = 3,
      .doc = "List." },
    { .name = "set",
      .type = FIELD_LIST,
      .flags = FIELD_LIST_SET,
      .item = ENUM_ITEM(TEXTS("A", "B")),
      .doc = "Set." },
    { .name = "map", .type = FIELD_MAP, .item = ITEM_OF(FIELD_IPV4), .doc = "Map." },
    { .name = "any", .type = FIELD_ANY, .doc = "Anything." },
    { .name = "fixed", .type = FIELD_TEXT, .flags = FIELD_IMMUTABLE, .doc = "Fixed." },
    { .name = "once", .type = FIELD_TEXT, .flags = FIELD_SET_ONCE, .doc = "Set once." },
    { .name = "grows", .type = FIELD_QUANTITY, .flags = FIELD_GROWS, .doc = "Grows." },
    { 0 },
};
static const struct field fields[] = {
    { .name = "spec",
      .type = FIELD_OBJECT,
      .flags = FIELD_REQUIRED,
      .fields = spec_fields,
      .doc = "Wanted." },
    { 0 },
};
static const struct kind thing = { .group = VIRGA_GROUP,
                                   .version = VIRGA_API_V1,
                                   .name = "Thing",
                                   .plural = "things",
                                   .singular = "thing",
                                   .flags = KIND_NAMESPACED,
                                   .doc = "For tests.",
                                   .fields = fields };

static json_t *thing_with(const char *spec)
{
    auto_free char *text = str_printf("{\"metadata\":{\"name\":\"a\"},\"spec\":%s}", spec);

    return parse(text);
}

/* "field: message" of the only cause there is, "" when there is none; more than one fails. */
static char *only_cause(const json_t *object, const json_t *old)
{
    auto_causes struct causes causes = { 0 };

    kind_validate(&thing, object, old, &causes);
    if (causes.count > 1)
        check_fail(CHECK_HERE, "more than one cause: %s: %s and %s: %s", causes.items[0].field,
                   causes.items[0].message, causes.items[1].field, causes.items[1].message);
    return causes.count ? str_printf("%s: %s", causes.items[0].field, causes.items[0].message)
                        : str_dup("");
}

struct row {
    const char *spec, *cause;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        auto_json json_t *object = thing_with(rows[i].spec);
        auto_free char *cause = only_cause(object, NULL);

        if (strcmp(cause, rows[i].cause) != 0)
            check_fail(CHECK_HERE, "%s gives\n  %s\nnot\n  %s", rows[i].spec, cause, rows[i].cause);
    }
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof rows / sizeof rows[0])

#define LABEL_RULE                                                                                 \
    "must be an RFC 1123 label: lower case letters, digits and '-', beginning and ending with a "  \
    "letter or digit, at most 63 characters"
#define SUBDOMAIN_RULE                                                                             \
    "must be an RFC 1123 subdomain: lower case letters, digits, '-' and '.', beginning and "       \
    "ending with a letter or digit, at most 253 characters"
#define SUFFIX_RULE                                                                                \
    "is not a quantity: a number may be followed by one of n u m k M G T P E Ki Mi Gi Ti Pi Ei, "  \
    "as in 2Gi or 500m"
#define DURATION_RULE                                                                              \
    "is not a duration: numbers with the units h, m, s or ms, as in 30s or 1h30m"

TEST(what_is_right_passes)
{
    static const struct row rows[] = {
        { "{}", "" },
        { "{\"text\":\"ab\",\"label\":\"a-1\",\"subdomain\":\"a.b-c\",\"int\":9,\"bool\":false}", "" },
        { "{\"number\":1.5,\"enum\":\"Off\",\"quantity\":\"2Ki\",\"duration\":\"1m\"}", "" },
        { "{\"quantity\":2048,\"number\":3,\"any_quantity\":\"0\"}", "" },
        { "{\"time\":\"2026-11-21T02:13:36Z\",\"ip\":\"fd00::1\",\"ipv4\":\"10.0.0.1\"}", "" },
        { "{\"ipv6\":\"::1\",\"prefix4\":\"10.0.0.0/8\",\"prefix6\":\"fd00::/64\"}", "" },
        { "{\"mac\":\"52:54:00:12:34:56\",\"port\":65535,\"url\":\"https://a/b\"}", "" },
        { "{\"path\":\"/a/..b/c\",\"base64\":\"Zm9v\",\"object\":{\"name\":\"a\"}}", "" },
        { "{\"list\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"set\":[\"A\",\"B\"]}", "" },
        { "{\"map\":{\"x\":\"10.0.0.1\"},\"any\":[1,{\"a\":null}]}", "" },
    };
    CHECK_ROWS(rows);
}

TEST(wrong_text_and_names_are_named)
{
    static const struct row rows[] = {
        { "{\"text\":\"a\"}", "spec.text: Invalid value: \"a\": must be at least 2 characters" },
        { "{\"text\":\"123456789\"}", "spec.text: Too long: may not be more than 8 bytes" },
        { "{\"text\":1}", "spec.text: Invalid value: 1: must be of type string" },
        { "{\"text\":[]}", "spec.text: Invalid value: []: must be of type string" },
        { "{\"label\":\"\"}", "spec.label: Invalid value: \"\": " LABEL_RULE },
        { "{\"label\":\"A\"}", "spec.label: Invalid value: \"A\": " LABEL_RULE },
        { "{\"label\":\"a.b\"}", "spec.label: Invalid value: \"a.b\": " LABEL_RULE },
        { "{\"label\":\"-a\"}", "spec.label: Invalid value: \"-a\": " LABEL_RULE },
        { "{\"label\":\"a\\n\"}", "spec.label: Invalid value: \"a\\n\": " LABEL_RULE },
        { "{\"subdomain\":\"a..b\"}", "spec.subdomain: Invalid value: \"a..b\": " SUBDOMAIN_RULE },
        { "{\"subdomain\":\"../b\"}", "spec.subdomain: Invalid value: \"../b\": " SUBDOMAIN_RULE },
        { "{\"subdomain\":\"a_b\"}", "spec.subdomain: Invalid value: \"a_b\": " SUBDOMAIN_RULE },
        { "{\"enum\":\"on\"}",
          "spec.enum: Unsupported value: \"on\": supported values: \"On\", \"Off\"" },
        { "{\"enum\":true}", "spec.enum: Invalid value: true: must be of type string" },
    };
    CHECK_ROWS(rows);
}

TEST(wrong_numbers_are_named)
{
    static const struct row rows[] = {
        { "{\"int\":0}", "spec.int: Invalid value: 0: must be from 1 to 9" },
        { "{\"int\":10}", "spec.int: Invalid value: 10: must be from 1 to 9" },
        { "{\"int\":2.0}", "spec.int: Invalid value: 2.0: must be of type integer" },
        { "{\"int\":\"2\"}", "spec.int: Invalid value: \"2\": must be of type integer" },
        { "{\"bool\":\"true\"}", "spec.bool: Invalid value: \"true\": must be of type boolean" },
        { "{\"bool\":0}", "spec.bool: Invalid value: 0: must be of type boolean" },
        { "{\"number\":0.5}", "spec.number: Invalid value: 0.5: must be from 1 to 9" },
        { "{\"number\":\"1\"}", "spec.number: Invalid value: \"1\": must be of type number" },
        { "{\"port\":0}", "spec.port: Invalid value: 0: must be from 1 to 65535" },
        { "{\"port\":65536}", "spec.port: Invalid value: 65536: must be from 1 to 65535" },
        { "{\"port\":\"ssh\"}", "spec.port: Invalid value: \"ssh\": must be of type integer" },
        { "{\"quantity\":\"12Q\"}", "spec.quantity: Invalid value: \"12Q\": \"12Q\" " SUFFIX_RULE },
        { "{\"quantity\":\"\"}",
          "spec.quantity: Invalid value: \"\": \"\" is not a quantity, a number such as 2Gi, 500m "
          "or 1.5" },
        { "{\"quantity\":\"0\"}", "spec.quantity: Invalid value: \"0\": must be from 1Ki to 4Ki" },
        { "{\"quantity\":-1}", "spec.quantity: Invalid value: -1: must be from 1Ki to 4Ki" },
        { "{\"quantity\":\"5Ki\"}", "spec.quantity: Invalid value: \"5Ki\": must be from 1Ki to 4Ki" },
        { "{\"any_quantity\":\"-1\"}",
          "spec.any_quantity: Invalid value: \"-1\": must not be negative" },
        { "{\"any_quantity\":true}",
          "spec.any_quantity: Invalid value: true: must be a quantity such as \"512Mi\", \"2Gi\" "
          "or \"500m\"" },
        { "{\"duration\":\"5\"}", "spec.duration: Invalid value: \"5\": \"5\" " DURATION_RULE },
        { "{\"duration\":\"2m\"}", "spec.duration: Invalid value: \"2m\": must be from 0s to 1m" },
        { "{\"duration\":30}", "spec.duration: Invalid value: 30: must be of type string" },
        { "{\"time\":\"now\"}",
          "spec.time: Invalid value: \"now\": \"now\" is not a time as in RFC 3339, such as "
          "2026-11-21T02:13:36Z" },
    };
    CHECK_ROWS(rows);
}

TEST(wrong_addresses_are_named)
{
    static const struct row rows[] = {
        { "{\"ip\":\"10.0.0\"}",
          "spec.ip: Invalid value: \"10.0.0\": \"10.0.0\" is not an IP address, such as 10.0.0.1 "
          "or fd00::1" },
        { "{\"ipv4\":\"fd00::1\"}", "spec.ipv4: Invalid value: \"fd00::1\": must be IPv4, such as 10.0.0.1" },
        { "{\"ipv6\":\"10.0.0.1\"}", "spec.ipv6: Invalid value: \"10.0.0.1\": must be IPv6, such as fd00::1" },
        { "{\"prefix4\":\"10.0.0.0\"}",
          "spec.prefix4: Invalid value: \"10.0.0.0\": \"10.0.0.0\" is not an address and prefix "
          "length, such as 10.0.0.0/24" },
        { "{\"prefix4\":\"10.0.0.1/24\"}",
          "spec.prefix4: Invalid value: \"10.0.0.1/24\": \"10.0.0.1/24\" has host bits set; the "
          "prefix is 10.0.0.0/24" },
        { "{\"prefix4\":\"fd00::/64\"}",
          "spec.prefix4: Invalid value: \"fd00::/64\": must be IPv4, such as 10.0.0.0/24" },
        { "{\"prefix6\":\"10.0.0.0/8\"}",
          "spec.prefix6: Invalid value: \"10.0.0.0/8\": must be IPv6, such as fd00::/64" },
        { "{\"mac\":\"52:54\"}",
          "spec.mac: Invalid value: \"52:54\": \"52:54\" is not a MAC address, such as "
          "52:54:00:12:34:56" },
        { "{\"mac\":\"01:00:00:00:00:01\"}",
          "spec.mac: Invalid value: \"01:00:00:00:00:01\": MAC address 01:00:00:00:00:01 is a "
          "multicast address" },
        { "{\"url\":\"ftp://a\"}",
          "spec.url: Invalid value: \"ftp://a\": must be an http:// or https:// address" },
        { "{\"url\":\"file:///etc/shadow\"}",
          "spec.url: Invalid value: \"file:///etc/shadow\": must be an http:// or https:// "
          "address" },
        { "{\"url\":\"http:///x\"}",
          "spec.url: Invalid value: \"http:///x\": must be an http:// or https:// address" },
        { "{\"url\":\"http://a b\"}",
          "spec.url: Invalid value: \"http://a b\": must be an http:// or https:// address" },
        { "{\"path\":\"a/b\"}",
          "spec.path: Invalid value: \"a/b\": must be an absolute path without \"..\"" },
        { "{\"path\":\"/a/../b\"}",
          "spec.path: Invalid value: \"/a/../b\": must be an absolute path without \"..\"" },
        { "{\"path\":\"/a/..\"}",
          "spec.path: Invalid value: \"/a/..\": must be an absolute path without \"..\"" },
        { "{\"base64\":\"Zg=\"}", "spec.base64: Invalid value: \"Zg=\": must be base64 (RFC 4648)" },
        { "{\"base64\":\"Zg==Zg==\"}",
          "spec.base64: Invalid value: \"Zg==Zg==\": must be base64 (RFC 4648)" },
    };
    CHECK_ROWS(rows);
}

TEST(wrong_structures_are_named)
{
    static const struct row rows[] = {
        { "[]", "spec: Invalid value: []: must be of type object" },
        { "null", "spec: Required value" },
        { "{\"object\":[]}", "spec.object: Invalid value: []: must be of type object" },
        { "{\"object\":{}}", "spec.object.name: Required value" },
        { "{\"object\":{\"name\":null}}", "spec.object.name: Required value" },
        { "{\"list\":{}}", "spec.list: Invalid value: {}: must be of type array" },
        { "{\"list\":[1]}", "spec.list[0]: Invalid value: 1: must be of type object" },
        { "{\"list\":[{\"name\":\"a\"},{\"size\":1}]}", "spec.list[1].name: Required value" },
        { "{\"list\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
          "spec.list[1].name: Duplicate value: \"a\"" },
        { "{\"list\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"},{\"name\":\"d\"}]}",
          "spec.list: Too many: 4: must have at most 3 items" },
        { "{\"list\":[{\"name\":\"a\",\"size\":\"x\"}]}",
          "spec.list[0].size: Invalid value: \"x\": \"x\" is not a quantity, a number such as 2Gi, "
          "500m or 1.5" },
        { "{\"set\":[\"A\",\"A\"]}", "spec.set[1]: Duplicate value: \"A\"" },
        { "{\"set\":[\"A\",\"C\"]}",
          "spec.set[1]: Unsupported value: \"C\": supported values: \"A\", \"B\"" },
        { "{\"map\":{\"k\":\"x\"}}",
          "spec.map[k]: Invalid value: \"x\": \"x\" is not an IP address, such as 10.0.0.1 or "
          "fd00::1" },
        { "{\"map\":[]}", "spec.map: Invalid value: []: must be of type object" },
    };
    CHECK_ROWS(rows);
}

TEST(a_text_has_a_bound_even_when_its_field_names_none)
{
    char text[4097 + sizeof "{\"long\":\"\"}"] = "{\"long\":\"";
    size_t head = strlen(text);

    memset(text + head, 'x', 4097);
    strcpy(text + head + 4097, "\"}");
    auto_json json_t *object = thing_with(text);
    auto_free char *cause = only_cause(object, NULL);
    CHECK_STR(cause, "spec.long: Too long: may not be more than 4096 bytes");
}

TEST(a_huge_value_is_cut_in_the_message)
{
    char text[1500] = "{\"label\":\"";
    size_t head = strlen(text);

    memset(text + head, 'x', 1000);
    strcpy(text + head + 1000, "\"}");
    auto_json json_t *object = thing_with(text);
    auto_free char *cause = only_cause(object, NULL);
    CHECK(strlen(cause) < 500);
    CHECK_CONTAINS(cause, LABEL_RULE);
}

TEST(every_wrong_field_gets_a_cause_of_its_own)
{
    auto_json json_t *object = thing_with("{\"int\":0,\"mac\":\"x\",\"list\":[{},{}]}");
    auto_causes struct causes causes = { 0 };

    kind_validate(&thing, object, NULL, &causes);
    CHECK_EQ(causes.count, 4);
    CHECK_STR(causes.items[0].field, "spec.int");
    CHECK_STR(causes.items[1].field, "spec.mac");
    CHECK_STR(causes.items[2].field, "spec.list[0].name");
    CHECK_STR(causes.items[3].field, "spec.list[1].name");
}

TEST(the_number_of_causes_is_bounded)
{
    auto_causes struct causes causes = { 0 };

    for (int i = 0; i < 1000; i++)
        causes_add(&causes, "FieldValueInvalid", "a", "%d", i);
    CHECK(causes.count > 10 && causes.count < 1000);
}

/* --- changes --- */

struct change {
    const char *old, *now, *cause;
};

TEST(a_change_is_judged_by_what_was)
{
    static const struct change rows[] = {
        { "{\"fixed\":\"a\"}", "{\"fixed\":\"a\"}", "" },
        { "{\"fixed\":\"a\"}", "{\"fixed\":\"b\"}",
          "spec.fixed: Invalid value: \"b\": field is immutable" },
        { "{\"fixed\":\"a\"}", "{}", "spec.fixed: Invalid value: null: field is immutable" },
        { "{}", "{\"fixed\":\"b\"}", "spec.fixed: Invalid value: \"b\": field is immutable" },
        { "{}", "{\"fixed\":null}", "" },
        { "{}", "{\"once\":\"b\"}", "" },
        { "{\"once\":\"a\"}", "{\"once\":\"b\"}",
          "spec.once: Invalid value: \"b\": can be set only once" },
        { "{\"once\":\"a\"}", "{}", "spec.once: Invalid value: null: can be set only once" },
        { "{\"grows\":\"1Gi\"}", "{\"grows\":\"2Gi\"}", "" },
        { "{\"grows\":\"1Gi\"}", "{\"grows\":\"1024Mi\"}", "" },
        { "{\"grows\":\"2Gi\"}", "{\"grows\":\"1Gi\"}",
          "spec.grows: Invalid value: \"1Gi\": may grow but not shrink (now \"2Gi\")" },
        { "{\"grows\":\"1Gi\"}", "{\"grows\":1073741823}",
          "spec.grows: Invalid value: 1073741823: may grow but not shrink (now \"1Gi\")" },
        /* Items of a list are known again by their key, wherever they stand. */
        { "{\"list\":[{\"name\":\"a\",\"size\":2},{\"name\":\"b\",\"size\":8}]}",
          "{\"list\":[{\"name\":\"b\",\"size\":8},{\"name\":\"a\",\"size\":1}]}",
          "spec.list[1].size: Invalid value: 1: may grow but not shrink (now 2)" },
        { "{\"list\":[{\"name\":\"a\",\"fixed\":\"x\"}]}", "{\"list\":[{\"name\":\"b\",\"fixed\":\"y\"}]}",
          "" },
        { "{}", "{\"object\":{\"name\":\"a\",\"fixed\":\"y\"}}", "" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_json json_t *old = thing_with(rows[i].old), *now = thing_with(rows[i].now);
        auto_free char *cause = only_cause(now, old);

        if (strcmp(cause, rows[i].cause) != 0)
            check_fail(CHECK_HERE, "%s after %s gives\n  %s\nnot\n  %s", rows[i].now, rows[i].old,
                       cause, rows[i].cause);
    }
}

/* --- metadata --- */

static char *metadata_cause(const char *metadata)
{
    auto_free char *text = str_printf("{\"metadata\":%s,\"spec\":{}}", metadata);
    auto_json json_t *object = parse(text);

    return only_cause(object, NULL);
}

TEST(metadata_is_judged_too)
{
#define KEY_RULE                                                                                   \
    "a key must be a name of at most 63 of A-Za-z0-9._-, with an optional DNS prefix and '/'"
    static const struct row rows[] = {
        { "{\"name\":\"a.b\"}", "" },
        { "{}", "metadata.name: Required value: name or generateName is required" },
        { "{\"name\":\"\"}", "metadata.name: Required value: name or generateName is required" },
        { "{\"name\":\"A\"}", "metadata.name: Invalid value: \"A\": " SUBDOMAIN_RULE },
        { "{\"name\":\"a/b\"}", "metadata.name: Invalid value: \"a/b\": " SUBDOMAIN_RULE },
        { "{\"name\":\"a\",\"labels\":{\"a/b/c\":\"\"}}",
          "metadata.labels: Invalid value: \"a/b/c\": " KEY_RULE },
        { "{\"name\":\"a\",\"labels\":{\"a\":\"b c\"}}",
          "metadata.labels: Invalid value: \"b c\": a value must be empty or at most 63 of "
          "A-Za-z0-9._-, beginning and ending with a letter or digit" },
        { "{\"name\":\"a\",\"annotations\":{\"\":\"\"}}",
          "metadata.annotations: Invalid value: \"\": " KEY_RULE },
        { "{\"name\":\"a\",\"annotations\":{\"a\":\"any \\u00e4 text\"}}", "" },
        { "{\"name\":\"a\",\"annotations\":{\"a\":1}}",
          "metadata.annotations[a]: Invalid value: 1: must be of type string" },
        { "{\"name\":\"a\",\"finalizers\":[\"x\",\"x\"]}",
          "metadata.finalizers[1]: Duplicate value: \"x\"" },
        { "{\"name\":\"a\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"K\",\"uid\":\"u\"}]}",
          "metadata.ownerReferences[0].name: Required value" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_free char *cause = metadata_cause(rows[i].spec);

        if (strcmp(cause, rows[i].cause) != 0)
            check_fail(CHECK_HERE, "%s gives\n  %s\nnot\n  %s", rows[i].spec, cause, rows[i].cause);
    }
}

TEST(annotations_are_bounded_together)
{
    auto_json json_t *object = thing_with("{}");
    auto_json json_t *annotations = json_object();
    auto_free char *text = malloc(100 * 1024 + 1);

    memset(text, 'x', 100 * 1024);
    text[100 * 1024] = '\0';
    for (int i = 0; i < 3; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        json_object_set_new(annotations, key, json_string(text));
    }
    json_set_at(object, "metadata.annotations", json_incref(annotations));
    auto_free char *cause = only_cause(object, NULL);
    CHECK_STR(cause, "metadata.annotations: Too long: may not be more than 262144 bytes");
}

/* --- unknown fields --- */

static char *unknown(json_t *object, bool prune)
{
    auto_causes struct causes causes = { 0 };
    auto_buf struct buf text = { 0 };

    kind_unknown_fields(&thing, object, prune, &causes);
    for (size_t i = 0; i < causes.count; i++)
        buf_printf(&text, "%s%s", i ? ", " : "", causes.items[i].message);
    return buf_take(&text);
}

TEST(unknown_fields_are_named_with_their_paths_and_removed)
{
    auto_json json_t *object =
        parse("{\"apiVersion\":\"v\",\"kind\":\"k\",\"bogus\":1,"
              "\"metadata\":{\"name\":\"a\",\"nam\":1,\"labels\":{\"free\":\"x\"}},"
              "\"spec\":{\"txt\":1,\"any\":{\"free\":1},\"map\":{\"free\":\"10.0.0.1\"},"
              "\"object\":{\"x\":1},\"list\":[{\"name\":\"a\"},{\"y\":1}]}}");

    auto_free char *kept = unknown(object, /*prune=*/false);
    auto_free char *first = unknown(object, /*prune=*/true);
    CHECK_STR(first, kept);
    CHECK_STR(first, "unknown field \"metadata.nam\", unknown field \"bogus\", "
                     "unknown field \"spec.txt\", unknown field \"spec.object.x\", "
                     "unknown field \"spec.list[1].y\"");
    auto_free char *again = unknown(object, /*prune=*/true);
    CHECK_STR(again, "");
    CHECK_STR(json_text_at(object, "metadata.labels.free", NULL), "x");
    CHECK_EQ(json_int_at(object, "spec.any.free", 0), 1);
}

TEST(values_of_the_wrong_type_are_left_for_validation)
{
    auto_json json_t *object = parse("{\"metadata\":[],\"spec\":{\"object\":7,\"list\":\"x\",\"map\":1}}");
    auto_free char *text = unknown(object, /*prune=*/true);

    CHECK_STR(text, "");
    CHECK_EQ(json_int_at(object, "spec.object", 0), 7);
}
