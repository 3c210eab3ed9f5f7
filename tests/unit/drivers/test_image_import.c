/* Imports by the directory driver with real qemu-img: every format, and files made to harm. */
#include "check.h"
#include "image_maker.h"
#include "storage_rig.h"
#include "base/files.h"
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const uid = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
static const int64_t DISK_SIZE = 1 << 20;

static struct storage_rig rig;
static char made_dir[96]; /* where the files to be uploaded are made */

static void begin(void)
{
    storage_rig_open(&rig, NULL);
    snprintf(made_dir, sizeof made_dir, "%s/made", rig.folder);
    run_shell("mkdir %s && cd %s && head -c 1048576 /dev/urandom > disk.raw && "
              "dd if=/dev/zero of=disk.raw bs=1024 seek=100 count=300 conv=notrunc status=none",
              made_dir, made_dir);
}

static void end(void) { storage_rig_close(&rig); }

/* The zstd program is not on every machine that has the library. */
static void compress_with_zstd(const char *from, const char *to)
{
    auto_free char *from_path = str_printf("%s/%s", made_dir, from);
    auto_free char *to_path = str_printf("%s/%s", made_dir, to);
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    auto_buf struct buf bytes = { 0 };
    struct err err = { 0 };

    CHECK_OK(file_read(from_path, 256 << 20, &bytes, &err), &err);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_pathname(entry, from);
    CHECK_EQ(archive_write_add_filter_zstd(archive), ARCHIVE_OK);
    CHECK_EQ(archive_write_set_format_raw(archive), ARCHIVE_OK);
    CHECK_EQ(archive_write_open_filename(archive, to_path), ARCHIVE_OK);
    CHECK_EQ(archive_write_header(archive, entry), ARCHIVE_OK);
    CHECK_EQ(archive_write_data(archive, bytes.bytes, bytes.size), bytes.size);
    CHECK_EQ(archive_write_close(archive), ARCHIVE_OK);
    archive_entry_free(entry);
    archive_write_free(archive);
}

/* Ours are as good as any. */
static void make_cdrom(const char *name)
{
    struct storage_answer answer = { .rig = &rig };
    struct disk_source source;
    struct err err = { 0 };

    rig.driver->ops->seed_write(rig.driver, uid, "instance-id: x\n", "", NULL,
                                (struct done){ storage_answer_done, &answer });
    storage_rig_wait(&rig, &answer);
    CHECK_OK(rig.driver->ops->seed_source(rig.driver, uid, &source, &err), &err);
    run_shell("cp %s %s/%s", source.files[0].path, made_dir, name);
    disk_source_done(&source);
}

static struct storage_answer import_sized(const char *file, int64_t size_max)
{
    auto_free char *path = str_printf("%s/%s", made_dir, file);
    struct image_request from = { .uid = uid, .size_max = size_max };

    storage_rig_upload_file(&rig, uid, path);
    return storage_rig_import(&rig, &from);
}

static struct storage_answer import(const char *file) { return import_sized(file, 0); }

static bool is_listed(void)
{
    auto_clean(compute_uids_free_auto) char **uids = rig.driver->ops->image_list(rig.driver);

    return uids[0] != NULL;
}

static void check_refused(struct storage_answer answer, enum err_code code, const char *part)
{
    CHECK_CONTAINS(answer.err.text, part);
    CHECK_EQ(answer.err.code, code);
    CHECK(!is_listed());
}

static void forget(void)
{
    struct storage_answer answer = { .rig = &rig };

    rig.driver->ops->image_remove(rig.driver, uid, (struct done){ storage_answer_done, &answer });
    storage_rig_wait(&rig, &answer);
    CHECK_STR(answer.err.text, "");
}

/* The image holds what disk.raw holds, up to its size. */
static bool has_content(void)
{
    auto_free char *command =
        str_printf("qemu-img compare -q -f raw -F qcow2 %s/disk.raw %s/%s/disk.qcow2 2>/dev/null",
                   made_dir, rig.setup.image_dir, uid);

    return system(command) == 0;
}

/* --- formats --- */

TEST(every_disk_format_is_converted_without_changing_its_content)
{
    static const struct {
        const char *command; /* makes "file" from disk.raw */
        const char *format;
    } rows[] = {
        { "cp disk.raw file", "raw" },
        { "qemu-img convert -q -f raw -O qcow2 disk.raw file", "qcow2" },
        { "qemu-img convert -q -f raw -O qcow2 -o compat=0.10 disk.raw file", "qcow2" },
        { "qemu-img convert -q -f raw -O qcow2 -c -o compression_type=zstd disk.raw file",
          "qcow2" },
        { "qemu-img convert -q -f raw -O qcow2 -o cluster_size=512 disk.raw file", "qcow2" },
        { "qemu-img convert -q -f raw -O qcow2 -o extended_l2=on disk.raw file", "qcow2" },
        { "qemu-img convert -q -f raw -O vmdk disk.raw file", "vmdk" },
        { "qemu-img convert -q -f raw -O vmdk -o subformat=streamOptimized disk.raw file", "vmdk" },
        { "qemu-img convert -q -f raw -O vdi disk.raw file", "vdi" },
        { "qemu-img convert -q -f raw -O vhdx disk.raw file", "vhdx" },
        { "gzip -1 -c disk.raw > file", "raw" },
        { "xz -0 -c disk.raw > file", "raw" },
        { "mv disk.zst file", "raw" },
        { "qemu-img convert -q -f raw -O qcow2 disk.raw q && xz -0 -c q > file", "qcow2" },
    };

    begin();
    compress_with_zstd("disk.raw", "disk.zst");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct storage_answer answer;

        run_shell("cd %s && %s", made_dir, rows[i].command);
        answer = import("file");
        CHECK_STR(answer.err.text, "");
        CHECK_STR(answer.image.format, rows[i].format);
        CHECK_EQ(answer.image.virtual_bytes, DISK_SIZE);
        CHECK(has_content());
        forget();
    }
    end();
}

TEST(a_converted_image_is_roots_and_reached_by_descriptors_only)
{
    struct stat folder, file;
    auto_free char *path = NULL, *disk = NULL;

    begin();
    CHECK_STR(import("disk.raw").err.text, "");
    path = str_printf("%s/%s", rig.setup.image_dir, uid);
    disk = str_printf("%s/disk.qcow2", path);
    CHECK_EQ(stat(path, &folder), 0);
    CHECK_EQ(stat(disk, &file), 0);
    CHECK_EQ(folder.st_mode & 07777, 0700);
    CHECK_EQ(file.st_mode & 07777, 0644);
    CHECK_EQ(file.st_uid, 0);
    CHECK_EQ(file.st_gid, 0);
    end();
}

TEST(a_cdrom_stays_as_it_is)
{
    struct image_boot boot;
    struct err err = { 0 };
    struct storage_answer answer;

    begin();
    make_cdrom("cd.iso");
    run_shell("xz -0 -k %s/cd.iso", made_dir);
    for (int i = 0; i < 2; i++) {
        answer = import(i == 0 ? "cd.iso" : "cd.iso.xz");
        CHECK_STR(answer.err.text, "");
        CHECK_STR(answer.image.format, "iso");
        CHECK(answer.image.is_cdrom);
        CHECK_OK(rig.driver->ops->image_boot(rig.driver, uid, &boot, &err), &err);
        CHECK_STR(boot.source.files[0].format, "raw");
        run_shell("cmp %s/cd.iso %s", made_dir, boot.source.files[0].path);
        image_boot_done(&boot);
        forget();
    }
    end();
}

TEST(a_cdrom_can_be_no_volume)
{
    struct storage_answer answer = { .rig = &rig };
    struct volume_request child = { .uid = uid, .image_uid = uid };

    begin();
    make_cdrom("cd.iso");
    CHECK_STR(import("cd.iso").err.text, "");
    child.pool = rig.pool;
    run_shell("mkdir -p %s/.work", rig.pool.path);
    rig.driver->ops->volume_create(rig.driver, &child,
                                   (struct done){ storage_answer_done, &answer });
    storage_rig_wait(&rig, &answer);
    CHECK_EQ(answer.err.code, ERR_INVALID);
    CHECK_CONTAINS(answer.err.text, "is a CD-ROM");
    end();
}

/* --- files that name others --- */

TEST(a_disk_that_names_another_file_is_refused)
{
    static const struct {
        const char *command;
        const char *part;
    } rows[] = {
        { "qemu-img create -q -u -f qcow2 -b /etc/shadow -F raw file 1M", "\"/etc/shadow\"" },
        { "qemu-img create -q -u -f qcow2 -b "
          "'json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}' "
          "-F raw file 1M",
          "backing file \"json:" },
        { "qemu-img create -q -f qcow2 -o data_file=/tmp/virga-no-data,data_file_raw=on file 1M; "
          "rm -f /tmp/virga-no-data",
          "another file" },
        { "qemu-img create -q -f vmdk base.vmdk 1M; qemu-img create -q -f vmdk -b base.vmdk -F "
          "vmdk "
          "file",
          "parent" },
        { "printf '# Disk DescriptorFile\\nversion=1\\ncreateType=\"monolithicFlat\"\\n"
          "RW 2048 FLAT \"/etc/passwd\" 0\\n' > file; truncate -s 512 file",
          "VMDK descriptor" },
        { "qemu-img create -q -f qcow2 file 1M; "
          "printf '\\0\\0\\0\\2' | dd of=file bs=1 seek=32 conv=notrunc status=none",
          "encrypted" },
    };

    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        run_shell("cd %s && rm -f file && { %s; }", made_dir, rows[i].command);
        check_refused(import("file"), ERR_INVALID, rows[i].part);
        run_shell("cd %s && gzip -1 -c file > file.gz", made_dir); /* nor when it is wrapped up */
        check_refused(import("file.gz"), ERR_INVALID, rows[i].part);
    }
    end();
}

/* A VMDK header that passes at first sight, with the extents of the text to be opened. */
TEST(a_vmdk_without_capacity_is_refused)
{
    static struct made made;
    auto_free char *path = NULL;
    struct err err = { 0 };

    begin();
    make_vmdk(&made);
    put_le(&made, 12, 0, 8);
    put_text(&made, 512,
             "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
             "createType=\"monolithicFlat\"\nRW 2048 FLAT \"/etc/passwd\" 0\n");
    path = str_printf("%s/file", made_dir);
    CHECK_OK(file_write_atomic(path, made.bytes, (size_t)made.size, 0600, &err), &err);
    check_refused(import("file"), ERR_INVALID, "capacity");
    end();
}

/* --- damaged and cut files --- */

/* Whatever is cut away: either it is told, or nothing was lost. */
TEST(no_cut_file_becomes_an_image_with_other_content)
{
    static const char *const formats[] = { "qcow2",  "vmdk",   "vdi",    "vhdx",
                                           "raw.gz", "raw.xz", "raw.zst" };
    static const long cuts[] = { 1, 65536, 1000000 };

    begin();
    run_shell(
        "cd %s && for f in qcow2 vmdk vdi vhdx; do qemu-img convert -q -f raw -O $f disk.raw "
        "whole.$f; done; gzip -1 -c disk.raw > whole.raw.gz; xz -0 -c disk.raw > whole.raw.xz",
        made_dir);
    compress_with_zstd("disk.raw", "whole.raw.zst");
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        for (size_t k = 0; k < sizeof cuts / sizeof cuts[0]; k++) {
            struct storage_answer answer;

            run_shell("cd %s && cp whole.%s cut && s=$(stat -c %%s cut) && n=$((s - %ld)) && "
                      "truncate -s $((n > 0 ? n : 0)) cut",
                      made_dir, formats[i], cuts[k]);
            answer = import("cut");
            if (answer.err.code == ERR_NONE) {
                if (!has_content())
                    check_fail(CHECK_HERE, "%s cut by %ld bytes was taken", formats[i], cuts[k]);
                forget();
            } else {
                CHECK_EQ(answer.err.code, ERR_INVALID);
                CHECK(!is_listed());
            }
        }
    }
    end();
}

TEST(a_qcow2_with_clusters_used_twice_is_refused)
{
    begin();
    /* The level 2 table is in cluster 4 of 64 KiB: entry 1 becomes a second name of entry 0's. */
    run_shell("cd %s && qemu-img convert -q -f raw -O qcow2 disk.raw file && "
              "dd if=file of=entry bs=1 skip=$((4 * 65536)) count=8 status=none && "
              "dd if=entry of=file bs=1 seek=$((4 * 65536 + 8)) conv=notrunc status=none",
              made_dir);
    check_refused(import("file"), ERR_INVALID, "damaged");
    end();
}

TEST(what_is_no_image_is_refused)
{
    static const struct {
        const char *command;
        const char *part;
    } rows[] = {
        { ": > file", "empty" },
        { "echo hello > file", "not a disk image" },
        { "printf '<html>' > file; truncate -s 512 file", "web page" },
        { "gzip -c /dev/null > file", "empty" },
        { "gzip -1 -c disk.raw | gzip -1 -c > file", "compressed twice" },
        { "gzip -1 -c disk.raw | xz -0 -c > file", "compressed twice" },
        { "printf '\\037\\213\\010garbage' > file", "gzip" },
        { "printf BZh9 > file; truncate -s 512 file", "bzip2" },
        { "qemu-img convert -q -f raw -O vpc disk.raw file", "VHD" },
    };

    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        run_shell("cd %s && rm -f file && { %s; }", made_dir, rows[i].command);
        check_refused(import("file"), ERR_INVALID, rows[i].part);
    }
    end();
}

/* --- files that grow --- */

TEST(a_bomb_is_stopped_at_its_limit)
{
    static const char *const commands[] = {
        "head -c 30000000 /dev/zero | gzip -1 -c > file",
        "mv zeros.zst file",
        "head -c 30000000 /dev/zero | tr '\\0' 'x' | xz -0 -c > file",
    };

    begin();
    run_shell("head -c 30000000 /dev/zero > %s/zeros", made_dir);
    compress_with_zstd("zeros", "zeros.zst");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        run_shell("cd %s && %s", made_dir, commands[i]);
        check_refused(import_sized("file", 10 << 20), ERR_TOO_LARGE, "10485760 bytes allowed");
    }
    end();
}

TEST(a_virtual_size_over_the_limit_is_refused)
{
    begin();
    run_shell("cd %s && qemu-img create -q -f qcow2 file 2M", made_dir);
    check_refused(import_sized("file", 1 << 20), ERR_TOO_LARGE, "has 2097152 bytes");
    run_shell("cd %s && qemu-img create -q -f qcow2 -o cluster_size=2M file 65T", made_dir);
    check_refused(import("file"), ERR_TOO_LARGE, "allowed are 70368744177664");
    end();
}

TEST(zeros_take_no_space)
{
    struct storage_answer answer;

    begin();
    run_shell("cd %s && head -c 19999744 /dev/zero | gzip -1 -c > file", made_dir);
    answer = import("file");
    CHECK_STR(answer.err.text, "");
    CHECK_EQ(answer.image.virtual_bytes, 19999744);
    CHECK(answer.image.allocated_bytes < 1 << 20);
    end();
}

/* --- bundles --- */

static void make_manifest(const char *json)
{
    auto_free char *path = str_printf("%s/image.json", made_dir);
    struct err err = { 0 };

    CHECK_OK(file_write_atomic(path, json, strlen(json), 0644, &err), &err);
}

#define MANIFEST(fields) "{\"format\":\"virga-bundle/1\"," fields "}"
#define WITH_KERNEL                                                                                \
    MANIFEST("\"name\":\"micro\",\"os\":\"Debian 12\",\"defaultUser\":\"root\","                   \
             "\"disk\":\"disk.qcow2\",\"guestAgent\":true,\"boot\":{\"kernel\":\"vmlinuz\","       \
             "\"initrd\":\"initrd\",\"commandLine\":\"console=ttyS0 quiet\"}")

static void make_members(void)
{
    make_manifest(WITH_KERNEL);
    run_shell(
        "cd %s && qemu-img convert -q -f raw -O qcow2 disk.raw disk.qcow2 && "
        "echo kernel > vmlinuz && echo initrd > initrd && echo more > more && mkdir folder && "
        "echo x > folder/x && ln -s /etc/shadow link && cp disk.qcow2 linked && "
        "ln disk.qcow2 hard",
        made_dir);
}

static void tar_up(const char *members)
{
    run_shell("cd %s && rm -f file && tar --format=ustar -cf file %s", made_dir, members);
}

TEST(a_bundle_brings_its_kernel)
{
    struct storage_answer answer;
    struct image_boot boot;
    struct stat kernel;
    struct err err = { 0 };

    begin();
    make_members();
    tar_up("image.json vmlinuz initrd disk.qcow2 more");
    answer = import("file");
    CHECK_STR(answer.err.text, "");
    CHECK_STR(answer.image.format, "bundle");
    CHECK_STR(answer.image.os, "Debian 12");
    CHECK_STR(answer.image.default_user, "root");
    CHECK(answer.image.has_kernel);
    CHECK(answer.image.guest_agent);
    CHECK_EQ(answer.image.virtual_bytes, DISK_SIZE);
    CHECK(has_content());
    storage_rig_reopen(&rig);
    CHECK_OK(rig.driver->ops->image_boot(rig.driver, uid, &boot, &err), &err);
    CHECK_STR(boot.command_line, "console=ttyS0 quiet");
    run_shell("cmp %s %s/vmlinuz && cmp %s %s/initrd", boot.kernel, made_dir, boot.initrd,
              made_dir);
    CHECK_EQ(stat(boot.kernel, &kernel), 0);
    CHECK_EQ(kernel.st_mode & 07777, 0644);
    CHECK_EQ(kernel.st_uid, 0);
    image_boot_done(&boot);
    end();
}

TEST(a_compressed_bundle_and_one_without_a_kernel_are_taken)
{
    struct storage_answer answer;
    auto_free char *path = NULL;

    begin();
    make_members();
    tar_up("image.json vmlinuz initrd disk.qcow2");
    run_shell("cd %s && xz -0 -c file > file.xz", made_dir);
    CHECK_STR(import("file.xz").err.text, "");
    forget();
    make_manifest(MANIFEST("\"disk\":\"disk.raw\""));
    tar_up("image.json disk.raw");
    answer = import("file");
    CHECK_STR(answer.err.text, "");
    CHECK(!answer.image.has_kernel);
    CHECK(has_content());
    path = str_printf("%s/%s/kernel", rig.setup.image_dir, uid);
    CHECK(access(path, F_OK) < 0);
    end();
}

TEST(bundles_with_wrong_members_are_refused)
{
    static const struct {
        const char *members;
        const char *part;
    } rows[] = {
        { "vmlinuz image.json initrd disk.qcow2", "first member is not image.json" },
        { "image.json vmlinuz disk.qcow2", "\"initrd\" is missing" },
        { "image.json vmlinuz initrd", "\"disk.qcow2\" is missing" },
        { "image.json vmlinuz initrd disk.qcow2 folder/x", "names have no folders" },
        { "image.json vmlinuz initrd disk.qcow2 folder", "names have no folders" },
        { "image.json vmlinuz initrd link disk.qcow2", "no plain file" },
        { "image.json vmlinuz initrd disk.qcow2 hard", "no plain file" },
        { "image.json vmlinuz vmlinuz initrd disk.qcow2 --hard-dereference", "there twice" },
        { "image.json vmlinuz initrd --transform='s,more,../../../tmp/virga-escaped,' -P more "
          "disk.qcow2",
          "names have no folders" },
        { "--transform='s,vmlinuz,/vmlinuz,' -P image.json vmlinuz initrd disk.qcow2",
          "names have no folders" },
    };

    begin();
    make_members();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tar_up(rows[i].members);
        check_refused(import("file"), ERR_INVALID, rows[i].part);
    }
    CHECK(access("/tmp/virga-escaped", F_OK) < 0);
    end();
}

TEST(the_disk_of_a_bundle_is_held_to_the_same_rules)
{
    begin();
    make_members();
    run_shell("cd %s && qemu-img create -q -u -f qcow2 -b /etc/shadow -F raw disk.qcow2 1M",
              made_dir);
    tar_up("image.json vmlinuz initrd disk.qcow2");
    check_refused(import("file"), ERR_INVALID, "/etc/shadow");
    run_shell("cd %s && gzip -c disk.raw > disk.qcow2", made_dir);
    tar_up("image.json vmlinuz initrd disk.qcow2");
    check_refused(import("file"), ERR_INVALID, "the disk of the bundle is of format gzip");
    end();
}

TEST(a_bundle_cut_off_is_refused)
{
    begin();
    make_members();
    tar_up("image.json vmlinuz initrd disk.qcow2");
    run_shell("truncate -s 500000 %s/file", made_dir);
    check_refused(import("file"), ERR_INVALID, "bundle");
    end();
}

TEST(a_bundle_for_another_architecture_is_refused)
{
    begin();
    make_members();
    make_manifest(MANIFEST("\"architecture\":\"pdp11\",\"disk\":\"disk.qcow2\""));
    tar_up("image.json disk.qcow2");
    check_refused(import("file"), ERR_INVALID, "for pdp11, this host is");
    end();
}

TEST(a_bundle_over_the_limit_is_refused)
{
    begin();
    make_members();
    tar_up("image.json vmlinuz initrd disk.qcow2");
    check_refused(import_sized("file", DISK_SIZE), ERR_TOO_LARGE, "bytes allowed");
    end();
}

/* --- the upload --- */

TEST(an_upload_that_is_still_being_written_is_not_imported)
{
    struct image_request from = { .uid = uid };
    struct storage_answer answer;
    struct err err = { 0 };
    int64_t offset;
    int fd = -1;

    begin();
    CHECK_OK(rig.driver->ops->image_upload(rig.driver, uid, &fd, &offset, &err), &err);
    CHECK_EQ(ftruncate(fd, 4096), 0);
    answer = storage_rig_import(&rig, &from);
    CHECK_EQ(answer.err.code, ERR_UNAVAILABLE);
    CHECK_CONTAINS(answer.err.text, "still writes");
    CHECK(is_listed());
    close(fd);
    CHECK_STR(storage_rig_import(&rig, &from).err.text, "");
    end();
}

TEST(a_name_that_is_no_uid_reaches_no_file)
{
    static const char *const names[] = { "", "..", "../x", "a/b", ".work", "A", "a b" };

    begin();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct image_request from = { .uid = names[i] };
        struct err err = { 0 };
        int64_t offset;
        int fd;

        CHECK_EQ(storage_rig_import(&rig, &from).err.code, ERR_INVALID);
        CHECK_FAILS(rig.driver->ops->image_upload(rig.driver, names[i], &fd, &offset, &err), &err,
                    ERR_INVALID);
    }
    end();
}
