/* drivers/compute/qemu/config_json.c - writes and reads machine configurations. */
#include "drivers/compute/qemu/config_json.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>

/* --- out --- */

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string_repaired(text, strlen(text)));
}

static void set_int(json_t *object, const char *key, int64_t value)
{
    json_object_set_new(object, key, json_integer(value));
}

static void set_bool(json_t *object, const char *key, bool value)
{
    json_object_set_new(object, key, json_boolean(value));
}

static json_t *disk_to_json(const struct machine_disk *disk)
{
    json_t *object = json_object(), *files = json_array();

    set_text(object, "name", disk->name);
    for (unsigned i = 0; i < disk->source.file_count; i++) {
        json_t *file = json_object();

        set_text(file, "path", disk->source.files[i].path);
        set_text(file, "format", disk->source.files[i].format);
        json_array_append_new(files, file);
    }
    json_object_set_new(object, "files", files);
    set_bool(object, "readOnly", disk->source.read_only);
    set_bool(object, "cdrom", disk->is_cdrom);
    set_int(object, "bootIndex", disk->boot_index);
    return object;
}

static json_t *nic_to_json(const struct machine_nic *nic)
{
    json_t *object = json_object();
    char mac[MAC_TEXT_SIZE];

    mac_format(&nic->mac, mac);
    set_text(object, "name", nic->name);
    set_text(object, "mac", mac);
    set_int(object, "mtu", nic->mtu);
    set_int(object, "bootIndex", nic->boot_index);
    return object;
}

json_t *config_to_json(const struct machine_config *config)
{
    json_t *object = json_object(), *disks = json_array(), *nics = json_array();

    set_text(object, "uid", config->uid);
    set_text(object, "name", config->name);
    set_int(object, "cpus", config->cpus);
    set_int(object, "memoryBytes", config->memory_bytes);
    set_int(object, "cpusMax", config->cpus_max);
    set_int(object, "memoryBytesMax", config->memory_bytes_max);
    set_bool(object, "uefi", config->uefi);
    set_text(object, "firmwareVars", config->firmware_vars);
    set_int(object, "accelerator", config->accelerator);
    set_text(object, "kernel", config->kernel);
    set_text(object, "initrd", config->initrd);
    set_text(object, "commandLine", config->command_line);
    set_bool(object, "vnc", config->vnc);
    set_bool(object, "guestAgent", config->guest_agent);
    set_bool(object, "startPaused", config->start_paused);
    set_text(object, "machineType", config->machine_type);
    set_text(object, "frozen", config->frozen);
    set_int(object, "cpuLimitMilli", config->cpu_limit_milli);
    for (unsigned i = 0; i < config->disk_count; i++)
        json_array_append_new(disks, disk_to_json(&config->disks[i]));
    for (unsigned i = 0; i < config->nic_count; i++)
        json_array_append_new(nics, nic_to_json(&config->nics[i]));
    json_object_set_new(object, "disks", disks);
    json_object_set_new(object, "nics", nics);
    return object;
}

/* --- in --- */

static char *get_text(const json_t *object, const char *key)
{
    return str_dup(json_text_at(object, key, NULL));
}

static unsigned get_unsigned(const json_t *object, const char *key)
{
    int64_t value = json_int_at(object, key, 0);

    return value < 0 || value > UINT32_MAX ? 0 : (unsigned)value;
}

static int disk_from_json(const json_t *object, struct machine_disk *disk, struct err *err)
{
    const json_t *files = json_object_get(object, "files");
    size_t i;
    json_t *file;

    if (json_array_size(files) > DISK_CHAIN_MAX)
        return err_set(err, ERR_INVALID, "a disk of %zu files", json_array_size(files));
    snprintf(disk->name, sizeof disk->name, "%s", json_text_at(object, "name", ""));
    json_array_foreach ((json_t *)files, i, file) {
        disk->source.files[i].path = get_text(file, "path");
        disk->source.files[i].format = get_text(file, "format");
        disk->source.file_count++;
    }
    disk->source.read_only = json_bool_at(object, "readOnly", false);
    disk->is_cdrom = json_bool_at(object, "cdrom", false);
    disk->boot_index = (int)json_int_at(object, "bootIndex", 0);
    return 0;
}

static int nic_from_json(const json_t *object, struct machine_nic *nic, struct err *err)
{
    snprintf(nic->name, sizeof nic->name, "%s", json_text_at(object, "name", ""));
    nic->mtu = get_unsigned(object, "mtu");
    nic->boot_index = (int)json_int_at(object, "bootIndex", 0);
    return mac_parse(json_text_at(object, "mac", ""), &nic->mac, err);
}

static int devices_from_json(const json_t *object, struct machine_config *config, struct err *err)
{
    const json_t *disks = json_object_get(object, "disks");
    const json_t *nics = json_object_get(object, "nics");
    size_t i;
    json_t *each;

    if (json_array_size(disks) > MACHINE_DISKS_MAX || json_array_size(nics) > MACHINE_NICS_MAX)
        return err_set(err, ERR_INVALID, "%zu disks, %zu NICs", json_array_size(disks),
                       json_array_size(nics));
    json_array_foreach ((json_t *)disks, i, each) {
        if (disk_from_json(each, &config->disks[config->disk_count++], err) < 0)
            return -1;
    }
    json_array_foreach ((json_t *)nics, i, each) {
        if (nic_from_json(each, &config->nics[config->nic_count++], err) < 0)
            return -1;
    }
    return 0;
}

struct machine_config *config_from_json(const json_t *object, struct err *err)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;

    if (!json_text_at(object, "uid", NULL)) {
        (void)err_set(err, ERR_INVALID, "no uid");
        return NULL;
    }
    config = mem_new(struct machine_config);
    config->uid = get_text(object, "uid");
    config->name = get_text(object, "name");
    config->cpus = get_unsigned(object, "cpus");
    config->memory_bytes = json_int_at(object, "memoryBytes", 0);
    config->cpus_max = get_unsigned(object, "cpusMax");
    config->memory_bytes_max = json_int_at(object, "memoryBytesMax", 0);
    config->uefi = json_bool_at(object, "uefi", false);
    config->firmware_vars = get_text(object, "firmwareVars");
    config->accelerator = (enum machine_accelerator)get_unsigned(object, "accelerator");
    config->kernel = get_text(object, "kernel");
    config->initrd = get_text(object, "initrd");
    config->command_line = get_text(object, "commandLine");
    config->vnc = json_bool_at(object, "vnc", false);
    config->guest_agent = json_bool_at(object, "guestAgent", false);
    config->start_paused = json_bool_at(object, "startPaused", false);
    config->machine_type = get_text(object, "machineType");
    config->frozen = get_text(object, "frozen");
    config->cpu_limit_milli = get_unsigned(object, "cpuLimitMilli");
    if (devices_from_json(object, config, err) < 0)
        return NULL;
    return take_pointer(config);
}
