/* drivers/compute/qemu/devices.h - disks and NICs in QEMU's words, as JSON for both the
 * command line (-blockdev, -device, -netdev) and the monitor (blockdev-add, device_add,
 * netdev_add). Pure.
 *
 * Everything is found again by its name alone, also by a daemon that did not make it:
 *   port.7            PCIe root port 7, which holds one hot-pluggable device
 *   disk.7.root       device in port 7, the disk "root"; nic.3.lan alike
 *   cd.0.seed         CD-ROM drive at SATA port 0
 *   disk7-0           block node of the disk's writable file, disk7-1 its backing file ...
 *   disk7-0-file      node that reads the file itself; disk7-0 also names the fdset
 *   cd0a-0 / cd0b-0   node of the medium in drive 0; two names, so that a new medium can
 *                     be opened before the old one is closed
 *   net3              the NIC's back end */
#pragma once
#include "base/json.h"
#include "drivers/compute.h"

enum {
    PORTS_MAX = 32,  /* four slots of pcie.0 with eight functions each */
    /* Empty ones that every machine starts with. Under emulation each costs a guest ten
     * milliseconds of its boot. */
    PORTS_SPARE = 4,
    CDROMS_MAX = 6,  /* SATA ports of q35 */
    DEVICE_ID_SIZE = DEVICE_NAME_SIZE + 16,
    NODE_NAME_SIZE = 32, /* QEMU's bound */
};

enum device_kind { DEVICE_DISK, DEVICE_CDROM, DEVICE_NIC };

struct device_id {
    enum device_kind kind;
    unsigned slot; /* PCIe port or SATA port */
    char name[DEVICE_NAME_SIZE];
};
void device_id_format(const struct device_id *id, char to[DEVICE_ID_SIZE]);
bool device_id_parse(const char *text, struct device_id *ret_id); /* false: none of ours */
/* "port.7"; false: none of ours. */
bool port_id_parse(const char *text, unsigned *ret_port);

/* 1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit. */
int device_name_check(const char *name, struct err *err);

bool machine_uid_is_valid(const char *text); /* a UUID in lower case; NULL is none */

/* "disk7" or "cd0a": begins the names of a chain's nodes and fdsets. */
struct node_base {
    char text[16];
};
struct node_base disk_node_base(unsigned port);
struct node_base cdrom_node_base(unsigned slot, char letter);
void node_name(const struct node_base *base, unsigned file, char to[NODE_NAME_SIZE]);

/* The node of file 'file' of the chain; the file's descriptor is in the fdset. Added before
 * the format node. */
json_t *file_node(const struct node_base *base, unsigned file, unsigned fdset, bool writable,
                  bool io_uring);
/* The node on top of it; its backing node must be there. */
json_t *format_node(const struct node_base *base, unsigned file, const struct disk_source *source);
bool file_is_writable(const struct disk_source *source, unsigned file);

json_t *disk_device(const struct machine_disk *disk, unsigned port);
/* 'base' NULL: an empty tray. */
json_t *cdrom_device(const struct machine_disk *disk, unsigned slot, const struct node_base *base);
json_t *nic_backend(const struct machine_nic *nic, unsigned port, const char *fd_name);
json_t *nic_device(const struct machine_nic *nic, unsigned port);
json_t *port_device(unsigned port);
