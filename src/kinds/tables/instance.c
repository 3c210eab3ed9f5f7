/* kinds/tables/instance.c - Instance: one virtual machine. */
#include "kinds/tables/shapes.h"
#include "base/quantity.h"
#include "base/str.h"

static const struct field root_disk_fields[] = {
    { .name = "size",
      DISK_SIZE,
      .doc = "Size as the guest sees it; absent: as large as image or snapshot. It can grow, also while "
             "the instance runs, and never shrinks." },
    { .name = "pool", POOL_NAME, .doc = "StoragePool the root volume lies in." },
    { .name = "deletePolicy",
      ENUM("Delete", "Retain"),
      .fallback = "\"Delete\"",
      .doc = "Whether the root volume goes with the instance or stays as a Volume." },
    { 0 },
};

static const struct field disk_fields[] = {
    { .name = "name",
      .type = FIELD_NAME,
      .flags = FIELD_REQUIRED,
      .doc = "Name of the disk within the instance; its serial number in the guest. root, seed and "
             "cdrom are taken." },
    { .name = "volume",
      .type = FIELD_SUBDOMAIN,
      .flags = FIELD_REQUIRED,
      .doc = "Volume of the same namespace. Adding or removing an item attaches or detaches it "
             "while the instance runs." },
    { .name = "readOnly",
      .type = FIELD_BOOL,
      .fallback = "false",
      .doc = "The guest may not write to it." },
    { 0 },
};

static const struct field network_fields[] = {
    { .name = "name",
      .type = FIELD_NAME,
      .flags = FIELD_REQUIRED,
      .doc = "Name of the network card within the instance." },
    { .name = "network",
      .type = FIELD_SUBDOMAIN,
      .flags = FIELD_REQUIRED,
      .doc = "Network of the same namespace." },
    { .name = "macAddress",
      .type = FIELD_MAC,
      .doc = "Fixed MAC address; absent: one is chosen and kept." },
    { .name = "ipv4Address",
      .type = FIELD_IPV4,
      .doc = "Fixed IPv4 address in the network's subnet; absent: one is chosen and kept." },
    { .name = "ipv6Address",
      .type = FIELD_IPV6,
      .doc = "Fixed IPv6 address in the network's subnet; absent: one is chosen and kept." },
    { 0 },
};

static const struct field cdrom_fields[] = {
    { .name = "image",
      .type = FIELD_SUBDOMAIN,
      .flags = FIELD_REQUIRED,
      .doc = "Image that holds an ISO 9660 file system." },
    { 0 },
};

static const struct field user_data_secret_fields[] = {
    { .name = "name",
      .type = FIELD_SUBDOMAIN,
      .flags = FIELD_REQUIRED,
      .doc = "Secret of the same namespace." },
    { .name = "key",
      .type = FIELD_TEXT,
      .fallback = "\"userData\"",
      .max = 253,
      .doc = "Key within the Secret." },
    { 0 },
};

static const struct field console_fields[] = {
    { .name = "vnc",
      .type = FIELD_BOOL,
      .fallback = "true",
      .doc = "Offer a graphical console. The serial console is always there." },
    { 0 },
};

const struct field instance_spec_fields[] = {
    { .name = "image",
      .type = FIELD_SUBDOMAIN,
      .flags = FIELD_IMMUTABLE,
      .doc = "Image the root disk is a copy-on-write child of; absent: a blank disk of "
             "rootDisk.size, to install on, unless there is a snapshot." },
    { .name = "snapshot",
      .type = FIELD_SUBDOMAIN,
      .flags = FIELD_IMMUTABLE,
      .doc = "Snapshot of the same namespace to begin as: the root disk is a copy-on-write child of "
             "its disk, and where it has memory, the first start goes on from that as a fork, with "
             "an identity of its own. image can be left out; cpus, memory, maxCPUs, maxMemory, "
             "firmware, guestAgent and console are the snapshot's when they are." },
    { .name = "cpus",
      CPU_COUNT,
      .fallback = "1",
      .doc = "Virtual processors; absent with a snapshot: as many as it has. A change reaches a "
             "running guest up to maxCPUs; beyond that it waits for the next start." },
    { .name = "maxCPUs",
      CPU_COUNT,
      .doc = "How many virtual processors the machine is started ready for; absent: no more than cpus." },
    { .name = "memory",
      MEMORY_SIZE,
      .fallback = "\"512Mi\"",
      .doc = "Memory of the guest; absent with a snapshot: as much as it has. A change reaches a "
             "running guest up to maxMemory; beyond that it waits for the next start." },
    { .name = "maxMemory",
      MEMORY_SIZE,
      .doc = "How much memory the machine is started ready for; absent: no more than memory." },
    { .name = "rootDisk",
      OBJECT(root_disk_fields),
      .fallback = "{}",
      .doc = "The disk the instance boots from." },
    { .name = "disks", NAMED_LIST(disk_fields), .max = 16, .doc = "Further disks." },
    { .name = "cdrom",
      OBJECT(cdrom_fields),
      .doc = "CD-ROM in the drive; it can be changed and taken out while the instance runs." },
    { .name = "networks",
      NAMED_LIST(network_fields),
      .max = 8,
      .fallback = "[{\"name\":\"eth0\",\"network\":\"default\"}]",
      .doc = "Network cards, in the guest's order. An empty list gives none." },
    { .name = "hostname",
      .type = FIELD_NAME,
      .doc = "Host name in the guest and in DNS; absent: the instance's name." },
    { .name = "sshKeys",
      .type = FIELD_LIST,
      .item = TEXT_ITEM(16 * KIB),
      .max = 64,
      .doc = "Public keys, as in authorized_keys, for the image's default user." },
    { .name = "userData",
      .type = FIELD_TEXT,
      .flags = FIELD_SECRET,
      .max = 64 * KIB,
      .doc = "cloud-init user data: a #cloud-config document or a #! script." },
    { .name = "userDataSecret",
      OBJECT(user_data_secret_fields),
      .doc = "User data kept in a Secret instead of here." },
    { .name = "firmware",
      ENUM("BIOS", "UEFI"),
      .fallback = "\"BIOS\"",
      .doc = "Firmware that boots the disks. Images with a kernel of their own need none." },
    { .name = "bootOrder",
      .type = FIELD_LIST,
      .flags = FIELD_LIST_DISTINCT,
      .item = ENUM_ITEM(TEXTS("Disk", "CDROM", "Network")),
      .max = 3,
      .fallback = "[\"Disk\",\"CDROM\",\"Network\"]",
      .doc = "What the firmware tries, in this order." },
    { .name = "powerState",
      ENUM("Running", "Stopped", "Paused"),
      .fallback = "\"Running\"",
      .doc = "What the instance should be doing." },
    { .name = "restartPolicy",
      ENUM("Always", "OnFailure", "Never"),
      .fallback = "\"OnFailure\"",
      .doc = "Whether an instance that ended by itself is started again: Always, also after the "
             "guest shut itself down; OnFailure, after a crash; Never." },
    { .name = "stopTimeout",
      .type = FIELD_DURATION,
      .max = 24LL * 3600 * 1000,
      .fallback = "\"30s\"",
      .doc = "How long the guest may take to shut down before it is forced. 0s forces at once; load "
             "balancers are waited for in members of an InstanceGroup only." },
    { .name = "restartAt",
      .type = FIELD_TIME,
      .doc = "Setting a new time restarts the instance once, gracefully." },
    { .name = "resetAt",
      .type = FIELD_TIME,
      .doc = "Setting a new time resets the machine once, as its reset button would." },
    { .name = "guestAgent",
      .type = FIELD_BOOL,
      .fallback = "true",
      .doc = "Offer the QEMU guest agent's channel; exec, cp and AgentReady need it." },
    { .name = "console", OBJECT(console_fields), .fallback = "{}", .doc = "Consoles offered." },
    { .name = "accelerator",
      ENUM("Auto", "KVM", "TCG"),
      .fallback = "\"Auto\"",
      .doc = "Hardware virtualization (KVM), emulation (TCG), or the best the host has." },
    { 0 },
};

static const struct field address_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "Network card." },
    { .name = "network", .type = FIELD_TEXT, .doc = "Network." },
    { .name = "networkUID", .type = FIELD_TEXT, .doc = "UID of the Network the address is from." },
    ADDRESS_FIELDS,
    { 0 },
};

static const struct field usage_fields[] = {
    { .name = "time", .type = FIELD_TIME, .doc = "When this was read." },
    { .name = "cpu", .type = FIELD_QUANTITY, .doc = "Processors used over the last interval." },
    { .name = "cpuSeconds", .type = FIELD_NUMBER, .doc = "Processor time since the start." },
    { .name = "memory", .type = FIELD_QUANTITY, .doc = "Host memory used by the machine." },
    { .name = "guestMemory", .type = FIELD_QUANTITY, .doc = "Memory used as the guest sees it." },
    { .name = "diskReadBytes", .type = FIELD_INT, .doc = "Bytes read since the start." },
    { .name = "diskWriteBytes", .type = FIELD_INT, .doc = "Bytes written since the start." },
    { .name = "diskReadOperations", .type = FIELD_INT, .doc = "Reads since the start." },
    { .name = "diskWriteOperations", .type = FIELD_INT, .doc = "Writes since the start." },
    { .name = "networkReceiveBytes", .type = FIELD_INT, .doc = "Bytes received since the start." },
    { .name = "networkTransmitBytes", .type = FIELD_INT, .doc = "Bytes sent since the start." },
    { 0 },
};

static const struct field last_end_fields[] = {
    { .name = "reason",
      .type = FIELD_TEXT,
      .doc = "GuestShutdown, GuestReset, Stopped, GuestPanic, ProcessDied or StartFailed." },
    { .name = "message", .type = FIELD_TEXT, .doc = "What is known about it." },
    { .name = "time", .type = FIELD_TIME, .doc = "When it was seen." },
    { 0 },
};

static const struct field machine_fields[] = {
    MACHINE_SIZE_FIELDS,
    { .name = "hostname", .type = FIELD_TEXT, .doc = "Host name given." },
    { .name = "firmware", .type = FIELD_TEXT, .doc = "Firmware." },
    { .name = "bootOrder",
      .type = FIELD_LIST,
      .item = ITEM_OF(FIELD_TEXT),
      .doc = "What the firmware tried, in this order." },
    MACHINE_OFFERS_FIELDS,
    { .name = "accelerator", .type = FIELD_TEXT, .doc = "The accelerator asked for." },
    { 0 },
};

static const struct field attached_disk_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "Disk." },
    { .name = "volume", .type = FIELD_TEXT, .doc = "Volume it is." },
    { .name = "volumeUID", .type = FIELD_TEXT, .doc = "UID of the Volume." },
    { .name = "readOnly", .type = FIELD_BOOL, .doc = "The guest may not write to it." },
    { 0 },
};

static const struct field medium_fields[] = {
    { .name = "image", .type = FIELD_TEXT, .doc = "Image." },
    { .name = "imageUID", .type = FIELD_TEXT, .doc = "UID of the Image." },
    { 0 },
};

static const struct field status_fields[] = {
    STATUS_COMMON,
    PHASE("Where the instance is in its life.",
          "Pending", "Starting", "Running", "Paused", "Stopping", "Stopped", "Failed",
          "Terminating"),
    { .name = "reason",
      .type = FIELD_TEXT,
      .doc = "Why it is in its phase, where nobody asked for that: WriteFailed, paused since a disk "
             "could not be written." },
    MESSAGE,
    { .name = "host", .type = FIELD_TEXT, .doc = "Host the instance is placed on." },
    { .name = "networks",
      NAMED_LIST(address_fields),
      .doc = "Addresses, kept for the life of the instance." },
    { .name = "rootVolume", .type = FIELD_TEXT, .doc = "Volume that is the root disk." },
    { .name = "machine",
      OBJECT(machine_fields),
      .doc = "What the machine was started with. Where spec differs, condition RestartRequired "
             "says so." },
    { .name = "cpus", .type = FIELD_INT, .doc = "Virtual processors that the guest has now." },
    { .name = "memory", .type = FIELD_QUANTITY, .doc = "Memory that the guest has now." },
    { .name = "disks",
      NAMED_LIST(attached_disk_fields),
      .doc = "Further disks that the machine has or is being given." },
    { .name = "cdrom", OBJECT(medium_fields), .doc = "What lies in the CD-ROM drive." },
    { .name = "snapshotUID", .type = FIELD_TEXT, .doc = "UID of the Snapshot it began as." },
    { .name = "machineType", .type = FIELD_TEXT, .doc = "QEMU machine type, kept for its life." },
    { .name = "accelerator", .type = FIELD_TEXT, .doc = "KVM or TCG." },
    { .name = "startedAt", .type = FIELD_TIME, .doc = "When the machine was last started." },
    { .name = "restartCount", .type = FIELD_INT, .doc = "Starts by the restart policy." },
    { .name = "nextStartAt", .type = FIELD_TIME, .doc = "End of the back-off before a restart." },
    { .name = "restartAt", .type = FIELD_TIME, .doc = "The spec.restartAt that was carried out." },
    { .name = "resetAt", .type = FIELD_TIME, .doc = "The spec.resetAt that was carried out." },
    { .name = "lastEnd", OBJECT(last_end_fields), .doc = "How the machine last ended." },
    { .name = "endedByItself",
      .type = FIELD_BOOL,
      .doc = "The guest ended and the restart policy leaves it so; starting anew needs "
             "powerState Stopped first, or a new restartAt." },
    { .name = "usage", OBJECT(usage_fields), .doc = "Resources in use." },
    { 0 },
};

static const struct field fields[] = {
    SPEC_OPTIONAL(instance_spec_fields, "What the machine should be."),
    STATUS(status_fields, "What it is."),
    { 0 },
};

static const struct column columns[] = {
    COLUMN_NAME,
    { "Phase", "string", "status.phase", 0, "Where the instance is in its life", "status.reason" },
    { "IPv4", "string", "status.networks[*].ipv4Address", 0, "IPv4 addresses" },
    { "CPUs", "integer", "spec.cpus", 0, "Virtual processors" },
    { "Memory", "string", "spec.memory", 0, "Memory" },
    { "Image", "string", "spec.image", 0, "Image of the root disk" },
    COLUMN_AGE,
    { "Host", "string", "status.host", 1, "Host it is placed on" },
    { "Snapshot", "string", "spec.snapshot", 1, "Snapshot it began as" },
    { "IPv6", "string", "status.networks[*].ipv6Address", 1, "IPv6 addresses" },
    { "Restarts", "integer", "status.restartCount", 1, "Starts by the restart policy" },
    { "CPU", "string", "status.usage.cpu", 1, "Processors in use" },
    { "Message", "string", "status.message", 1, "What it waits for" },
    { 0 },
};

static const struct field exec_options[] = {
    { .name = "timeout", .type = FIELD_DURATION, .doc = "How long the command may take." },
    { 0 },
};
static const struct field path_options[] = {
    { .name = "path", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "File in the guest." },
    { .name = "mode", .type = FIELD_TEXT, .doc = "Octal mode of the file written." },
    { 0 },
};
static const struct field log_options[] = {
    { .name = "source",
      ENUM("console", "qemu"),
      .doc = "The serial console's log, or QEMU's own." },
    { .name = "follow", .type = FIELD_BOOL, .doc = "Go on as the log grows." },
    { .name = "tailLines", .type = FIELD_INT, .doc = "Only the last lines." },
    { 0 },
};
static const struct field port_options[] = {
    { .name = "port", .type = FIELD_PORT, .flags = FIELD_REQUIRED, .doc = "TCP port in the guest." },
    { .name = "network", .type = FIELD_TEXT, .doc = "Network card; absent: the first." },
    { 0 },
};

static const struct connect connects[] = {
    { "console", "GET", true, "The serial console as a WebSocket.", NULL },
    { "vnc", "GET", true, "The graphical console (RFB) as a WebSocket.", NULL },
    { "portforward", "GET", true, "A TCP connection to a port of the guest.", port_options },
    { "screenshot", "GET", false, "The screen as PNG.", NULL },
    { "log", "GET", false, "Console log or QEMU log.", log_options },
    { "exec", "POST", false, "Runs a command through the guest agent.", exec_options },
    { "files", "GET PUT", false, "A file of the guest, through the guest agent.", path_options },
    { 0 },
};

/* The names of the disks that every machine has. */
static void check_reserved(const json_t *object, struct causes *causes)
{
    const json_t *disks = json_at(object, "spec.disks");

    for (size_t i = 0; i < json_array_size(disks); i++) {
        const char *name = json_text_at(json_array_get(disks, i), "name", "");
        auto_free char *field = str_printf("spec.disks[%zu].name", i);
        if (str_equal(name, "root") || str_equal(name, "seed") || str_equal(name, "cdrom"))
            causes_invalid(causes, field, json_object_get(json_array_get(disks, i), "name"),
                           "root, seed and cdrom are names of disks that every instance has");
    }
}

static bool is_below(const json_t *spec, const char *most, const char *least)
{
    const json_t *most_value = json_object_get(spec, most), *least_value = json_object_get(spec, least);
    int64_t most_bytes, least_bytes;
    struct err err;

    if (json_is_integer(most_value) && json_is_integer(least_value))
        return json_integer_value(most_value) < json_integer_value(least_value);
    return json_is_string(most_value) && json_is_string(least_value) &&
           quantity_parse(json_string_value(most_value), &most_bytes, &err) == 0 &&
           quantity_parse(json_string_value(least_value), &least_bytes, &err) == 0 && most_bytes < least_bytes;
}

void check_instance_size(const json_t *spec, const char *path, struct causes *causes)
{
    static const char *const pairs[][2] = { { "maxCPUs", "cpus" }, { "maxMemory", "memory" } };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        auto_free char *field = str_printf("%s.%s", path, pairs[i][0]);

        if (is_below(spec, pairs[i][0], pairs[i][1]))
            causes_invalid(causes, field, json_object_get(spec, pairs[i][0]), "must not be less than %s.%s", path,
                           pairs[i][1]);
    }
}

static void check(const json_t *object, const json_t *old, struct causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");

    check_instance_size(spec, "spec", causes);
    check_ssh_keys(spec, json_object_get(old, "spec"), "spec", causes);
    check_distinct(object, "spec.networks", "macAddress", causes);
    check_distinct(object, "spec.networks", "ipv4Address", causes);
    check_distinct(object, "spec.networks", "ipv6Address", causes);
    check_distinct(object, "spec.disks", "volume", causes);
    check_reserved(object, causes);
    if (json_text_at(spec, "userData", NULL) && json_object_get(spec, "userDataSecret"))
        causes_add(causes, "FieldValueForbidden", "spec.userDataSecret",
                   "Forbidden: may not be set together with spec.userData");
    if (!json_text_at(spec, "image", NULL) && !json_text_at(spec, "snapshot", NULL) &&
        !json_at(spec, "rootDisk.size"))
        causes_add(causes, "FieldValueRequired", "spec.image",
                   "Required value: name an image or a snapshot, or set spec.rootDisk.size for a blank disk");
}

const struct kind kind_instance = {
    VIRGA_KIND("Instance", "instances", "instance"),
    .short_names = TEXTS("inst", "vm"),
    .categories = TEXTS("all", "virga"),
    .flags = KIND_NAMESPACED | KIND_HAS_STATUS | KIND_LABEL_NAME,
    .doc = "A virtual machine: its own operating system, processors, memory, disks and network.",
    .fields = fields,
    .columns = columns,
    .connects = connects,
    .selectable = TEXTS("status.phase", "status.host", "spec.image", "spec.snapshot"),
    .check = check,
};
