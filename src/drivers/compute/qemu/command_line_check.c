/* drivers/compute/qemu/command_line_check.c - what QEMU or this host cannot take. */
#include "base/str.h"
#include "drivers/compute/qemu/command_line.h"
#include "drivers/compute/qemu/devices.h"
#include <string.h>

enum { CPUS_MAX = 255, MIB = 1024 * 1024 };

unsigned command_line_cdrom_count(const struct machine_config *config)
{
    unsigned count = 0;

    for (unsigned i = 0; i < config->disk_count; i++)
        count += config->disks[i].is_cdrom;
    return count;
}

int command_line_accelerator(const struct machine_config *config, const struct qemu_host *host,
                             bool *ret_kvm, struct err *err)
{
    if (config->accelerator == ACCELERATOR_KVM && !host->kvm_usable)
        return err_set(err, ERR_UNSUPPORTED, "KVM is not usable: %s", host->kvm_reason);
    *ret_kvm = config->accelerator != ACCELERATOR_TCG && host->kvm_usable;
    return 0;
}

int command_line_check_uid(const struct machine_config *config, struct err *err)
{
    if (!machine_uid_is_valid(config->uid))
        return err_set(err, ERR_INVALID, "'%.40s' is no UUID", config->uid ? config->uid : "");
    return 0;
}

static int check_source(const struct machine_disk *disk, struct err *err)
{
    if (disk->source.file_count == 0 && !disk->is_cdrom)
        return err_set(err, ERR_INVALID, "no file");
    if (disk->source.file_count > DISK_CHAIN_MAX)
        return err_set(err, ERR_INVALID, "more than %d files in its chain", DISK_CHAIN_MAX);
    for (unsigned i = 0; i < disk->source.file_count; i++) {
        const struct disk_file *file = &disk->source.files[i];

        if (!str_equal(file->format, "qcow2") && !str_equal(file->format, "raw"))
            return err_set(err, ERR_INVALID, "format '%.20s' is neither qcow2 nor raw",
                           file->format ? file->format : "");
        if (str_equal(file->format, "raw") && i + 1 < disk->source.file_count)
            return err_set(err, ERR_INVALID, "a raw file has no backing file");
    }
    return 0;
}

int command_line_check_disk(const struct machine_disk *disk, struct err *err)
{
    if (device_name_check(disk->name, err) < 0)
        return -1;
    if (check_source(disk, err) < 0)
        return err_wrap(err, "disk %s", disk->name);
    return 0;
}

static bool is_taken(const struct machine_config *config, unsigned disk)
{
    for (unsigned i = 0; i < disk; i++) {
        if (str_equal(config->disks[i].name, config->disks[disk].name))
            return true;
    }
    return false;
}

static bool is_nic_taken(const struct machine_config *config, unsigned nic)
{
    for (unsigned i = 0; i < nic; i++) {
        if (str_equal(config->nics[i].name, config->nics[nic].name))
            return true;
    }
    return false;
}

static int check_devices(const struct machine_config *config, struct err *err)
{
    if (config->disk_count > MACHINE_DISKS_MAX || config->nic_count > MACHINE_NICS_MAX)
        return err_set(err, ERR_INVALID, "more than %d disks or %d NICs", MACHINE_DISKS_MAX,
                       MACHINE_NICS_MAX);
    if (command_line_cdrom_count(config) > CDROMS_MAX)
        return err_set(err, ERR_INVALID, "more than %d CD-ROM drives", CDROMS_MAX);
    for (unsigned i = 0; i < config->disk_count; i++) {
        if (command_line_check_disk(&config->disks[i], err) < 0)
            return -1;
        if (is_taken(config, i))
            return err_set(err, ERR_INVALID, "two disks are named %s", config->disks[i].name);
    }
    for (unsigned i = 0; i < config->nic_count; i++) {
        if (device_name_check(config->nics[i].name, err) < 0)
            return -1;
        if (is_nic_taken(config, i))
            return err_set(err, ERR_INVALID, "two NICs are named %s", config->nics[i].name);
    }
    return 0;
}

static int check_host(const struct machine_config *config, const struct qemu_host *host,
                      struct err *err)
{
    if (config->uefi && !host->ovmf_code[0])
        return err_set(err, ERR_UNSUPPORTED, "no UEFI firmware: install the package ovmf");
    return 0;
}

int command_line_check(const struct machine_config *config, const struct qemu_host *host,
                       struct err *err)
{
    if (command_line_check_uid(config, err) < 0)
        return -1;
    if (config->cpus < 1 || config->cpus > CPUS_MAX)
        return err_set(err, ERR_INVALID, "%u processors: from 1 to %d", config->cpus, CPUS_MAX);
    if (config->cpus_max > CPUS_MAX)
        return err_set(err, ERR_INVALID, "up to %u processors: at most %d", config->cpus_max, CPUS_MAX);
    if (config->memory_bytes < MIB)
        return err_set(err, ERR_INVALID, "less than 1 MiB of memory");
    if (check_host(config, host, err) < 0)
        return -1;
    return check_devices(config, err);
}
