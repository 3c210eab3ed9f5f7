/* drivers/compute/qemu/devices.c - disks and NICs in QEMU's words. */
#include "drivers/compute/qemu/devices.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PORTS_PER_SLOT = 8,
    FIRST_PORT_SLOT = 0x8,  /* of pcie.0; below it are the fixed devices of command_line.c */
    SERIAL_LENGTH_MAX = 20, /* VIRTIO_BLK_ID_BYTES */
    MTU_DEFAULT = 1500,
};

/* --- names --- */

static const char *const kind_names[] = {
    [DEVICE_DISK] = "disk",
    [DEVICE_CDROM] = "cd",
    [DEVICE_NIC] = "nic",
};

void device_id_format(const struct device_id *id, char to[DEVICE_ID_SIZE])
{
    snprintf(to, DEVICE_ID_SIZE, "%s.%u.%s", kind_names[id->kind], id->slot, id->name);
}

static bool slot_parse(const char *text, unsigned limit, unsigned *ret_slot, const char **ret_end)
{
    char *end;
    unsigned long slot;

    if (!isdigit((unsigned char)*text))
        return false;
    slot = strtoul(text, &end, 10);
    *ret_slot = (unsigned)slot;
    *ret_end = end;
    return slot < limit;
}

bool device_id_parse(const char *text, struct device_id *ret_id)
{
    struct err err;

    for (unsigned kind = 0; kind < sizeof kind_names / sizeof kind_names[0]; kind++) {
        size_t length = strlen(kind_names[kind]);
        const char *end;
        unsigned slot;

        if (!str_starts(text, kind_names[kind]) || text[length] != '.')
            continue;
        if (!slot_parse(text + length + 1, kind == DEVICE_CDROM ? CDROMS_MAX : PORTS_MAX, &slot,
                        &end) ||
            *end != '.' || device_name_check(end + 1, &err) < 0)
            return false;
        *ret_id = (struct device_id){ .kind = kind, .slot = slot };
        snprintf(ret_id->name, sizeof ret_id->name, "%s", end + 1);
        return true;
    }
    return false;
}

bool port_id_parse(const char *text, unsigned *ret_port)
{
    const char *end;

    return str_starts(text, "port.") && slot_parse(text + 5, PORTS_MAX, ret_port, &end) && !*end;
}

int device_name_check(const char *name, struct err *err)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_");

    if (length == 0 || name[length] || length >= DEVICE_NAME_SIZE || name[0] == '-' ||
        name[0] == '_')
        return err_set(err, ERR_INVALID, "'%.80s' is no name of a device", name);
    return 0;
}

bool machine_uid_is_valid(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (!text || strlen(text) != sizeof form - 1)
        return false;
    for (size_t i = 0; form[i]; i++) {
        if (form[i] == '-' ? text[i] != '-' : !strchr("0123456789abcdef", text[i]))
            return false;
    }
    return true;
}

struct node_base disk_node_base(unsigned port)
{
    struct node_base base;

    snprintf(base.text, sizeof base.text, "disk%u", port % PORTS_MAX);
    return base;
}

struct node_base cdrom_node_base(unsigned slot, char letter)
{
    struct node_base base;

    snprintf(base.text, sizeof base.text, "cd%u%c", slot % CDROMS_MAX, letter);
    return base;
}

void node_name(const struct node_base *base, unsigned file, char to[NODE_NAME_SIZE])
{
    snprintf(to, NODE_NAME_SIZE, "%s-%u", base->text, file);
}

/* --- block nodes --- */

bool file_is_writable(const struct disk_source *source, unsigned file)
{
    return file == 0 && !source->read_only;
}

json_t *file_node(const struct node_base *base, unsigned file, unsigned fdset, bool writable,
                  bool io_uring)
{
    char name[NODE_NAME_SIZE], path[32];
    json_t *node = json_object();

    node_name(base, file, name);
    snprintf(path, sizeof path, "/dev/fdset/%u", fdset);
    json_object_set_new(node, "driver", json_string("file"));
    json_object_set_new(node, "node-name", json_printf("%s-file", name));
    json_object_set_new(node, "filename", json_string(path));
    json_object_set_new(node, "aio", json_string(io_uring ? "io_uring" : "threads"));
    json_object_set_new(node, "read-only", json_boolean(!writable));
    if (writable)
        json_object_set_new(node, "discard", json_string("unmap"));
    return node;
}

/* What a qcow2 header says of its backing file is never followed: ours is named, or none. */
static void set_backing(json_t *node, const struct node_base *base, unsigned file,
                        const struct disk_source *source)
{
    char name[NODE_NAME_SIZE];

    if (file + 1 == source->file_count) {
        json_object_set_new(node, "backing", json_null());
        return;
    }
    node_name(base, file + 1, name);
    json_object_set_new(node, "backing", json_string(name));
}

json_t *format_node(const struct node_base *base, unsigned file, const struct disk_source *source)
{
    char name[NODE_NAME_SIZE];
    json_t *node = json_object();
    bool writable = file_is_writable(source, file);

    node_name(base, file, name);
    json_object_set_new(node, "driver", json_string(source->files[file].format));
    json_object_set_new(node, "node-name", json_string(name));
    json_object_set_new(node, "file", json_printf("%s-file", name));
    json_object_set_new(node, "read-only", json_boolean(!writable));
    if (writable) {
        json_object_set_new(node, "discard", json_string("unmap"));
        json_object_set_new(node, "detect-zeroes", json_string("unmap"));
    }
    if (str_equal(source->files[file].format, "qcow2"))
        set_backing(node, base, file, source);
    return node;
}

/* --- devices --- */

static json_t *device_new(const char *driver, enum device_kind kind, unsigned slot,
                          const char *name, int boot_index)
{
    struct device_id id = { .kind = kind, .slot = slot };
    char text[DEVICE_ID_SIZE];
    json_t *device = json_object();

    snprintf(id.name, sizeof id.name, "%s", name);
    device_id_format(&id, text);
    json_object_set_new(device, "driver", json_string(driver));
    json_object_set_new(device, "id", json_string(text));
    if (boot_index)
        json_object_set_new(device, "bootindex", json_integer(boot_index));
    return device;
}

static void set_drive(json_t *device, const struct node_base *base)
{
    char node[NODE_NAME_SIZE];

    node_name(base, 0, node);
    json_object_set_new(device, "drive", json_string(node));
}

json_t *disk_device(const struct machine_disk *disk, unsigned port)
{
    json_t *device = device_new("virtio-blk-pci", DEVICE_DISK, port, disk->name, disk->boot_index);
    struct node_base base = disk_node_base(port);

    json_object_set_new(device, "bus", json_printf("port.%u", port));
    set_drive(device, &base);
    json_object_set_new(device, "serial", json_printf("%.*s", SERIAL_LENGTH_MAX, disk->name));
    json_object_set_new(device, "write-cache", json_string("on"));
    json_object_set_new(device, "werror", json_string("stop"));
    json_object_set_new(device, "rerror", json_string("stop"));
    return device;
}

json_t *cdrom_device(const struct machine_disk *disk, unsigned slot, const struct node_base *base)
{
    json_t *device = device_new("ide-cd", DEVICE_CDROM, slot, disk->name, disk->boot_index);

    json_object_set_new(device, "bus", json_printf("ide.%u", slot));
    if (base)
        set_drive(device, base);
    return device;
}

json_t *nic_backend(const struct machine_nic *nic, unsigned port, const char *fd_name)
{
    json_t *backend = json_object();

    json_object_set_new(backend, "type", json_string("tap"));
    json_object_set_new(backend, "id", json_printf("net%u", port));
    json_object_set_new(backend, "fd", json_string(fd_name));
    return backend;
}

json_t *nic_device(const struct machine_nic *nic, unsigned port)
{
    json_t *device = device_new("virtio-net-pci", DEVICE_NIC, port, nic->name, nic->boot_index);
    char mac[MAC_TEXT_SIZE];

    mac_format(&nic->mac, mac);
    json_object_set_new(device, "bus", json_printf("port.%u", port));
    json_object_set_new(device, "netdev", json_printf("net%u", port));
    json_object_set_new(device, "mac", json_string(mac));
    if (nic->mtu && nic->mtu != MTU_DEFAULT)
        json_object_set_new(device, "host_mtu", json_integer(nic->mtu));
    if (!nic->boot_index)
        json_object_set_new(device, "romfile", json_string(""));
    return device;
}

json_t *port_device(unsigned port)
{
    json_t *device = json_object();

    json_object_set_new(device, "driver", json_string("pcie-root-port"));
    json_object_set_new(device, "id", json_printf("port.%u", port));
    json_object_set_new(device, "bus", json_string("pcie.0"));
    json_object_set_new(device, "chassis", json_integer(port + 1));
    json_object_set_new(
        device, "addr",
        json_printf("0x%x.0x%x", FIRST_PORT_SLOT + port / PORTS_PER_SLOT, port % PORTS_PER_SLOT));
    if (port % PORTS_PER_SLOT == 0)
        json_object_set_new(device, "multifunction", json_true());
    /* I/O space is 64 KB for all; virtio behind a port needs none. */
    json_object_set_new(device, "io-reserve", json_integer(0));
    return device;
}
