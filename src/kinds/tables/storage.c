/* kinds/tables/storage.c - StoragePool and Volume. */
#include "kinds/tables/shapes.h"
#include "base/str.h"

static const struct field directory_fields[] = {
    { .name = "path",
      .type = FIELD_PATH,
      .flags = FIELD_REQUIRED,
      .doc = "Directory on the host; it is made when absent." },
    { 0 },
};

static const struct field pool_spec_fields[] = {
    { .name = "type",
      ENUM("Directory"),
      .flags = FIELD_REQUIRED | FIELD_IMMUTABLE,
      .doc = "How volumes are kept: Directory, thin qcow2 files." },
    { .name = "directory",
      OBJECT(directory_fields),
      .flags = FIELD_IMMUTABLE,
      .doc = "Settings of type Directory." },
    { 0 },
};

static const struct field pool_status_fields[] = {
    STATUS_COMMON,
    PHASE("Whether it can be used.",
          "Pending", "Ready", "Failed", "Terminating"),
    { .name = "message", .type = FIELD_TEXT, .doc = "What is wrong." },
    { .name = "capacity", .type = FIELD_QUANTITY, .doc = "Size of the file system below." },
    { .name = "available", .type = FIELD_QUANTITY, .doc = "Free space." },
    { .name = "used", .type = FIELD_QUANTITY, .doc = "Space that volumes take." },
    { .name = "provisioned", .type = FIELD_QUANTITY, .doc = "Sum of the volumes' sizes." },
    { .name = "volumes", .type = FIELD_INT, .doc = "Volumes in the pool." },
    { 0 },
};

static const struct field pool_fields[] = {
    SPEC(pool_spec_fields, "Where and how volumes are kept."),
    STATUS(pool_status_fields, "Its state."),
    { 0 },
};

static const struct column pool_columns[] = {
    COLUMN_NAME,
    { "Type", "string", "spec.type", 0, "How volumes are kept" },
    { "Phase", "string", "status.phase", 0, "Whether it can be used" },
    { "Capacity", "string", "status.capacity", 0, "Size of the file system below" },
    { "Used", "string", "status.used", 0, "Space that volumes take" },
    { "Available", "string", "status.available", 0, "Free space" },
    { "Provisioned", "string", "status.provisioned", 0, "Sum of the volumes' sizes" },
    { "Volumes", "integer", "status.volumes", 0, "Volumes in the pool" },
    COLUMN_AGE,
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
    VIRGA_KIND("StoragePool", "storagepools", "storagepool"),
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
    { .name = "pool", POOL_NAME, .doc = "StoragePool the volume lies in." },
    { .name = "size",
      DISK_SIZE,
      .doc = "Size as a guest sees it; absent with a source: the source's. It can grow, also while "
             "attached, and never shrinks." },
    { .name = "source",
      OBJECT(volume_source_fields),
      .flags = FIELD_IMMUTABLE,
      .doc = "What it starts as; absent: blank." },
    { 0 },
};

static const struct field volume_status_fields[] = {
    STATUS_COMMON,
    PHASE("Whether it can be used.",
          "Pending", "Creating", "Ready", "Failed", "Terminating"),
    MESSAGE,
    { .name = "size", .type = FIELD_QUANTITY, .doc = "Size as a guest sees it now." },
    { .name = "used", .type = FIELD_QUANTITY, .doc = "Space it takes in the pool." },
    { .name = "attachedTo", .type = FIELD_TEXT, .doc = "Instance that has it." },
    { .name = "attachedToUID", .type = FIELD_TEXT, .doc = "UID of that instance." },
    { .name = "imageUID", .type = FIELD_TEXT, .doc = "UID of the image that it stands on in the end." },
    { .name = "snapshotUID", .type = FIELD_TEXT, .doc = "UID of the snapshot it is a child of." },
    { 0 },
};

static const struct field volume_fields[] = {
    SPEC(volume_spec_fields, "What the disk should be."),
    STATUS(volume_status_fields, "What it is."),
    { 0 },
};

static const struct column volume_columns[] = {
    COLUMN_NAME,
    { "Phase", "string", "status.phase", 0, "Whether it can be used" },
    { "Size", "string", "status.size", 0, "Size as a guest sees it" },
    { "Used", "string", "status.used", 0, "Space it takes" },
    { "Pool", "string", "spec.pool", 0, "Pool it lies in" },
    { "Attached To", "string", "status.attachedTo", 0, "Instance that has it" },
    COLUMN_AGE,
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
    VIRGA_KIND("Volume", "volumes", "volume"),
    .short_names = TEXTS("vol"),
    .categories = TEXTS("all", "virga"),
    .flags = KIND_NAMESPACED | KIND_HAS_STATUS,
    .doc = "A thin virtual disk.",
    .fields = volume_fields,
    .columns = volume_columns,
    .selectable = TEXTS("status.phase", "status.attachedTo", "spec.pool"),
    .check = volume_check,
};
