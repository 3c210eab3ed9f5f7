/* drivers/compute.c - values that travel to and from the compute drivers. */
#include "drivers/compute.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/storage.h"
#include <stdlib.h>

void disk_source_done(struct disk_source *source)
{
    for (unsigned i = 0; i < source->file_count; i++) {
        free(source->files[i].path);
        free(source->files[i].format);
    }
    *source = (struct disk_source){ 0 };
}

void disk_source_copy(struct disk_source *ret_copy, const struct disk_source *source)
{
    *ret_copy = *source;
    for (unsigned i = 0; i < source->file_count; i++) {
        ret_copy->files[i].path = str_dup(source->files[i].path);
        ret_copy->files[i].format = str_dup(source->files[i].format);
    }
}

unsigned machine_cpus_most(const struct machine_config *config)
{
    return config->cpus_max > config->cpus ? config->cpus_max : config->cpus;
}

int64_t machine_memory_most(const struct machine_config *config)
{
    return config->memory_bytes_max > config->memory_bytes ? config->memory_bytes_max : config->memory_bytes;
}

void machine_config_free(struct machine_config *config)
{
    if (!config)
        return;
    for (unsigned i = 0; i < config->disk_count; i++)
        disk_source_done(&config->disks[i].source);
    free(config->uid);
    free(config->name);
    free(config->firmware_vars);
    free(config->kernel);
    free(config->initrd);
    free(config->command_line);
    free(config->machine_type);
    free(config->frozen);
    free(config);
}

struct machine_config *machine_config_copy(const struct machine_config *config)
{
    struct machine_config *copy = mem_copy(config, sizeof *config);

    for (unsigned i = 0; i < config->disk_count; i++)
        disk_source_copy(&copy->disks[i].source, &config->disks[i].source);
    copy->uid = str_dup(config->uid);
    copy->name = str_dup(config->name);
    copy->firmware_vars = str_dup(config->firmware_vars);
    copy->kernel = str_dup(config->kernel);
    copy->initrd = str_dup(config->initrd);
    copy->command_line = str_dup(config->command_line);
    copy->machine_type = str_dup(config->machine_type);
    copy->frozen = str_dup(config->frozen);
    return copy;
}

void compute_uids_free(char **uids)
{
    if (!uids)
        return;
    for (char **uid = uids; *uid; uid++)
        free(*uid);
    free(uids);
}
