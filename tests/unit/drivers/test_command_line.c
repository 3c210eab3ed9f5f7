#include "check.h"
#include "drivers/compute/qemu/command_line.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/devices.h"
#include "golden.h"
#include "qmp_schema.h"
#include <stdio.h>
#include <string.h>

static const struct qemu_host debian_12 = {
    .binary = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .machine_type = "pc-q35-7.2",
    .has_io_uring = true,
    .has_png = true,
    .ovmf_code = "/usr/share/OVMF/OVMF_CODE_4M.fd",
    .ovmf_vars = "/usr/share/OVMF/OVMF_VARS_4M.fd",
    .kvm_reason = "the processor offers neither vmx nor svm",
};

static struct machine_config *plain(void)
{
    struct machine_config *config = mem_new(struct machine_config);

    config->uid = str_dup("6e1ff6a2-5c3b-4d3f-9a43-0d8d9f5c1e11");
    config->name = str_dup("default/web");
    config->cpus = 1;
    config->memory_bytes = 256 << 20;
    return config;
}

static struct machine_disk *add_disk(struct machine_config *config, const char *name,
                                     const char *path, const char *format)
{
    struct machine_disk *disk = &config->disks[config->disk_count++];

    snprintf(disk->name, sizeof disk->name, "%s", name);
    disk->source.files[0].path = str_dup(path);
    disk->source.files[0].format = str_dup(format);
    disk->source.file_count = 1;
    return disk;
}

static void add_backing(struct machine_disk *disk, const char *path, const char *format)
{
    struct disk_file *file = &disk->source.files[disk->source.file_count++];

    file->path = str_dup(path);
    file->format = str_dup(format);
}

static void add_nic(struct machine_config *config, const char *name, unsigned last_octet)
{
    struct machine_nic *nic = &config->nics[config->nic_count++];

    snprintf(nic->name, sizeof nic->name, "%s", name);
    nic->mac = (struct mac_addr){ { 0x52, 0x54, 0, 0, 0, (uint8_t)last_octet } };
}

static struct machine_config *micro(void)
{
    struct machine_config *config = plain();
    struct machine_disk *root = add_disk(config, "root", "/pool/v1.qcow2", "qcow2");

    add_backing(root, "/images/i1.qcow2", "qcow2");
    config->kernel = str_dup("/images/i1.vmlinuz");
    config->initrd = str_dup("/images/i1.initrd");
    config->command_line = str_dup("console=ttyS0 root=/dev/vda quiet, and, commas");
    config->guest_agent = true;
    add_nic(config, "lan", 1);
    return config;
}

static const char *role_name(enum descriptor_role role)
{
    static const char *const names[] = { "lock",     "memory",     "state",    "monitor", "serial", "agent",
                                         "identity", "serial-log", "firmware", "vars",    "kernel", "initrd",
                                         "disk",     "nic" };

    return names[role];
}

/* One option and its value per line, then the descriptors. */
static char *text_of(const struct command_line *line)
{
    struct buf text = { 0 };

    for (unsigned i = 0; i < line->argc; i++) {
        bool is_option = line->argv[i][0] == '-';

        buf_printf(&text, "%s%s", i == 0 ? "" : is_option ? "\n" : " ", line->argv[i]);
    }
    buf_add_char(&text, '\n');
    for (unsigned i = 0; i < line->descriptor_count; i++) {
        const struct descriptor *each = &line->descriptors[i];

        buf_printf(&text, "# %d: %s %u.%u %s\n", each->number, role_name(each->role), each->index,
                   each->file, each->writable ? "rw" : "ro");
    }
    return buf_take(&text);
}

static void check_golden(const char *name, const struct machine_config *config,
                         const struct qemu_host *host)
{
    struct command_line line;
    struct err err;
    bool kvm;

    CHECK_OK(command_line_check(config, host, &err), &err);
    CHECK_OK(command_line_accelerator(config, host, &kvm, &err), &err);
    command_line_build(&line, config, host, kvm);
    auto_free char *text = text_of(&line);
    golden_check(name, text);
    command_line_done(&line);
}

TEST(a_machine_with_nothing)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = plain();

    check_golden("qemu/plain.args", config, &debian_12);
}

TEST(a_machine_is_ready_to_grow)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = plain();

    config->cpus_max = 4;
    config->memory_bytes_max = 700 << 20;
    check_golden("qemu/growing.args", config, &debian_12);
}

TEST(a_fork_goes_on_from_a_frozen_machine)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = micro();

    config->frozen = str_dup("77777777-7777-4777-8777-777777777777");
    check_golden("qemu/fork.args", config, &debian_12);
}

TEST(a_fork_grows_into_memory_without_a_file)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = plain();

    config->frozen = str_dup("77777777-7777-4777-8777-777777777777");
    config->memory_bytes_max = 700 << 20;
    check_golden("qemu/growing_fork.args", config, &debian_12);
}

TEST(a_micro_guest_boots_its_kernel_directly)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = micro();

    check_golden("qemu/micro.args", config, &debian_12);
}

/* The value of -append; owned, NULL: there is none. */
static char *append_of(const struct machine_config *config)
{
    struct command_line line;
    char *append = NULL;

    command_line_build(&line, config, &debian_12, false);
    for (unsigned i = 0; i + 1 < line.argc; i++)
        if (str_equal(line.argv[i], "-append"))
            append = str_dup(line.argv[i + 1]);
    command_line_done(&line);
    return append;
}

TEST(a_kernel_that_may_get_memory_above_4_gib_sets_little_of_what_it_has_aside_for_that)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = micro();

    config->memory_bytes_max = 700 << 20;
    auto_free char *grows = append_of(config);
    CHECK_STR(grows, "swiotlb=1024 console=ttyS0 root=/dev/vda quiet, and, commas");
    free(config->command_line);
    config->command_line = NULL;
    auto_free char *alone = append_of(config);
    CHECK_STR(alone, "swiotlb=1024");
    config->command_line = str_dup("quiet swiotlb=65536");
    auto_free char *said = append_of(config);
    CHECK_STR(said, "quiet swiotlb=65536");
}

TEST(firmware_that_loads_a_kernel_looks_at_no_disk_and_no_card)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = micro();

    config->vnc = true;
    config->disks[0].boot_index = 1;
    config->nics[0].boot_index = 17;
    check_golden("qemu/kernel-display.args", config, &debian_12);
}

TEST(a_uefi_guest_with_a_display_boots_from_its_disk)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = plain();

    config->uefi = true;
    config->vnc = true;
    config->cpus = 4;
    config->memory_bytes = 4LL << 30;
    add_disk(config, "root", "/pool/v1.qcow2", "qcow2")->boot_index = 1;
    add_disk(config, "data", "/pool/v2.raw", "raw");
    add_nic(config, "lan", 1);
    add_nic(config, "storage", 2);
    config->nics[1].mtu = 9000;
    check_golden("qemu/uefi.args", config, &debian_12);
}

TEST(a_guest_installs_from_a_cdrom_and_has_an_empty_tray)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = plain();
    struct machine_disk *cdrom;

    add_disk(config, "root", "/pool/v1.qcow2", "qcow2")->boot_index = 2;
    cdrom = add_disk(config, "installer", "/images/i2.iso", "raw");
    cdrom->is_cdrom = cdrom->source.read_only = true;
    cdrom->boot_index = 1;
    snprintf(config->disks[config->disk_count].name, DEVICE_NAME_SIZE, "tray");
    config->disks[config->disk_count++].is_cdrom = true;
    config->start_paused = true;
    check_golden("qemu/cdrom.args", config, &debian_12);
}

TEST(kvm_is_used_when_it_is_usable)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = micro();
    struct qemu_host host = debian_12;

    host.kvm_usable = true;
    host.has_io_uring = false;
    config->machine_type = str_dup("pc-q35-7.1");
    config->nics[0].boot_index = 1;
    check_golden("qemu/kvm.args", config, &host);
}

TEST(forced_kvm_is_refused_with_the_reason_where_it_is_not_usable)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = plain();
    struct err err;
    bool kvm;

    config->accelerator = ACCELERATOR_KVM;
    CHECK_FAILS(command_line_accelerator(config, &debian_12, &kvm, &err), &err, ERR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, "neither vmx nor svm");
}

TEST(tcg_can_be_forced)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = plain();
    struct qemu_host host = debian_12;
    struct err err;
    bool kvm = true;

    host.kvm_usable = true;
    config->accelerator = ACCELERATOR_TCG;
    CHECK_OK(command_line_accelerator(config, &host, &kvm, &err), &err);
    CHECK(!kvm);
}

static void expect_invalid(struct machine_config *config, enum err_code code, const char *part)
{
    struct err err;

    CHECK_FAILS(command_line_check(config, &debian_12, &err), &err, code);
    CHECK_CONTAINS(err.text, part);
    machine_config_free(config);
}

TEST(what_qemu_cannot_take_is_refused)
{
    struct machine_config *config = plain();
    struct qemu_host bare = debian_12;
    struct err err;

    config->cpus = 0;
    expect_invalid(config, ERR_INVALID, "processors");
    config = plain();
    config->memory_bytes = 1000;
    expect_invalid(config, ERR_INVALID, "memory");
    config = plain();
    config->uid[0] = 'g';
    expect_invalid(config, ERR_INVALID, "UUID");
    config = plain();
    add_disk(config, "a,b=c", "/x", "raw");
    expect_invalid(config, ERR_INVALID, "a,b=c");
    config = plain();
    add_disk(config, "root", "/x", "vmdk");
    expect_invalid(config, ERR_INVALID, "disk root: format 'vmdk'");
    config = plain();
    add_backing(add_disk(config, "root", "/x", "raw"), "/y", "raw");
    expect_invalid(config, ERR_INVALID, "backing");
    config = plain();
    add_disk(config, "root", "/x", "raw");
    add_disk(config, "root", "/y", "raw");
    expect_invalid(config, ERR_INVALID, "two disks");
    config = plain();
    add_nic(config, "", 1);
    expect_invalid(config, ERR_INVALID, "name");
    config = plain();
    config->uefi = true;
    bare.ovmf_code[0] = '\0';
    CHECK_FAILS(command_line_check(config, &bare, &err), &err, ERR_UNSUPPORTED);
    machine_config_free(config);
}

TEST(a_comma_in_the_name_cannot_add_an_option)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = plain();
    struct command_line line;

    free(config->name);
    config->name = str_dup("a,process=evil");
    command_line_build(&line, config, &debian_12, false);
    CHECK_STR(line.argv[2], "guest=a,,process=evil,process=virga:a,,process=evil,debug-threads=on");
    command_line_done(&line);
}

TEST(the_largest_machine_fits_the_ports_and_the_descriptors)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = plain();
    struct command_line line;
    char name[16];

    for (unsigned i = 0; i < MACHINE_DISKS_MAX; i++) {
        snprintf(name, sizeof name, "d%u", i);
        struct machine_disk *disk = add_disk(config, name, "/x", "qcow2");
        while (disk->source.file_count < DISK_CHAIN_MAX)
            add_backing(disk, "/y", "qcow2");
    }
    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++) {
        snprintf(name, sizeof name, "n%u", i);
        add_nic(config, name, i);
    }
    config->uefi = true;
    config->guest_agent = true;
    config->kernel = str_dup("/k");
    config->initrd = str_dup("/i");
    command_line_build(&line, config, &debian_12, false);
    CHECK(line.descriptor_count <= DESCRIPTORS_MAX);
    command_line_done(&line);
}

/* The same JSON goes to blockdev-add and netdev_add at hot-plug. */
TEST(the_nodes_and_back_ends_are_what_the_monitor_takes)
{
    auto_clean(qmp_schema_free_auto) struct qmp_schema *schema = qmp_schema_load_chosen();
    auto_clean(machine_config_free_auto) struct machine_config *config = micro();
    const struct disk_source *source = &config->disks[0].source;
    struct node_base base = disk_node_base(31);
    struct err err;

    for (unsigned file = 0; file < source->file_count; file++) {
        auto_json json_t *below = file_node(&base, file, 999, file == 0, true);
        auto_json json_t *above = format_node(&base, file, source);

        CHECK_OK(qmp_schema_check(schema, "blockdev-add", below, &err), &err);
        CHECK_OK(qmp_schema_check(schema, "blockdev-add", above, &err), &err);
    }
    auto_json json_t *backend = nic_backend(&config->nics[0], 3, "net3");
    CHECK_OK(qmp_schema_check(schema, "netdev_add", backend, &err), &err);
}

TEST(device_ids_are_read_back)
{
    static const char *const rows[] = { "disk.0.root", "disk.31.a", "nic.7.lan-2", "cd.5.seed" };
    static const char *const none[] = { "",
                                        "disk",
                                        "disk.",
                                        "disk.x.a",
                                        "disk.1",
                                        "disk.1.",
                                        "disk.32.a",
                                        "cd.6.a",
                                        "balloon",
                                        "disk.1.A",
                                        "disk.-1.a",
                                        "disk.1.a.b",
                                        "diskette.1.a",
                                        "disk.99999999999999999999.a" };
    struct device_id id;
    char text[DEVICE_ID_SIZE];
    unsigned port;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK(device_id_parse(rows[i], &id));
        device_id_format(&id, text);
        CHECK_STR(text, rows[i]);
    }
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        CHECK(!device_id_parse(none[i], &id));
    CHECK(port_id_parse("port.12", &port));
    CHECK_EQ(port, 12);
    CHECK(!port_id_parse("port.32", &port));
    CHECK(!port_id_parse("port.1x", &port));
}
