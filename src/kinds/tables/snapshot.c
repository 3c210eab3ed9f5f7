/* kinds/tables/snapshot.c - Snapshot: an instance as it was at one moment, for others to begin as. */
#include "kinds/tables/tables.h"

static const struct field spec_fields[] = {
    { .name = "instanceName",
      .type = FIELD_SUBDOMAIN,
      .flags = FIELD_REQUIRED | FIELD_IMMUTABLE,
      .doc = "Instance of the same namespace that is taken." },
    { .name = "memory",
      .type = FIELD_BOOL,
      .flags = FIELD_IMMUTABLE,
      .fallback = "true",
      .doc = "Take its memory too, so that instances go on from the moment it was taken; it must run "
             "then, with the guest agent. false: its disk alone, also of a stopped instance." },
    { 0 },
};

/* What an instance must be like to go on from its memory. */
static const struct field machine_fields[] = {
    { .name = "cpus", .type = FIELD_INT, .doc = "Virtual processors." },
    { .name = "memory", .type = FIELD_QUANTITY, .doc = "Memory of the guest." },
    { .name = "maxCPUs", .type = FIELD_INT, .doc = "Processors it was started ready for." },
    { .name = "maxMemory", .type = FIELD_QUANTITY, .doc = "Memory it was started ready for." },
    { .name = "firmware", .type = FIELD_TEXT, .doc = "Firmware." },
    { .name = "guestAgent", .type = FIELD_BOOL, .doc = "The guest agent's channel is offered." },
    { .name = "vnc", .type = FIELD_BOOL, .doc = "A graphical console is offered." },
    { .name = "machineType", .type = FIELD_TEXT, .doc = "QEMU machine type." },
    { .name = "accelerator", .type = FIELD_TEXT, .doc = "KVM or TCG." },
    { 0 },
};

static const struct field card_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "Network card." },
    { .name = "macAddress", .type = FIELD_MAC, .doc = "MAC address it had." },
    { 0 },
};

static const struct field status_fields[] = {
    STATUS_COMMON,
    { .name = "phase",
      .type = FIELD_ENUM,
      .values = TEXTS("Pending", "Taking", "Ready", "Failed", "Terminating"),
      .doc = "Whether instances can be made from it." },
    { .name = "message", .type = FIELD_TEXT, .doc = "What it waits for, or what went wrong." },
    { .name = "instanceUID", .type = FIELD_TEXT, .doc = "UID of the Instance that is taken." },
    { .name = "takenAt", .type = FIELD_TIME, .doc = "When the instance stood still." },
    { .name = "pauseMilliseconds",
      .type = FIELD_INT,
      .doc = "How long the instance stood still, in milliseconds; 0: it did not run." },
    { .name = "pool", .type = FIELD_TEXT, .doc = "StoragePool that the disk lies in." },
    { .name = "image", .type = FIELD_TEXT, .doc = "Image that the disk stands on." },
    { .name = "parentUID", .type = FIELD_TEXT, .doc = "UID of the Snapshot that the disk stands on." },
    { .name = "diskSize", .type = FIELD_QUANTITY, .doc = "Size of the disk as a guest sees it." },
    { .name = "used", .type = FIELD_QUANTITY, .doc = "Space that the disk takes in the pool." },
    { .name = "machine",
      .type = FIELD_OBJECT,
      .fields = machine_fields,
      .doc = "What an instance must be like to go on from the memory." },
    { .name = "networks",
      .type = FIELD_LIST,
      .key = "name",
      .item = OBJECT_ITEM(card_fields),
      .doc = "Network cards; an instance that goes on from the memory has as many." },
    { 0 },
};

static const struct field fields[] = {
    { .name = "spec",
      .type = FIELD_OBJECT,
      .flags = FIELD_REQUIRED,
      .fields = spec_fields,
      .doc = "What is taken." },
    { .name = "status", .type = FIELD_OBJECT, .fields = status_fields, .doc = "What there is of it." },
    { 0 },
};

static const struct column columns[] = {
    { "Name", "string", "metadata.name", 0, "Name" },
    { "Phase", "string", "status.phase", 0, "Whether instances can be made from it" },
    { "Instance", "string", "spec.instanceName", 0, "Instance that was taken" },
    { "Memory", "boolean", "spec.memory", 0, "Whether its memory was to be taken too" },
    { "Disk", "string", "status.diskSize", 0, "Size of the disk as a guest sees it" },
    { "Pause", "integer", "status.pauseMilliseconds", 0, "How long the instance stood still, in milliseconds" },
    { "Age", "date", "metadata.creationTimestamp", 0, "Time since creation" },
    { "Used", "string", "status.used", 1, "Space that the disk takes" },
    { "Message", "string", "status.message", 1, "What it waits for" },
    { 0 },
};

const struct kind kind_snapshot = {
    .group = VIRGA_GROUP,
    .version = VIRGA_API_V1,
    .name = "Snapshot",
    .plural = "snapshots",
    .singular = "snapshot",
    .short_names = TEXTS("snap"),
    .categories = TEXTS("all", "virga"),
    .flags = KIND_NAMESPACED | KIND_HAS_STATUS,
    .doc = "An instance as it was at one moment: its disk, and its memory if wanted. Instances made "
           "from it share what they do not change.",
    .fields = fields,
    .columns = columns,
    .selectable = TEXTS("status.phase", "spec.instanceName"),
};
