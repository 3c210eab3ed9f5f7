/* drivers/compute/qemu/command_line.c - machine_config to arguments and descriptors. */
#include "drivers/compute/qemu/command_line.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/devices.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    TCG_CODE_MIB = 256, /* translated code; QEMU's own default is up to 1 GiB */
    PROCESS_MIB = 256,  /* heap, stacks, video memory, caches of qcow2 */
    MIB = 1024 * 1024,
    BALLOON_STATS_S = 2,
    GUEST_BLOCK_MIB = 128, /* in which Linux takes memory on x86 */
    USB_WAIT_MS = 1,
};

/* Fixed places on pcie.0, so that a machine looks the same at every start. */
enum { SLOT_VIDEO = 1, SLOT_POINTER, SLOT_SERIAL, SLOT_BALLOON, SLOT_RNG, SLOT_GROWTH };

/* --- the list of arguments --- */

static void add(struct command_line *line, char *take_text)
{
    if (line->argc + 1 >= line->capacity) {
        line->capacity = line->capacity ? 2 * line->capacity : 64;
        line->argv = mem_resize(line->argv, line->capacity * sizeof line->argv[0]);
    }
    line->argv[line->argc++] = take_text;
    line->argv[line->argc] = NULL;
}

static void option(struct command_line *line, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void option(struct command_line *line, const char *name, const char *format, ...)
{
    va_list args;

    add(line, str_dup(name));
    va_start(args, format);
    add(line, str_vprintf(format, args));
    va_end(args);
}

static void flag(struct command_line *line, const char *name) { add(line, str_dup(name)); }

static void json_option(struct command_line *line, const char *name, json_t *take_value)
{
    add(line, str_dup(name));
    add(line, json_text(take_value));
    json_decref(take_value);
}

static int descriptor(struct command_line *line, struct descriptor wanted)
{
    assert(line->descriptor_count < DESCRIPTORS_MAX);
    wanted.number = DESCRIPTOR_FIRST + (int)line->descriptor_count;
    line->descriptors[line->descriptor_count++] = wanted;
    return wanted.number;
}

/* A descriptor that QEMU opens by path "/dev/fdset/N"; returns N. */
static int fdset(struct command_line *line, struct descriptor wanted, const char *opaque)
{
    int number = descriptor(line, wanted);

    option(line, "-add-fd", "fd=%d,set=%d,opaque=%s", number, number, opaque);
    return number;
}

void command_line_done(struct command_line *line)
{
    for (unsigned i = 0; i < line->argc; i++)
        free(line->argv[i]);
    free(line->argv);
    *line = (struct command_line){ 0 };
}

/* QEMU's option syntax ends a value at a comma, unless it is doubled. */
static char *doubled_commas(const char *text)
{
    struct buf buf = { 0 };

    for (; *text; text++) {
        buf_add_char(&buf, *text);
        if (*text == ',')
            buf_add_char(&buf, ',');
    }
    return buf_take(&buf);
}

/* --- the machine itself --- */

static void add_identity(struct command_line *line, const struct machine_config *config)
{
    auto_free char *name = doubled_commas(config->name ? config->name : config->uid);

    option(line, "-name", "guest=%s,process=virga:%s,debug-threads=on", name, name);
    option(line, "-uuid", "%s", config->uid);
}

static void add_confinement(struct command_line *line)
{
    flag(line, "-nodefaults");
    flag(line, "-no-user-config");
    option(line, "-sandbox",
           "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
           "resourcecontrol=deny");
    option(line, "-msg", "timestamp=on");
}

static void add_machine(struct command_line *line, const struct machine_config *config,
                        const struct qemu_host *host, bool kvm)
{
    option(line, "-machine", "%s,memory-backend=ram,vmport=off,smm=off,dump-guest-core=off%s%s%s",
           config->machine_type ? config->machine_type : host->machine_type, kvm ? ",hpet=off" : "",
           config->vnc ? "" : ",graphics=off",
           config->uefi ? ",pflash0=firmware,pflash1=vars" : "");
    if (kvm)
        option(line, "-accel", "kvm");
    else
        option(line, "-accel", "tcg,thread=multi,tb-size=%d", TCG_CODE_MIB);
    option(line, "-cpu", "%s", kvm ? "host,migratable=on" : "max");
    if (machine_cpus_most(config) > config->cpus)
        option(line, "-smp", "%u,maxcpus=%u,sockets=1,cores=%u,threads=1", config->cpus,
               machine_cpus_most(config), machine_cpus_most(config));
    else
        option(line, "-smp", "%u,sockets=1,cores=%u,threads=1", config->cpus, config->cpus);
}

static void add_memory(struct command_line *line, const struct machine_config *config)
{
    int64_t mib = (config->memory_bytes + MIB - 1) / MIB;

    if (command_line_growth_bytes(config))
        option(line, "-m", "size=%lldM,maxmem=%lldM", (long long)mib,
               (long long)(mib + command_line_growth_bytes(config) / MIB));
    else
        option(line, "-m", "size=%lldM", (long long)mib);
    /* A shared file from the start: freezing, hibernation and migration rest on it. A fork sees the
     * frozen file copy-on-write. */
    option(line, "-object", "memory-backend-file,id=ram,size=%lldM,mem-path=/dev/fd/%d,share=%s",
           (long long)mib, DESCRIPTOR_OF_MEMORY, config->frozen ? "off" : "on");
    if (config->frozen)
        option(line, "-incoming", "defer");
}

/* Memory that the guest is given while it runs. It comes in blocks of its own choice, so the device
 * is of whole ones. */
int64_t command_line_growth_bytes(const struct machine_config *config)
{
    const int64_t block = (int64_t)GUEST_BLOCK_MIB * MIB;
    int64_t growth = machine_memory_most(config) - config->memory_bytes;

    return (growth + block - 1) / block * block;
}

static void add_growth(struct command_line *line, const struct machine_config *config)
{
    int64_t bytes = command_line_growth_bytes(config);

    if (!bytes)
        return;
    /* Of a fork without a file: its QEMU can take nothing back from one (launch.c). Shared memory has
     * one in QEMU from 10.0 on, whatever it is called. */
    option(line, "-object", "%s,id=growth-memory,size=%lldM,share=%s,reserve=off",
           config->frozen ? "memory-backend-ram" : "memory-backend-memfd", (long long)(bytes / MIB),
           config->frozen ? "off" : "on");
    option(line, "-device",
           "virtio-mem-pci,id=growth,memdev=growth-memory,requested-size=0,block-size=2M,unplugged-inaccessible=on,"
           "bus=pcie.0,addr=%#x,disable-legacy=on",
           SLOT_GROWTH);
}

static void add_behaviour(struct command_line *line, const struct machine_config *config)
{
    option(line, "-rtc", "base=utc");
    option(line, "-global", "ICH9-LPC.disable_s3=1");
    option(line, "-global", "ICH9-LPC.disable_s4=1");
    option(line, "-boot", "menu=off,strict=on");
    /* A guest that shuts down stands still until the daemon has seen it, however long that
     * is away; so a shutdown is never mistaken for a crash. */
    option(line, "-action", "reboot=%s,shutdown=pause,panic=pause", config->frozen ? "shutdown" : "reset");
    if (config->start_paused)
        flag(line, "-S");
}

/* SeaBIOS waits 100 ms for what may be slow to appear at an empty USB port. Nothing is: the only USB
 * device is there from the start, and nobody boots from it. (docs/Runtime_config.md of SeaBIOS; a
 * number in binary.) QEMU warns of the name, which is not below "opt/". */
static void add_usb_wait(struct command_line *line, const struct machine_config *config)
{
    if (!config->uefi)
        option(line, "-fw_cfg", "name=etc/usb-time-sigatt,string=%c", USB_WAIT_MS);
}

/* USB is what the installer of any system knows. A kernel that is handed over is a Linux, which knows
 * virtio; firmware and kernel take 40 ms less for that under emulation. */
static void add_pointer(struct command_line *line, const struct machine_config *config)
{
    if (config->kernel) {
        option(line, "-device", "virtio-tablet-pci,id=tablet,bus=pcie.0,addr=%#x", SLOT_POINTER);
        return;
    }
    option(line, "-device", "qemu-xhci,id=usb,bus=pcie.0,addr=%#x", SLOT_POINTER);
    option(line, "-device", "usb-tablet,id=tablet,bus=usb.0");
    add_usb_wait(line, config);
}

static void add_display(struct command_line *line, const struct machine_config *config)
{
    option(line, "-display", "none");
    if (!config->vnc)
        return;
    /* No listener: viewers arrive as descriptors by add_client. */
    option(line, "-vnc", "none");
    option(line, "-device", "VGA,id=video,bus=pcie.0,addr=%#x,vgamem_mb=16", SLOT_VIDEO);
    add_pointer(line, config);
}

/* --- channels --- */

static void add_monitor(struct command_line *line)
{
    int number = descriptor(line, (struct descriptor){ .role = DESCRIPTOR_MONITOR });

    option(line, "-chardev", "socket,id=monitor,fd=%d,server=on,wait=off", number);
    option(line, "-mon", "chardev=monitor,mode=control");
}

static void add_serial(struct command_line *line)
{
    int log = fdset(line, (struct descriptor){ .role = DESCRIPTOR_SERIAL_LOG, .writable = true },
                    "serial-log");
    int number = descriptor(line, (struct descriptor){ .role = DESCRIPTOR_SERIAL });

    option(line, "-chardev",
           "socket,id=serial,fd=%d,server=on,wait=off,logfile=/dev/fdset/%d,logappend=on", number,
           log);
    option(line, "-serial", "chardev:serial");
}

static void add_agent(struct command_line *line, const struct machine_config *config)
{
    if (!config->guest_agent)
        return;
    option(line, "-chardev", "socket,id=agent,fd=%d,server=on,wait=off",
           descriptor(line, (struct descriptor){ .role = DESCRIPTOR_AGENT }));
    option(line, "-chardev", "socket,id=identity,fd=%d,server=on,wait=off",
           descriptor(line, (struct descriptor){ .role = DESCRIPTOR_IDENTITY }));
    option(line, "-device",
           "virtio-serial-pci,id=vserial,bus=pcie.0,addr=%#x,disable-legacy=on,max_ports=4",
           SLOT_SERIAL);
    option(line, "-device",
           "virtserialport,bus=vserial.0,nr=1,chardev=agent,id=agent,name=org.qemu.guest_agent.0");
    /* guest/identity.h; the driver does not know what is said there. */
    option(line, "-device",
           "virtserialport,bus=vserial.0,nr=2,chardev=identity,id=identity,name=dev.virga.identity.0");
}

static void add_helpers(struct command_line *line)
{
    /* No free-page-reporting: QEMU answers a report by punching a hole into the file behind the
     * memory, and that of a fork is the frozen one, which all forks share. */
    option(line, "-device",
           "virtio-balloon-pci,id=balloon,bus=pcie.0,addr=%#x,disable-legacy=on,"
           "deflate-on-oom=on,guest-stats-polling-interval=%d",
           SLOT_BALLOON, BALLOON_STATS_S);
    option(line, "-object", "rng-builtin,id=rng");
    option(line, "-device",
           "virtio-rng-pci,id=random,rng=rng,bus=pcie.0,addr=%#x,disable-legacy=on", SLOT_RNG);
    option(line, "-device", "pvpanic");
    /* No vmgenid: forks are told to draw new randomness (guest/identity.h), and the guest's ACPI
     * interpreter takes 100 ms of an emulated processor for a new identifier. */
}

/* --- firmware and kernel --- */

static void add_pflash(struct command_line *line, const char *node, enum descriptor_role role,
                       bool writable)
{
    int number = fdset(line, (struct descriptor){ .role = role, .writable = writable }, node);

    option(line, "-blockdev",
           "{\"driver\":\"raw\",\"node-name\":\"%s\",\"read-only\":%s,\"file\":"
           "{\"driver\":\"file\",\"filename\":\"/dev/fdset/%d\"}}",
           node, writable ? "false" : "true", number);
}

static void add_firmware(struct command_line *line, const struct machine_config *config)
{
    if (!config->uefi)
        return;
    add_pflash(line, "firmware", DESCRIPTOR_FIRMWARE, /*writable=*/false);
    add_pflash(line, "vars", DESCRIPTOR_VARS, /*writable=*/true);
}

/* Linux sets 64 MiB aside for bounce buffers (swiotlb) when memory may come above 4 GiB, since devices that
 * reach no further may be there: half of a small machine, which then dies as it boots. Ours reach all of it, so
 * 2 MiB do. A machine whose command line says how much has that.
 * Source: arch/x86/mm/srat.c, Documentation/admin-guide/kernel-parameters.txt of Linux. */
static const char *bounce_option(const struct machine_config *config)
{
    bool is_said = config->command_line && strstr(config->command_line, "swiotlb=");

    return command_line_growth_bytes(config) && !is_said ? "swiotlb=1024" : "";
}

static void add_kernel_options(struct command_line *line, const struct machine_config *config)
{
    const char *ours = bounce_option(config), *theirs = config->command_line ? config->command_line : "";

    if (*ours || *theirs)
        option(line, "-append", "%s%s%s", ours, *ours && *theirs ? " " : "", theirs);
}

/* QEMU reads the kernel into memory of its own, which a fork has no use for: it is past booting, and
 * ends when it is reset. Of all that, its device state knows the ROM that would start the kernel. */
static void add_kernel(struct command_line *line, const struct machine_config *config)
{
    if (!config->kernel)
        return;
    if (config->frozen) {
        option(line, "-option-rom", "linuxboot_dma.bin");
        return;
    }
    option(line, "-kernel", "/dev/fd/%d",
           descriptor(line, (struct descriptor){ .role = DESCRIPTOR_KERNEL }));
    if (config->initrd)
        option(line, "-initrd", "/dev/fd/%d",
               descriptor(line, (struct descriptor){ .role = DESCRIPTOR_INITRD }));
    add_kernel_options(line, config);
}

/* --- disks and NICs --- */

static void add_chain(struct command_line *line, const struct machine_config *config,
                      unsigned index, const struct node_base *base, bool io_uring)
{
    const struct disk_source *source = &config->disks[index].source;

    for (unsigned file = source->file_count; file-- > 0;) {
        bool writable = file_is_writable(source, file);
        char name[NODE_NAME_SIZE];
        int number;

        node_name(base, file, name);
        number =
            fdset(line,
                  (struct descriptor){
                      .role = DESCRIPTOR_DISK, .index = index, .file = file, .writable = writable },
                  name);
        json_option(line, "-blockdev", file_node(base, file, (unsigned)number, writable, io_uring));
        json_option(line, "-blockdev", format_node(base, file, source));
    }
}

/* A place in the boot order has the firmware set the device up, and a NIC load a ROM to boot with. */
static bool has_boot_order(const struct machine_config *config)
{
    return !config->kernel || config->uefi;
}

static struct machine_disk disk_of(const struct machine_config *config, unsigned index)
{
    struct machine_disk disk = config->disks[index]; /* its texts stay the configuration's */

    if (!has_boot_order(config))
        disk.boot_index = 0;
    return disk;
}

static void add_cdrom(struct command_line *line, const struct machine_config *config,
                      unsigned index, unsigned slot, const struct machine_disk *disk, bool io_uring)
{
    struct node_base base = cdrom_node_base(slot, 'a');

    add_chain(line, config, index, &base, io_uring);
    json_option(line, "-device", cdrom_device(disk, slot, disk->source.file_count ? &base : NULL));
}

static void add_disks(struct command_line *line, const struct machine_config *config, unsigned port,
                      bool io_uring)
{
    unsigned cdrom_slot = 0;

    for (unsigned i = 0; i < config->disk_count; i++) {
        const struct machine_disk disk = disk_of(config, i);
        struct node_base base = disk_node_base(port);

        if (disk.is_cdrom) {
            add_cdrom(line, config, i, cdrom_slot++, &disk, io_uring);
            continue;
        }
        add_chain(line, config, i, &base, io_uring);
        json_option(line, "-device", disk_device(&disk, port));
        port++;
    }
}

static void add_nics(struct command_line *line, const struct machine_config *config)
{
    for (unsigned port = 0; port < config->nic_count; port++) {
        struct machine_nic nic = config->nics[port];
        char number[16];

        if (!has_boot_order(config))
            nic.boot_index = 0;
        snprintf(number, sizeof number, "%d",
                 descriptor(line, (struct descriptor){ .role = DESCRIPTOR_NIC, .index = port }));
        json_option(line, "-netdev", nic_backend(&nic, port, number));
        json_option(line, "-device", nic_device(&nic, port));
    }
}

static void add_ports(struct command_line *line, const struct machine_config *config)
{
    unsigned count =
        config->nic_count + config->disk_count - command_line_cdrom_count(config) + PORTS_SPARE;

    for (unsigned port = 0; port < count && port < PORTS_MAX; port++)
        json_option(line, "-device", port_device(port));
}

/* --- all of it --- */

void command_line_build(struct command_line *line, const struct machine_config *config,
                        const struct qemu_host *host, bool kvm)
{
    *line = (struct command_line){ 0 };
    (void)descriptor(line, (struct descriptor){ .role = DESCRIPTOR_LOCK }); /* no argument */
    (void)descriptor(line, (struct descriptor){ .role = DESCRIPTOR_MEMORY, .writable = true });
    if (config->frozen)
        (void)descriptor(line, (struct descriptor){ .role = DESCRIPTOR_STATE });
    add(line, str_dup(host->binary));
    add_identity(line, config);
    add_confinement(line);
    add_monitor(line);
    add_firmware(line, config);
    add_machine(line, config, host, kvm);
    add_memory(line, config);
    add_behaviour(line, config);
    add_kernel(line, config);
    add_serial(line);
    add_display(line, config);
    add_agent(line, config);
    add_helpers(line);
    add_growth(line, config);
    add_ports(line, config);
    add_nics(line, config);
    add_disks(line, config, /*port=*/config->nic_count, host->has_io_uring);
}

int64_t command_line_overhead_bytes(bool kvm)
{
    return (int64_t)(PROCESS_MIB + (kvm ? 0 : TCG_CODE_MIB)) * MIB;
}
