/* kinds/tables/storage.c - StoragePool and Volume. */
#include "kinds/tables/tables.h"
#include "base/str.h"

#define MIB (1024LL * 1024)
#define TIB (1024LL * 1024 * MIB)

static const struct field directory_fields[] = {
    { .name = "path",
      .type = FIELD_PATH,
      .flags = FIELD_REQUIRED,
      .doc = "Directory on the host; it is made when absent." },
    { 0 },
};

static const struct field pool_spec_fields[] = {
    { .name = "type",
      .type = FIELD_ENUM,
      .flags = FIELD_REQUIRED | FIELD_IMMUTABLE,
      .values = TEXTS("Directory"),
      .doc = "How volumes are kept: Directory, thin qcow2 files." },
    { .name = "directory",
      .type = FIELD_OBJECT,
      .flags = FIELD_IMMUTABLE,
      .fields = directory_fields,
      .doc = "Settings of type Directory." },
    { 0 },
};

static const struct field pool_status_fields[] = {
    STATUS_COMMON,
    { .name = "phase",
      .type = FIELD_ENUM,
      .values = TEXTS("Pending", "Ready", "Failed", "Terminating"),
      .doc = "Whether it can be used." },
    { .name = "message", .type = FIELD_TEXT, .doc = "What is wrong." },
    { .name = "capacity", .type = FIELD_QUANTITY, .doc = "Size of the file system below." },
    { .name = "available", .type = FIELD_QUANTITY, .doc = "Free space." },
    { .name = "used", .type = FIELD_QUANTITY, .doc = "Space that volumes take." },
    { .name = "provisioned", .type = FIELD_QUANTITY, .doc = "Sum of the volumes' sizes." },
    { .name = "volumes", .type = FIELD_INT, .doc = "Volumes in the pool." },
    { 0 },
};

static const struct field pool_fields[] = {
    { .name = "spec",
      .type = FIELD_OBJECT,
      .flags = FIELD_REQUIRED,
      .fields = pool_spec_fields,
      .doc = "Where and how volumes are kept." },
    { .name = "status", .type = FIELD_OBJECT, .fields = pool_status_fields, .doc = "Its state." },
    { 0 },
};

static const struct column pool_columns[] = {
    { "Name", "string", "metadata.name", 0, "Name" },
    { "Type", "string", "spec.type", 0, "How volumes are kept" },
    { "Phase", "string", "status.phase", 0, "Whether it can be used" },
    { "Capacity", "string", "status.capacity", 0, "Size of the file system below" },
    { "Used", "string", "status.used", 0, "Space that volumes take" },
    { "Available", "string", "status.available", 0, "Free space" },
    { "Provisioned", "string", "status.provisioned", 0, "Sum of the volumes' sizes" },
    { "Volumes", "integer", "status.volumes", 0, "Volumes in the pool" },
    { "Age", "date", "metadata.creationTimestamp", 0, "Time since creation" },
    { "Message", "string", "status.message", 1, "What is wrong" },
    { 0 },
};

static void pool_check(const json_t *object, const json_t *old, struct causes *causes)
{
    if (str_equal(json_text_at(object, "spec.type", NULL), "Directory") &&
        !json_at(object, "spec.directory"))
        causes_add(causes, "FieldValueRequired", "spec.directory.path",
                   "Required value: a pool of type Directory needs a path");
}

const struct kind kind_storage_pool = {
    .group = VIRGA_GROUP,
    .version = VIRGA_API_V1,
    .name = "StoragePool",
    .plural = "storagepools",
    .singular = "storagepool",
    .short_names = TEXTS("pool"),
    .categories = TEXTS("virga"),
    .flags = KIND_HAS_STATUS,
    .doc = "A place where volumes are kept.",
    .fields = pool_fields,
    .columns = pool_columns,
    .check = pool_check,
};

static const struct field volume_source_fields[] = {
    { .name = "image", .type = FIELD_SUBDOMAIN, .doc = "Copy-on-write child of this Image." },
    { .name = "volume",
      .type = FIELD_SUBDOMAIN,
      .doc = "Full copy of this Volume of the same namespace and pool." },
    { .name = "snapshot",
      .type = FIELD_SUBDOMAIN,
      .doc = "Copy-on-write child of the disk of this Snapshot of the same namespace and pool." },
    { 0 },
};

static const struct field volume_spec_fields[] = {
    { .name = "pool",
      .type = FIELD_SUBDOMAIN,
      .flags = FIELD_IMMUTABLE,
      .fallback = "\"default\"",
      .doc = "StoragePool the volume lies in." },
    { .name = "size",
      .type = FIELD_QUANTITY,
      .flags = FIELD_GROWS,
      .min = MIB,
      .max = 64 * TIB,
      .doc = "Size as a guest sees it; absent with a source: the source's. It can grow, also while "
             "attached, and never shrinks." },
    { .name = "source",
      .type = FIELD_OBJECT,
      .flags = FIELD_IMMUTABLE,
      .fields = volume_source_fields,
      .doc = "What it starts as; absent: blank." },
    { 0 },
};

static const struct field volume_status_fields[] = {
    STATUS_COMMON,
    { .name = "phase",
      .type = FIELD_ENUM,
      .values = TEXTS("Pending", "Creating", "Ready", "Failed", "Terminating"),
      .doc = "Whether it can be used." },
    { .name = "message", .type = FIELD_TEXT, .doc = "What it waits for, or what went wrong." },
    { .name = "size", .type = FIELD_QUANTITY, .doc = "Size as a guest sees it now." },
    { .name = "used", .type = FIELD_QUANTITY, .doc = "Space it takes in the pool." },
    { .name = "attachedTo", .type = FIELD_TEXT, .doc = "Instance that has it." },
    { .name = "attachedToUID", .type = FIELD_TEXT, .doc = "UID of that instance." },
    { .name = "imageUID", .type = FIELD_TEXT, .doc = "UID of the image that it stands on in the end." },
    { .name = "snapshotUID", .type = FIELD_TEXT, .doc = "UID of the snapshot it is a child of." },
    { 0 },
};

static const struct field volume_fields[] = {
    { .name = "spec",
      .type = FIELD_OBJECT,
      .flags = FIELD_REQUIRED,
      .fields = volume_spec_fields,
      .doc = "What the disk should be." },
    { .name = "status", .type = FIELD_OBJECT, .fields = volume_status_fields, .doc = "What it is." },
    { 0 },
};

static const struct column volume_columns[] = {
    { "Name", "string", "metadata.name", 0, "Name" },
    { "Phase", "string", "status.phase", 0, "Whether it can be used" },
    { "Size", "string", "status.size", 0, "Size as a guest sees it" },
    { "Used", "string", "status.used", 0, "Space it takes" },
    { "Pool", "string", "spec.pool", 0, "Pool it lies in" },
    { "Attached To", "string", "status.attachedTo", 0, "Instance that has it" },
    { "Age", "date", "metadata.creationTimestamp", 0, "Time since creation" },
    { "Image", "string", "spec.source.image", 1, "Image it is a child of" },
    { "Snapshot", "string", "spec.source.snapshot", 1, "Snapshot it is a child of" },
    { "Message", "string", "status.message", 1, "What it waits for" },
    { 0 },
};

static void volume_check(const json_t *object, const json_t *old, struct causes *causes)
{
    const char *image = json_text_at(object, "spec.source.image", NULL);
    const char *volume = json_text_at(object, "spec.source.volume", NULL);
    const char *snapshot = json_text_at(object, "spec.source.snapshot", NULL);

    if (image && volume)
        causes_add(causes, "FieldValueForbidden", "spec.source.volume",
                   "Forbidden: may not be set together with spec.source.image");
    if (snapshot && (image || volume))
        causes_add(causes, "FieldValueForbidden", "spec.source.snapshot",
                   "Forbidden: may not be set together with another source");
    if (!image && !volume && !snapshot && !json_at(object, "spec.size"))
        causes_add(causes, "FieldValueRequired", "spec.size",
                   "Required value: a blank volume needs a size, for example \"10Gi\"");
}

const struct kind kind_volume = {
    .group = VIRGA_GROUP,
    .version = VIRGA_API_V1,
    .name = "Volume",
    .plural = "volumes",
    .singular = "volume",
    .short_names = TEXTS("vol"),
    .categories = TEXTS("all", "virga"),
    .flags = KIND_NAMESPACED | KIND_HAS_STATUS,
    .doc = "A thin virtual disk.",
    .fields = volume_fields,
    .columns = volume_columns,
    .selectable = TEXTS("status.phase", "status.attachedTo", "spec.pool"),
    .check = volume_check,
};
