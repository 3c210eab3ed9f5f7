/* kinds/tables/snapshot.c - Snapshot: an instance as it was at one moment, for others to begin as. */
#include "kinds/tables/shapes.h"

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
    MACHINE_SIZE_FIELDS,
    { .name = "firmware", .type = FIELD_TEXT, .doc = "Firmware." },
    MACHINE_OFFERS_FIELDS,
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
    PHASE("Whether instances can be made from it.",
          "Pending", "Taking", "Ready", "Failed", "Terminating"),
    MESSAGE,
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
      OBJECT(machine_fields),
      .doc = "What an instance must be like to go on from the memory." },
    { .name = "networks",
      NAMED_LIST(card_fields),
      .doc = "Network cards; an instance that goes on from the memory has as many." },
    { 0 },
};

static const struct field fields[] = {
    SPEC(spec_fields, "What is taken."),
    STATUS(status_fields, "What there is of it."),
    { 0 },
};

static const struct column columns[] = {
    COLUMN_NAME,
    { "Phase", "string", "status.phase", 0, "Whether instances can be made from it" },
    { "Instance", "string", "spec.instanceName", 0, "Instance that was taken" },
    { "Memory", "boolean", "spec.memory", 0, "Whether its memory was to be taken too" },
    { "Disk", "string", "status.diskSize", 0, "Size of the disk as a guest sees it" },
    { "Pause", "integer", "status.pauseMilliseconds", 0, "How long the instance stood still, in milliseconds" },
    COLUMN_AGE,
    { "Used", "string", "status.used", 1, "Space that the disk takes" },
    { "Message", "string", "status.message", 1, "What it waits for" },
    { 0 },
};

const struct kind kind_snapshot = {
    VIRGA_KIND("Snapshot", "snapshots", "snapshot"),
    .short_names = TEXTS("snap"),
    .categories = TEXTS("all", "virga"),
    .flags = KIND_NAMESPACED | KIND_HAS_STATUS,
    .doc = "An instance as it was at one moment: its disk, and its memory if wanted. Instances made "
           "from it share what they do not change.",
    .fields = fields,
    .columns = columns,
    .selectable = TEXTS("status.phase", "spec.instanceName"),
};
