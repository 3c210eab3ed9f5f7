/* kinds/tables/host.c - Host: one machine that runs instances. */
#include "kinds/tables/shapes.h"

static const struct field overcommit_fields[] = {
    { .name = "cpu",
      .type = FIELD_NUMBER,
      .fallback = "4.0",
      .min = 1,
      .max = 1000,
      .doc = "Virtual processors promised per processor." },
    { .name = "memory",
      .type = FIELD_NUMBER,
      .fallback = "1.0",
      .min = 1,
      .max = 100,
      .doc = "Memory promised per memory there is." },
    { 0 },
};

static const struct field spec_fields[] = {
    { .name = "unschedulable",
      .type = FIELD_BOOL,
      .fallback = "false",
      .doc = "No further instance is placed here." },
    { .name = "overcommit",
      OBJECT(overcommit_fields),
      .fallback = "{}",
      .doc = "How much more may be promised than there is." },
    { .name = "reservedMemory",
      .type = FIELD_QUANTITY,
      .fallback = "\"512Mi\"",
      .doc = "Memory kept for the host itself." },
    { 0 },
};

static const struct field resources_fields[] = {
    { .name = "cpus", .type = FIELD_NUMBER, .doc = "Processors." },
    { .name = "memory", .type = FIELD_QUANTITY, .doc = "Memory." },
    { 0 },
};

static const struct field status_fields[] = {
    STATUS_COMMON,
    PHASE("Whether it runs instances.",
          "Ready", "NotReady", "ShuttingDown"),
    { .name = "message", .type = FIELD_TEXT, .doc = "What is wrong." },
    { .name = "accelerator", .type = FIELD_TEXT, .doc = "KVM, or TCG and why." },
    { .name = "capacity", OBJECT(resources_fields), .doc = "What there is." },
    { .name = "allocatable",
      OBJECT(resources_fields),
      .doc = "What may be promised to instances, with overcommit." },
    { .name = "allocated", OBJECT(resources_fields), .doc = "What is promised." },
    { .name = "used", OBJECT(resources_fields), .doc = "What is in use." },
    { .name = "instances", .type = FIELD_INT, .doc = "Instances placed here." },
    { .name = "version", .type = FIELD_TEXT, .doc = "Version of virgad." },
    { .name = "qemuVersion", .type = FIELD_TEXT, .doc = "Version of QEMU." },
    { .name = "kernelVersion", .type = FIELD_TEXT, .doc = "Version of Linux." },
    { .name = "startedAt", .type = FIELD_TIME, .doc = "When virgad started." },
    { 0 },
};

static const struct field fields[] = {
    SPEC_OPTIONAL(spec_fields, "How it may be used."),
    STATUS(status_fields, "Its state."),
    { 0 },
};

static const struct column columns[] = {
    COLUMN_NAME,
    { "Phase", "string", "status.phase", 0, "Whether it runs instances" },
    { "Accelerator", "string", "status.accelerator", 0, "KVM or TCG" },
    { "CPUs", "number", "status.capacity.cpus", 0, "Processors" },
    { "Memory", "string", "status.capacity.memory", 0, "Memory" },
    { "Alloc CPUs", "number", "status.allocated.cpus", 0, "Processors promised" },
    { "Alloc Memory", "string", "status.allocated.memory", 0, "Memory promised" },
    { "Instances", "integer", "status.instances", 0, "Instances placed here" },
    COLUMN_AGE,
    { "Version", "string", "status.version", 1, "Version of virgad" },
    { "QEMU", "string", "status.qemuVersion", 1, "Version of QEMU" },
    { 0 },
};

static const struct field audit_options[] = {
    { .name = "verify",
      .type = FIELD_BOOL,
      .doc = "Check the chain of hashes instead: {\"lines\", \"hash\"} when it is whole." },
    { .name = "follow", .type = FIELD_BOOL, .doc = "Go on as the log grows." },
    { 0 },
};

static const struct connect connects[] = {
    { "shutdown", "POST", false,
      "Stops all instances of the host in order; virgad then goes on without them until it is "
      "started anew.",
      NULL },
    { "credentials", "POST", false,
      "Issues a client certificate for the user, groups and ttl of the body; for administrators "
      "only, since it makes anybody of them.",
      NULL },
    { "audit", "GET", false, "The audit log as JSON lines, or whether its chain is whole.",
      audit_options },
    { 0 },
};

const struct kind kind_host = {
    VIRGA_KIND("Host", "hosts", "host"),
    .short_names = TEXTS("ho"),
    .categories = TEXTS("virga"),
    .flags = KIND_HAS_STATUS,
    .doc = "A machine that runs instances. Each virgad keeps its own Host object.",
    .fields = fields,
    .columns = columns,
    .connects = connects,
};
