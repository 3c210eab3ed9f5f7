/* drivers/compute/qemu/command_line.h - how QEMU is called for a machine. Pure.
 *
 * The command line names no file: everything is an inherited descriptor, listed beside it
 * with what it must be, for launch.c to open. Nothing secret ever stands in it. */
#pragma once
#include "drivers/compute.h"
#include "drivers/compute/qemu/host.h"

enum descriptor_role {
    DESCRIPTOR_LOCK,    /* held as long as the process lives; QEMU does not know it */
    DESCRIPTOR_MEMORY,  /* the guest's memory: a file of its own, or a frozen machine's */
    DESCRIPTOR_STATE,   /* device state of a frozen machine, read-only */
    DESCRIPTOR_MONITOR, /* listening sockets */
    DESCRIPTOR_SERIAL,
    DESCRIPTOR_AGENT,
    DESCRIPTOR_IDENTITY,
    DESCRIPTOR_SERIAL_LOG, /* written at its end */
    DESCRIPTOR_FIRMWARE,   /* UEFI code, read-only */
    DESCRIPTOR_VARS,       /* UEFI variables, writable */
    DESCRIPTOR_KERNEL,
    DESCRIPTOR_INITRD,
    DESCRIPTOR_DISK, /* file 'file' of disk 'index' */
    DESCRIPTOR_NIC,  /* tap of NIC 'index' */
};
struct descriptor {
    int number; /* in QEMU */
    enum descriptor_role role;
    unsigned index, file;
    bool writable;
};

enum {
    DESCRIPTOR_FIRST = 3,
    /* The memory is found by its number when the machine is frozen, the state by the command that
     * loads it. */
    DESCRIPTOR_OF_MEMORY = DESCRIPTOR_FIRST + 1,
    DESCRIPTOR_OF_STATE = DESCRIPTOR_FIRST + 2,
    DESCRIPTORS_MAX = 16 + MACHINE_NICS_MAX + MACHINE_DISKS_MAX * DISK_CHAIN_MAX
};

struct command_line {
    char **argv; /* NULL-terminated */
    unsigned argc, capacity;
    struct descriptor descriptors[DESCRIPTORS_MAX];
    unsigned descriptor_count;
};

/* Whether this machine will run under KVM. ERR_UNSUPPORTED: it is forced and not usable. */
int command_line_accelerator(const struct machine_config *config, const struct qemu_host *host,
                             bool *ret_kvm, struct err *err);
/* ERR_INVALID: a name, format or count that QEMU cannot take. ERR_UNSUPPORTED: not here. */
int command_line_check(const struct machine_config *config, const struct qemu_host *host,
                       struct err *err);
int command_line_check_uid(const struct machine_config *config, struct err *err); /* alone */
int command_line_check_disk(const struct machine_disk *disk, struct err *err);
unsigned command_line_cdrom_count(const struct machine_config *config);

/* Which devices a machine has beside what 'config' says. It is written down with a machine and with what
 * it is frozen to, for a fork needs the very same: it rises whenever they change. */
enum { DEVICES = 4 };
/* 'config' must have passed the check. */
void command_line_build(struct command_line *line, const struct machine_config *config,
                        const struct qemu_host *host, bool kvm);
void command_line_done(struct command_line *line);

/* Size of the device that memory is added by; 0: none. */
int64_t command_line_growth_bytes(const struct machine_config *config);

/* Memory the process needs beside the guest's, at most. */
int64_t command_line_overhead_bytes(bool kvm);
