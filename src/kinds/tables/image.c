/* kinds/tables/image.c - Image: what root disks and CD-ROMs are made from. */
#include "kinds/tables/shapes.h"
#include "base/str.h"
#include <string.h>

static const struct field source_fields[] = {
    { .name = "url",
      .type = FIELD_URL,
      .max = 2048,
      .doc = "HTTP or HTTPS address to fetch the image from." },
    { .name = "checksum",
      .type = FIELD_TEXT,
      .max = 140,
      .doc = "\"sha256:\" or \"sha512:\" and the hexadecimal digest of the bytes as they come." },
    { .name = "upload",
      .type = FIELD_BOOL,
      .doc = "The bytes are sent to the content subresource, as virga image import does." },
    { 0 },
};

static const struct field spec_fields[] = {
    { .name = "source",
      OBJECT(source_fields),
      .flags = FIELD_REQUIRED | FIELD_IMMUTABLE,
      .doc = "Where the image comes from." },
    { .name = "description", .type = FIELD_TEXT, .max = 1024, .doc = "For people." },
    { 0 },
};

static const struct field progress_fields[] = {
    { .name = "step", .type = FIELD_TEXT, .doc = "Downloading, Checking, Unpacking or Converting." },
    { .name = "bytes", .type = FIELD_INT, .doc = "Bytes done." },
    { .name = "totalBytes", .type = FIELD_INT, .doc = "Bytes in all; 0 when unknown." },
    { 0 },
};

static const struct field status_fields[] = {
    STATUS_COMMON,
    PHASE("Where the import is.",
          "Pending", "Uploading", "Importing", "Ready", "Failed", "Terminating"),
    MESSAGE,
    { .name = "progress", OBJECT(progress_fields), .doc = "How far it is." },
    { .name = "format",
      .type = FIELD_TEXT,
      .doc = "Format found: qcow2, raw, vmdk, vhdx, vdi, iso or bundle." },
    { .name = "type", ENUM("Disk", "CDROM"), .doc = "What it can be used as." },
    { .name = "virtualSize", .type = FIELD_QUANTITY, .doc = "Size of a disk made from it." },
    { .name = "size", .type = FIELD_QUANTITY, .doc = "Space it takes." },
    { .name = "checksum", .type = FIELD_TEXT, .doc = "Digest of the bytes as they came." },
    { .name = "directKernelBoot", .type = FIELD_BOOL, .doc = "It brings its own kernel." },
    { .name = "defaultUser", .type = FIELD_TEXT, .doc = "User that SSH keys are for." },
    { .name = "os", .type = FIELD_TEXT, .doc = "Operating system." },
    { .name = "guestAgent", .type = FIELD_BOOL, .doc = "The QEMU guest agent is in it." },
    { 0 },
};

static const struct field fields[] = {
    SPEC(spec_fields, "Where it comes from."),
    STATUS(status_fields, "What was found."),
    { 0 },
};

static const struct column columns[] = {
    COLUMN_NAME,
    { "Phase", "string", "status.phase", 0, "Where the import is" },
    { "Type", "string", "status.type", 0, "Disk or CDROM" },
    { "Format", "string", "status.format", 0, "Format found" },
    { "Virtual", "string", "status.virtualSize", 0, "Size of a disk made from it" },
    { "Size", "string", "status.size", 0, "Space it takes" },
    COLUMN_AGE,
    { "OS", "string", "status.os", 1, "Operating system" },
    { "Message", "string", "status.message", 1, "What it waits for" },
    { 0 },
};

static const struct field content_options[] = {
    { .name = "offset",
      .type = FIELD_INT,
      .doc = "PUT: bytes already sent, as GET .../content answered; 0 starts anew." },
    { .name = "size", .type = FIELD_INT, .doc = "PUT: bytes in all, when known." },
    { 0 },
};

static const struct connect connects[] = {
    { "content", "GET PUT", false,
      "PUT appends the image's bytes; GET tells how many are there, to resume.", content_options },
    { 0 },
};

/* The length tells which digest it is, so that a bare one, as in SHA256SUMS, will do. */
static bool is_checksum(const char *text)
{
    bool is_256 = str_starts(text, "sha256:"), is_512 = str_starts(text, "sha512:");
    const char *hex = is_256 || is_512 ? text + 7 : text;
    size_t length = strlen(hex);

    return strspn(hex, "0123456789abcdefABCDEF") == length &&
           ((length == 64 && !is_512) || (length == 128 && !is_256));
}

static void check(const json_t *object, const json_t *old, struct causes *causes)
{
    const json_t *checksum = json_at(object, "spec.source.checksum");
    const char *url = json_text_at(object, "spec.source.url", NULL);
    bool upload = json_bool_at(object, "spec.source.upload", false);

    if (!url == !upload)
        causes_add(causes, "FieldValueRequired", "spec.source",
                   "Required value: exactly one of url and upload: true");
    if (json_is_string(checksum) && !is_checksum(json_string_value(checksum)))
        causes_invalid(causes, "spec.source.checksum", checksum,
                       "must be \"sha256:\" and 64 hexadecimal digits, or \"sha512:\" and 128");
}

const struct kind kind_image = {
    VIRGA_KIND("Image", "images", "image"),
    .short_names = TEXTS("img"),
    .categories = TEXTS("virga"),
    .flags = KIND_HAS_STATUS,
    .doc = "A disk or CD-ROM image. Instances are copy-on-write children of images.",
    .fields = fields,
    .columns = columns,
    .connects = connects,
    .selectable = TEXTS("status.phase"),
    .check = check,
};
