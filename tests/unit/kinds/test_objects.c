/* Bad objects of every kind there is: which field is named, and with which words. */
#include "parsed.h"
#include "kinds/tables/tables.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

/* 'text' is JSON with ' for ", so that rows can be read. */
static json_t *object_of(const char *text)
{
    auto_free char *json = str_dup(text);

    for (char *c = json; *c; c++)
        if (*c == '\'')
            *c = '"';
    return parse(json);
}

/* All causes as "field: message", joined by " | "; after defaults, as on the way in. */
static char *judge(const struct kind *kind, json_t *object, const json_t *old)
{
    auto_causes struct causes causes = { 0 };
    auto_buf struct buf text = { 0 };

    if (!json_object_get(object, "metadata"))
        json_set_at(object, "metadata.name", json_string("a"));
    kind_default(kind, object);
    kind_validate(kind, object, old, &causes);
    for (size_t i = 0; i < causes.count; i++)
        buf_printf(&text, "%s%s: %s", i ? " | " : "", causes.items[i].field, causes.items[i].message);
    return buf_take(&text);
}

struct row {
    const char *object, *causes;
};

static void check_rows(const struct kind *kind, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        auto_json json_t *object = object_of(rows[i].object);
        auto_free char *causes = judge(kind, object, NULL);

        if (strcmp(causes, rows[i].causes) != 0)
            check_fail(CHECK_HERE, "%s %s gives\n  %s\nnot\n  %s", kind->name, rows[i].object, causes,
                       rows[i].causes);
    }
}
#define CHECK_ROWS(kind, rows) check_rows(kind, rows, sizeof rows / sizeof rows[0])

static void check_change(const struct kind *kind, const char *before, const char *after,
                         const char *expected)
{
    auto_json json_t *old = object_of(before), *object = object_of(after);
    auto_free char *sound = judge(kind, old, NULL);
    CHECK_STR(sound, "");
    auto_free char *causes = judge(kind, object, old);
    CHECK_STR(causes, expected);
}

#define SUFFIX_RULE                                                                                \
    "is not a quantity: a number may be followed by one of n u m k M G T P E Ki Mi Gi Ti Pi Ei, "  \
    "as in 2Gi or 500m"
#define LABEL_RULE                                                                                 \
    "must be an RFC 1123 label: lower case letters, digits and '-', beginning and ending with a "  \
    "letter or digit, at most 63 characters"

TEST(instances)
{
    static const struct row rows[] = {
        { "{'spec':{'image':'x'}}", "" },
        { "{}", "spec.image: Required value: name an image or a snapshot, or set spec.rootDisk.size for a blank "
                "disk" },
        { "{'spec':{'rootDisk':{'size':'1Gi'}}}", "" },
        { "{'metadata':{'name':'a.b'},'spec':{'image':'x'}}",
          "metadata.name: Invalid value: \"a.b\": " LABEL_RULE },
        { "{'spec':{'image':'x','memory':'0'}}",
          "spec.memory: Invalid value: \"0\": must be from 16Mi to 16Ti" },
        { "{'spec':{'image':'x','memory':'-1'}}",
          "spec.memory: Invalid value: \"-1\": must be from 16Mi to 16Ti" },
        { "{'spec':{'image':'x','memory':'12Q'}}",
          "spec.memory: Invalid value: \"12Q\": \"12Q\" " SUFFIX_RULE },
        { "{'spec':{'image':'x','cpus':0}}", "spec.cpus: Invalid value: 0: must be from 1 to 255" },
        { "{'spec':{'image':'x','cpus':'2'}}",
          "spec.cpus: Invalid value: \"2\": must be of type integer" },
        { "{'spec':{'image':'X'}}",
          "spec.image: Invalid value: \"X\": must be an RFC 1123 subdomain: lower case letters, "
          "digits, '-' and '.', beginning and ending with a letter or digit, at most 253 "
          "characters" },
        { "{'spec':{'image':'x','rootDisk':{'size':'1'}}}",
          "spec.rootDisk.size: Invalid value: \"1\": must be from 1Mi to 64Ti" },
        { "{'spec':{'image':'x','rootDisk':{'deletePolicy':'Keep'}}}",
          "spec.rootDisk.deletePolicy: Unsupported value: \"Keep\": supported values: \"Delete\", "
          "\"Retain\"" },
        { "{'spec':{'image':'x','disks':[{'name':'d'}]}}", "spec.disks[0].volume: Required value" },
        { "{'spec':{'image':'x','disks':[{'name':'d','volume':'v'},{'name':'e','volume':'v'}]}}",
          "spec.disks[1].volume: Duplicate value: \"v\"" },
        { "{'spec':{'image':'x','networks':[{'name':'a','network':'n'},{'name':'a','network':'m'}]}}",
          "spec.networks[1].name: Duplicate value: \"a\"" },
        { "{'spec':{'image':'x','networks':[{'name':'a','network':'n','macAddress':'52:54:00:00:00:0a'},"
          "{'name':'b','network':'m','macAddress':'52:54:00:00:00:0A'}]}}",
          "spec.networks[1].macAddress: Duplicate value: \"52:54:00:00:00:0A\"" },
        { "{'spec':{'image':'x','networks':[{'name':'a','network':'n','ipv4Address':'10.0.0.2'},"
          "{'name':'b','network':'m','ipv4Address':'10.0.0.2'}]}}",
          "spec.networks[1].ipv4Address: Duplicate value: \"10.0.0.2\"" },
        { "{'spec':{'image':'x','networks':[{'name':'a','network':'n','ipv6Address':'fd00::1'},"
          "{'name':'b','network':'m','ipv6Address':'fd00:0::1'}]}}",
          "spec.networks[1].ipv6Address: Duplicate value: \"fd00:0::1\"" },
        { "{'spec':{'image':'x','networks':[{'name':'a','network':'n','macAddress':'33:33:00:00:00:01'}]}}",
          "spec.networks[0].macAddress: Invalid value: \"33:33:00:00:00:01\": MAC address "
          "33:33:00:00:00:01 is a multicast address" },
        { "{'spec':{'image':'x','hostname':'a b'}}",
          "spec.hostname: Invalid value: \"a b\": " LABEL_RULE },
        { "{'spec':{'image':'x','userData':'a','userDataSecret':{'name':'s'}}}",
          "spec.userDataSecret: Forbidden: may not be set together with spec.userData" },
        { "{'spec':{'image':'x','userDataSecret':{}}}", "spec.userDataSecret.name: Required value" },
        { "{'spec':{'image':'x','firmware':'bios'}}",
          "spec.firmware: Unsupported value: \"bios\": supported values: \"BIOS\", \"UEFI\"" },
        { "{'spec':{'image':'x','bootOrder':['Disk','Disk']}}",
          "spec.bootOrder[1]: Duplicate value: \"Disk\"" },
        { "{'spec':{'image':'x','bootOrder':['Tape']}}",
          "spec.bootOrder[0]: Unsupported value: \"Tape\": supported values: \"Disk\", \"CDROM\", "
          "\"Network\"" },
        { "{'spec':{'image':'x','powerState':'On'}}",
          "spec.powerState: Unsupported value: \"On\": supported values: \"Running\", \"Stopped\", "
          "\"Paused\"" },
        { "{'spec':{'image':'x','restartPolicy':'Sometimes'}}",
          "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", "
          "\"OnFailure\", \"Never\"" },
        { "{'spec':{'image':'x','stopTimeout':'2d'}}",
          "spec.stopTimeout: Invalid value: \"2d\": \"2d\" is not a duration: numbers with the "
          "units h, m, s or ms, as in 30s or 1h30m" },
        { "{'spec':{'image':'x','stopTimeout':'25h'}}",
          "spec.stopTimeout: Invalid value: \"25h\": must be from 0s to 24h" },
        { "{'spec':{'image':'x','restartAt':'tomorrow'}}",
          "spec.restartAt: Invalid value: \"tomorrow\": \"tomorrow\" is not a time as in RFC 3339, "
          "such as 2026-11-21T02:13:36Z" },
        { "{'spec':{'image':'x','cdrom':{}}}", "spec.cdrom.image: Required value" },
        { "{'spec':{'image':'x','guestAgent':'yes'}}",
          "spec.guestAgent: Invalid value: \"yes\": must be of type boolean" },
        { "{'spec':{'image':'x','sshKeys':['ssh-ed25519 AAAAC3Nz me','no-pty,from=a ssh-rsa AAAAB3Nz']}}", "" },
        { "{'spec':{'image':'x','sshKeys':['ssh-ed25519 AAAAC3Nz me','me@host']}}",
          "spec.sshKeys[1]: Invalid value: must be one line of authorized_keys, as \"ssh-ed25519 AAAA... name\"" },
        { "{'spec':{'image':'x','sshKeys':['ssh-rsa AAAAB3Nz me\\nssh-rsa AAAAB3Nz you']}}",
          "spec.sshKeys[0]: Invalid value: must be one line of authorized_keys, as \"ssh-ed25519 AAAA... name\"" },
        { "{'spec':{'image':'x','sshKeys':['-----BEGIN OPENSSH PRIVATE KEY-----']}}",
          "spec.sshKeys[0]: Invalid value: must be one line of authorized_keys, as \"ssh-ed25519 AAAA... name\"; "
          "this is a private key" },
    };
    CHECK_ROWS(&kind_instance, rows);
}

TEST(changes_of_an_instance)
{
    check_change(&kind_instance, "{'spec':{'image':'x','rootDisk':{'size':'2Gi'}}}",
                 "{'spec':{'image':'x','rootDisk':{'size':'1Gi'}}}",
                 "spec.rootDisk.size: Invalid value: \"1Gi\": may grow but not shrink (now \"2Gi\")");
    check_change(&kind_instance, "{'spec':{'image':'x'}}", "{'spec':{'image':'y'}}",
                 "spec.image: Invalid value: \"y\": field is immutable");
    check_change(&kind_instance, "{'spec':{'image':'x'}}",
                 "{'spec':{'image':'x','rootDisk':{'pool':'other'}}}",
                 "spec.rootDisk.pool: Invalid value: \"other\": field is immutable");
    check_change(&kind_instance, "{'spec':{'image':'x'}}",
                 "{'spec':{'image':'x','memory':'1Gi','cpus':2,'firmware':'UEFI','powerState':'Stopped'}}", "");
}

TEST(images)
{
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CHECKSUM_RULE                                                                              \
    "must be \"sha256:\" and 64 hexadecimal digits, or \"sha512:\" and 128"
    static const struct row rows[] = {
        { "{'spec':{'source':{'upload':true}}}", "" },
        { "{'spec':{'source':{'url':'http://a/b','checksum':'sha256:" HEX64 "'}}}", "" },
        { "{'spec':{'source':{'url':'http://a/b','checksum':'sha512:" HEX64 HEX64 "'}}}", "" },
        { "{'spec':{'source':{'url':'http://a/b','checksum':'" HEX64 "'}}}", "" },
        { "{}", "spec: Required value" },
        { "{'spec':{}}", "spec.source: Required value" },
        { "{'spec':{'source':{}}}",
          "spec.source: Required value: exactly one of url and upload: true" },
        { "{'spec':{'source':{'upload':true,'url':'http://a/b'}}}",
          "spec.source: Required value: exactly one of url and upload: true" },
        { "{'spec':{'source':{'url':'ftp://a/b'}}}",
          "spec.source.url: Invalid value: \"ftp://a/b\": must be an http:// or https:// address" },
        { "{'spec':{'source':{'upload':true,'checksum':'md5:00'}}}",
          "spec.source.checksum: Invalid value: \"md5:00\": " CHECKSUM_RULE },
        { "{'spec':{'source':{'upload':true,'checksum':''}}}",
          "spec.source.checksum: Invalid value: \"\": " CHECKSUM_RULE },
        { "{'spec':{'source':{'upload':true,'checksum':'sha512:" HEX64 "'}}}",
          "spec.source.checksum: Invalid value: \"sha512:" HEX64 "\": " CHECKSUM_RULE },
        { "{'spec':{'source':{'upload':true,'checksum':'sha256:x" HEX64 "'}}}",
          "spec.source.checksum: Invalid value: \"sha256:x" HEX64 "\": " CHECKSUM_RULE },
    };
    CHECK_ROWS(&kind_image, rows);
    check_change(&kind_image, "{'spec':{'source':{'upload':true}}}",
                 "{'spec':{'source':{'url':'http://a/b'}}}",
                 "spec.source: Invalid value: {\"url\":\"http://a/b\"}: field is immutable");
    check_change(&kind_image, "{'spec':{'source':{'upload':true}}}",
                 "{'spec':{'source':{'upload':true},'description':'x'}}", "");
}

TEST(pools)
{
    static const struct row rows[] = {
        { "{'spec':{'type':'Directory','directory':{'path':'/srv/x'}}}", "" },
        { "{'spec':{}}", "spec.type: Required value" },
        { "{'spec':{'type':'LVM'}}",
          "spec.type: Unsupported value: \"LVM\": supported values: \"Directory\"" },
        { "{'spec':{'type':'Directory'}}",
          "spec.directory.path: Required value: a pool of type Directory needs a path" },
        { "{'spec':{'type':'Directory','directory':{}}}", "spec.directory.path: Required value" },
        { "{'spec':{'type':'Directory','directory':{'path':'x'}}}",
          "spec.directory.path: Invalid value: \"x\": must be an absolute path without \"..\"" },
    };
    CHECK_ROWS(&kind_storage_pool, rows);
    check_change(&kind_storage_pool, "{'spec':{'type':'Directory','directory':{'path':'/a'}}}",
                 "{'spec':{'type':'Directory','directory':{'path':'/b'}}}",
                 "spec.directory: Invalid value: {\"path\":\"/b\"}: field is immutable");
}

TEST(volumes)
{
    static const struct row rows[] = {
        { "{'spec':{'size':'1Gi'}}", "" },
        { "{'spec':{'source':{'image':'x'}}}", "" },
        { "{'spec':{}}",
          "spec.size: Required value: a blank volume needs a size, for example \"10Gi\"" },
        { "{'spec':{'size':'100Ti'}}",
          "spec.size: Invalid value: \"100Ti\": must be from 1Mi to 64Ti" },
        { "{'spec':{'source':{'image':'x','volume':'y'}}}",
          "spec.source.volume: Forbidden: may not be set together with spec.source.image" },
        { "{'spec':{'source':{'snapshot':'x'}}}", "" },
        { "{'spec':{'source':{'image':'x','snapshot':'y'}}}",
          "spec.source.snapshot: Forbidden: may not be set together with another source" },
    };
    CHECK_ROWS(&kind_volume, rows);
    check_change(&kind_volume, "{'spec':{'size':'2Gi'}}", "{'spec':{'size':'1Gi'}}",
                 "spec.size: Invalid value: \"1Gi\": may grow but not shrink (now \"2Gi\")");
    check_change(&kind_volume, "{'spec':{'size':'2Gi'}}", "{'spec':{'size':'2Gi','pool':'p'}}",
                 "spec.pool: Invalid value: \"p\": field is immutable");
}

TEST(snapshots)
{
    static const struct row rows[] = {
        { "{'spec':{'instanceName':'web'}}", "" },
        { "{'spec':{'instanceName':'web','memory':false}}", "" },
        { "{'spec':{}}", "spec.instanceName: Required value" },
    };
    CHECK_ROWS(&kind_snapshot, rows);
    check_change(&kind_snapshot, "{'spec':{'instanceName':'a'}}", "{'spec':{'instanceName':'b'}}",
                 "spec.instanceName: Invalid value: \"b\": field is immutable");
    check_change(&kind_snapshot, "{'spec':{'instanceName':'a'}}", "{'spec':{'instanceName':'a','memory':false}}",
                 "spec.memory: Invalid value: false: field is immutable");
}

TEST(networks)
{
#define UNUSABLE "must not be loopback, link-local, multicast or reserved addresses; use for example "
    static const struct row rows[] = {
        { "{'spec':{'ipv4':{'subnet':'10.0.0.0/24'}}}", "" },
        { "{'spec':{'ipv4':{'subnet':'10.0.0.0/24','gateway':'10.0.0.254'},"
          "'ipv6':{'subnet':'fd00:20::/64','gateway':'fd00:20::2'}}}",
          "" },
        { "{'spec':{}}",
          "spec.ipv4.subnet: Required value: give spec.ipv4.subnet, spec.ipv6.subnet or both" },
        { "{'metadata':{'name':'a.b'},'spec':{'ipv4':{'subnet':'10.0.0.0/24'}}}",
          "metadata.name: Invalid value: \"a.b\": " LABEL_RULE },
        { "{'spec':{'ipv4':{}}}", "spec.ipv4.subnet: Required value" },
        { "{'spec':{'ipv4':{'subnet':'10.0.0.5/24'}}}",
          "spec.ipv4.subnet: Invalid value: \"10.0.0.5/24\": \"10.0.0.5/24\" has host bits set; "
          "the prefix is 10.0.0.0/24" },
        { "{'spec':{'ipv4':{'subnet':'10.0.0.0/31'}}}",
          "spec.ipv4.subnet: Invalid value: \"10.0.0.0/31\": must have a length from /8 to /30" },
        { "{'spec':{'ipv4':{'subnet':'127.0.0.0/24'}}}",
          "spec.ipv4.subnet: Invalid value: \"127.0.0.0/24\": " UNUSABLE "10.20.0.0/24" },
        { "{'spec':{'ipv4':{'subnet':'240.0.0.0/24'}}}",
          "spec.ipv4.subnet: Invalid value: \"240.0.0.0/24\": " UNUSABLE "10.20.0.0/24" },
        { "{'spec':{'ipv6':{'subnet':'fe80::/64'}}}",
          "spec.ipv6.subnet: Invalid value: \"fe80::/64\": " UNUSABLE "fd00:20::/64" },
        { "{'spec':{'ipv6':{'subnet':'fd00::/56'}}}",
          "spec.ipv6.subnet: Invalid value: \"fd00::/56\": must be a /64" },
        { "{'spec':{'ipv4':{'subnet':'10.0.0.0/24','gateway':'10.0.1.1'}}}",
          "spec.ipv4.gateway: Invalid value: \"10.0.1.1\": must be an address inside 10.0.0.0/24 "
          "that a machine can have" },
        { "{'spec':{'ipv4':{'subnet':'10.0.0.0/24','gateway':'10.0.0.255'}}}",
          "spec.ipv4.gateway: Invalid value: \"10.0.0.255\": must be an address inside "
          "10.0.0.0/24 that a machine can have" },
        { "{'spec':{'ipv6':{'subnet':'fd00::/64','gateway':'fd00::'}}}",
          "spec.ipv6.gateway: Invalid value: \"fd00::\": must be an address inside fd00::/64 that "
          "a machine can have" },
        { "{'spec':{'ipv4':{'subnet':'10.0.0.0/24'},'mtu':100}}",
          "spec.mtu: Invalid value: 100: must be from 1280 to 9000" },
        { "{'spec':{'ipv4':{'subnet':'10.0.0.0/24'},'dns':{'servers':['a']}}}",
          "spec.dns.servers[0]: Invalid value: \"a\": \"a\" is not an IP address, such as 10.0.0.1 "
          "or fd00::1" },
        { "{'spec':{'ipv4':{'subnet':'10.0.0.0/24'},'dns':{'domain':'a\\nb'}}}",
          "spec.dns.domain: Invalid value: \"a\\nb\": must be an RFC 1123 subdomain: lower case "
          "letters, digits, '-' and '.', beginning and ending with a letter or digit, at most 253 "
          "characters" },
    };
    CHECK_ROWS(&kind_network, rows);
    check_change(&kind_network, "{'spec':{'ipv4':{'subnet':'10.0.0.0/24'}}}",
                 "{'spec':{'ipv4':{'subnet':'10.0.1.0/24'}}}",
                 "spec.ipv4: Invalid value: {\"subnet\":\"10.0.1.0/24\",\"dhcp\":true}: field is "
                 "immutable");
}

TEST(hosts)
{
    static const struct row rows[] = {
        { "{}", "" },
        { "{'spec':{'overcommit':{'cpu':0.5}}}",
          "spec.overcommit.cpu: Invalid value: 0.5: must be from 1 to 1000" },
        { "{'spec':{'reservedMemory':'-1Gi'}}",
          "spec.reservedMemory: Invalid value: \"-1Gi\": must not be negative" },
        { "{'spec':{'unschedulable':'no'}}",
          "spec.unschedulable: Invalid value: \"no\": must be of type boolean" },
    };
    CHECK_ROWS(&kind_host, rows);
}

TEST(namespaces_and_events)
{
    static const struct row namespaces[] = {
        { "{'metadata':{'name':'x'}}", "" },
        { "{'metadata':{'name':'x.y'}}", "metadata.name: Invalid value: \"x.y\": " LABEL_RULE },
    };
    static const struct row events[] = {
        { "{'involvedObject':{'kind':'Instance','name':'a'}}", "" },
        { "{}", "involvedObject: Required value" },
        { "{'involvedObject':{},'count':'2'}",
          "count: Invalid value: \"2\": must be of type integer" },
        { "{'involvedObject':{},'lastTimestamp':'x'}",
          "lastTimestamp: Invalid value: \"x\": \"x\" is not a time as in RFC 3339, such as "
          "2026-11-21T02:13:36Z" },
    };
    CHECK_ROWS(&kind_namespace, namespaces);
    CHECK_ROWS(&kind_event, events);
}

#define KEY_RULE "Invalid key: must be at most 253 of A-Za-z0-9._- and not begin with \"..\""

TEST(secrets)
{
    static const struct row rows[] = {
        { "{}", "" },
        { "{'data':{'tls.crt':'Zm9v'},'stringData':{'a_b-c':'x'}}", "" },
        { "{'data':{'a':'not base64'}}",
          "data[a]: Invalid value: \"not base64\": must be base64 (RFC 4648)" },
        { "{'stringData':{'a':1}}", "stringData[a]: Invalid value: 1: must be of type string" },
        { "{'data':{'a/b':''}}", "data[a/b]: " KEY_RULE },
        { "{'data':{'':''}}", "data[]: " KEY_RULE },
        { "{'data':{'..':''}}", "data[..]: " KEY_RULE },
    };
    CHECK_ROWS(&kind_secret, rows);
    check_change(&kind_secret, "{'type':'a'}", "{'type':'b'}",
                 "type: Invalid value: \"b\": field is immutable");
}

TEST(config_maps)
{
    static const struct row rows[] = {
        { "{'data':{'a':'b'},'binaryData':{'c':'Zg=='}}", "" },
        { "{'data':{'a':1}}", "data[a]: Invalid value: 1: must be of type string" },
        { "{'binaryData':{'a':'?'}}", "binaryData[a]: Invalid value: \"?\": must be base64 (RFC 4648)" },
        { "{'data':{'a b':''}}", "data[a b]: " KEY_RULE },
    };
    CHECK_ROWS(&kind_config_map, rows);
}

TEST(what_is_immutable_stays_so)
{
#define FORBIDDEN ": Forbidden: field is immutable when \"immutable\" is set"
    static const char *const before = "{'data':{'a':'Zg=='},'immutable':true}";

    for (int i = 0; i < 2; i++) {
        const struct kind *kind = i ? &kind_config_map : &kind_secret;

        check_change(kind, before, before, "");
        check_change(kind, before, "{'metadata':{'name':'a','labels':{'x':'y'}},'data':{'a':'Zg=='},'immutable':true}",
                     "");
        check_change(kind, before, "{'data':{'a':'Zm8='},'immutable':true}", "data" FORBIDDEN);
        check_change(kind, before, "{'data':{'a':'Zg=='}}", "immutable" FORBIDDEN);
        check_change(kind, "{'data':{'a':'Zg=='}}", "{'data':{'a':'Zm8='},'immutable':true}", "");
    }
    check_change(&kind_secret, before, "{'stringData':{'b':'x'},'data':{'a':'Zg=='},'immutable':true}",
                 "data" FORBIDDEN);
}

/* --- each field of each kind, by a value that its type cannot have --- */

static json_t *value_of_wrong_type(const struct field *field)
{
    switch (field->type) {
    case FIELD_OBJECT:
    case FIELD_LIST:
    case FIELD_MAP:
    case FIELD_INT:
    case FIELD_PORT:
    case FIELD_NUMBER:
        return json_string("wrong");
    default:
        return json_real(1.5);
    }
}

static bool names_field(const struct causes *causes, const char *path)
{
    for (size_t i = 0; i < causes->count; i++)
        if (str_equal(causes->items[i].field, path) && strstr(causes->items[i].message, "must be "))
            return true;
    return false;
}

static void check_wrong_type(const struct kind *kind, const struct field *field, const char *path)
{
    auto_json json_t *object = json_pack("{s:{s:s}}", "metadata", "name", "a");
    auto_causes struct causes causes = { 0 };

    if (field->type == FIELD_ANY)
        return;
    json_set_at(object, path, value_of_wrong_type(field));
    kind_validate(kind, object, NULL, &causes);
    if (!names_field(&causes, path))
        check_fail(CHECK_HERE, "%s: a wrong type of %s is not named", kind->name, path);
}

static int check_table(const struct kind *kind, const struct field *fields, const char *prefix)
{
    int count = 0;

    for (const struct field *field = fields; field && field->name; field++) {
        auto_free char *path = str_printf("%s%s%s", prefix, prefix[0] ? "." : "", field->name);

        check_wrong_type(kind, field, path);
        count += 1 + check_table(kind, field->fields, path);
    }
    return count;
}

TEST(a_wrong_type_of_any_field_of_any_kind_is_named)
{
    int count = 0;

    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        count += check_table(*kind, (*kind)->fields, "");
    CHECK(count > 150);
}
