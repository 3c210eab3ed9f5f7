/* kinds/tables/shapes.h - what tables of kinds are written with: each thing that several of them say
 * is said once, here. */
#pragma once
#include "kinds/tables/tables.h"

/* What a kind is called; in virga.dev/v1, and in core/v1. */
#define VIRGA_KIND(name_, plural_, singular_)                                                      \
    .group = VIRGA_GROUP, .version = VIRGA_API_V1, .name = (name_), .plural = (plural_),           \
    .singular = (singular_)
#define CORE_KIND(name_, plural_, singular_)                                                       \
    .group = "", .version = "v1", .name = (name_), .plural = (plural_), .singular = (singular_)

/* Types of fields; the rest of the field follows them. */
#define ENUM(...) .type = FIELD_ENUM, .values = TEXTS(__VA_ARGS__)
#define OBJECT(fields_) .type = FIELD_OBJECT, .fields = (fields_)
#define NAMED_LIST(fields_) .type = FIELD_LIST, .key = "name", .item = OBJECT_ITEM(fields_)
#define CPU_COUNT .type = FIELD_INT, .min = 1, .max = 255
#define MEMORY_SIZE .type = FIELD_QUANTITY, .min = 16 * MIB, .max = 16 * TIB
#define DISK_SIZE .type = FIELD_QUANTITY, .flags = FIELD_GROWS, .min = MIB, .max = 64 * TIB
#define POOL_NAME .type = FIELD_SUBDOMAIN, .flags = FIELD_IMMUTABLE, .fallback = "\"default\""

#define KIB 1024LL
#define MIB (1024 * KIB)
#define TIB (1024 * 1024 * MIB)
enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };
#define DAY_MS (24LL * HOUR_MS)

/* Items of lists and maps. */
#define ITEM_OF(type_) (&(const struct field){ .type = (type_) })
#define TEXT_ITEM(max_) (&(const struct field){ .type = FIELD_TEXT, .max = (max_) })
#define ENUM_ITEM(values_) (&(const struct field){ .type = FIELD_ENUM, .values = (values_) })
#define OBJECT_ITEM(fields_) (&(const struct field){ OBJECT(fields_) })

/* The fields below the top, of the kinds that have both. SPEC_OPTIONAL: all of it has defaults. */
#define SPEC(fields_, doc_)                                                                        \
    { .name = "spec", OBJECT(fields_), .flags = FIELD_REQUIRED, .doc = (doc_) }
#define SPEC_OPTIONAL(fields_, doc_)                                                               \
    { .name = "spec", OBJECT(fields_), .fallback = "{}", .doc = (doc_) }
#define STATUS(fields_, doc_) { .name = "status", OBJECT(fields_), .doc = (doc_) }

/* The fields of one item of status.conditions, in metav1.Condition's words. */
extern const struct field condition_item;

/* What status of every kind of virga.dev has: conditions and observedGeneration, then a phase. */
#define STATUS_COMMON                                                                              \
    OBSERVED_GENERATION,                                                                           \
    { .name = "conditions",                                                                        \
      .type = FIELD_LIST,                                                                          \
      .key = "type",                                                                               \
      .item = &condition_item,                                                                     \
      .doc = "What holds and what does not yet, each with its reason." }
#define OBSERVED_GENERATION                                                                        \
    { .name = "observedGeneration",                                                                \
      .type = FIELD_INT,                                                                           \
      .doc = "The metadata.generation that this status answers." }
#define PHASE(doc_, ...) { .name = "phase", ENUM(__VA_ARGS__), .doc = (doc_) }
#define MESSAGE                                                                                    \
    { .name = "message", .type = FIELD_TEXT, .doc = "What it waits for, or what went wrong." }

/* What a machine was started with, of Instance and Snapshot. */
#define MACHINE_SIZE_FIELDS                                                                        \
    { .name = "cpus", .type = FIELD_INT, .doc = "Virtual processors." },                           \
    { .name = "memory", .type = FIELD_QUANTITY, .doc = "Memory of the guest." },                   \
    { .name = "maxCPUs", .type = FIELD_INT, .doc = "Processors it was started ready for." },       \
    { .name = "maxMemory", .type = FIELD_QUANTITY, .doc = "Memory it was started ready for." }
#define MACHINE_OFFERS_FIELDS                                                                      \
    { .name = "guestAgent", .type = FIELD_BOOL, .doc = "The guest agent's channel is offered." },  \
    { .name = "vnc", .type = FIELD_BOOL, .doc = "A graphical console is offered." }

/* The addresses that a network card was given. */
#define ADDRESS_FIELDS                                                                             \
    { .name = "macAddress", .type = FIELD_MAC, .doc = "MAC address." },                            \
    { .name = "ipv4Address", .type = FIELD_IPV4, .doc = "IPv4 address." },                         \
    { .name = "ipv6Address", .type = FIELD_IPV6, .doc = "IPv6 address." }

/* How members are asked over HTTP and how long they may take, by groups and balancers. */
#define PROBE_PATH                                                                                 \
    { .name = "path",                                                                              \
      .type = FIELD_TEXT,                                                                          \
      .max = 1024,                                                                                 \
      .fallback = "\"/\"",                                                                         \
      .doc = "Path and query that HTTP asks for." }
#define PROBE_TIMEOUT(fallback_)                                                                   \
    { .name = "timeout",                                                                           \
      .type = FIELD_DURATION,                                                                      \
      .min = 10,                                                                                   \
      .max = HOUR_MS,                                                                              \
      .fallback = (fallback_),                                                                     \
      .doc = "How long an answer may take." }

/* The columns of every kind. */
#define COLUMN_NAME { "Name", "string", "metadata.name", 0, "Name" }
#define COLUMN_AGE { "Age", "date", "metadata.creationTimestamp", 0, "Time since creation" }

/* spec of an Instance; InstanceGroups make instances from it. */
extern const struct field instance_spec_fields[];
/* What a spec of an Instance can grow to is no less than what it begins with; 'path' is where it is. */
void check_instance_size(const json_t *spec, const char *path, struct causes *causes);
/* Reports what is no public key in sshKeys of a spec at 'path', unless the old one (or NULL) had the same. */
void check_ssh_keys(const json_t *spec, const json_t *old_spec, const char *path, struct causes *causes);
/* Reports a value in list 'path' whose 'key' text occurs twice ("spec.networks", "macAddress"). */
void check_distinct(const json_t *object, const char *path, const char *key, struct causes *causes);
