# lib/debian.sh - builds a Debian cloud image. Sourced by debian-12/build and debian-13/build, which
# name the suite. What the image holds beside the packages is in ../debian/root.

LIB=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
. "$LIB/common.sh"
. "$LIB/mirror.sh"
. "$LIB/disk.sh"

DISK_BYTES=$((2 << 30))          # virtual; grown at boot to the size of the instance's disk
STEPS=8

PACKAGES="
    systemd-sysv dbus udev systemd-resolved systemd-timesyncd libnss-resolve
    cloud-init cloud-guest-utils fdisk
    qemu-guest-agent openssh-server sudo
    iproute2 iputils-ping netbase ca-certificates less nano procps
    e2fsprogs initramfs-tools lz4 zstd
    grub2-common grub-pc-bin grub-efi-amd64-bin
"

usage() {
    cat <<USAGE
Usage: $NAME/build [--cache DIR] [--mirror URL] [--package NAME]... OUTPUT

Builds a Debian $VERSION ($SUITE) cloud image and writes it as the qcow2 disk OUTPUT. It boots by BIOS
and by UEFI and is set up by cloud-init.

  --cache DIR    keep downloaded packages in DIR (default: \$VIRGA_CACHE or /var/cache/virga)
  --package NAME install this Debian package too; may be given again
  --mirror URL   Debian mirror (default: the one in this host's apt configuration)
  --help         show this text

Example:
  sudo images/$NAME/build $NAME.qcow2
  virga image import $NAME $NAME.qcow2
  sudo images/$NAME/build --package nginx web.qcow2
USAGE
}

add_package() {
    [[ $1 =~ ^[a-z0-9][a-z0-9+.-]+$ ]] || usage_error "--package needs the name of a Debian package, not \"$1\""
    PACKAGES+=" $1"
}

parse_arguments() {
    OUTPUT=
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h) usage; exit 0 ;;
        --package) add_package "${2:-}"; shift ;;
        --package=*) add_package "${1#*=}" ;;
        --cache) [ -n "${2:-}" ] || usage_error "--cache needs a folder"; CACHE=$2; shift ;;
        --cache=?*) CACHE=${1#*=} ;;
        --mirror) [ -n "${2:-}" ] || usage_error "--mirror needs a URL"; MIRROR=$2; shift ;;
        --mirror=?*) MIRROR=${1#*=} ;;
        -*) usage_error "unknown option $1" ;;
        '') usage_error "OUTPUT is empty" ;;
        *) [ -z "$OUTPUT" ] || usage_error "more than one OUTPUT: $1"; OUTPUT=$1 ;;
        esac
        shift
    done
    [ -n "$OUTPUT" ] || usage_error "OUTPUT is missing"
}

MOUNTED=()

mount_in_root() { # TYPE-OR-bind SOURCE FOLDER
    mkdir -p "$ROOT/$3"
    if [ "$1" = bind ]; then mount --bind "$2" "$ROOT/$3"; else mount -t "$1" "$2" "$ROOT/$3"; fi ||
        die "cannot mount $2 in the image's root"
    MOUNTED=("$ROOT/$3" "${MOUNTED[@]}")
}

unmount_root() {
    local folder
    for folder in "${MOUNTED[@]}"; do umount "$folder" || umount -l "$folder" || true; done
    MOUNTED=()
}

cleanup_more() { unmount_root; }

in_root() {
    run_logged env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 chroot "$ROOT" "$@"
}

install_packages() {
    in_root apt-get -y -q --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \
        -o Dpkg::Options::=--force-confold -o APT::Sandbox::User=root install "$@"
}

bootstrap() {
    local archives=$CACHE/archives-$SUITE
    mkdir -p "$archives/partial" || die "$CACHE: cannot be made"
    archives=$(cd "$archives" && pwd)
    run_logged debootstrap --variant=minbase --cache-dir="$archives" "$SUITE" "$ROOT" "$MIRROR"
    printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"      # no daemon starts in here
    chmod 0755 "$ROOT/usr/sbin/policy-rc.d"
    rm -f "$ROOT/etc/apt/sources.list"
    mirror_sources "$SUITE" >"$ROOT/etc/apt/sources.list.d/debian.sources"
    mirror_access_options >"$ROOT/etc/apt/apt.conf.d/00build"
    cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
    mount_in_root proc proc proc
    mount_in_root bind "$archives" var/cache/apt/archives
}

install_system() {
    in_root apt-get -q -o APT::Sandbox::User=root update
    in_root apt-get -y -q -o APT::Sandbox::User=root -o Dpkg::Options::=--force-unsafe-io upgrade
    cp -a --no-preserve=ownership "$LIB/../debian/root/etc/initramfs-tools" "$ROOT/etc/"

    install_packages $PACKAGES
    rm -f "$ROOT/etc/resolv.conf"
    cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
}

# The drivers of virtual machines instead of those of every machine.
install_kernel() {
    cp -a --no-preserve=ownership "$LIB/../debian/root/etc/initramfs-tools/." "$ROOT/etc/initramfs-tools/"
    install_packages linux-image-cloud-amd64
    KERNEL=$(basename "$(readlink "$ROOT/vmlinuz")")
    [ -s "$ROOT/boot/$KERNEL" ] && [ -s "$ROOT/boot/initrd.img-${KERNEL#vmlinuz-}" ] ||
        die "the kernel package left no kernel or no initramfs"
}

# What a virtual machine does not need, and what would start work beside the user's.
MASKED="apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
    man-db.timer sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount
    modprobe@configfs.service modprobe@drm.service modprobe@dm_mod.service modprobe@efi_pstore.service
    modprobe@fuse.service modprobe@loop.service systemd-pstore.service systemd-network-generator.service
    systemd-boot-update.service systemd-pcrphase.service systemd-pcrphase-initrd.service
    systemd-pcrphase-sysinit.service cloud-init-hotplugd.socket ssh.socket"

configure() {
    local unit
    cp -a --no-preserve=ownership "$LIB/../debian/root/." "$ROOT/"
    printf 'UUID=%s / ext4 rw,discard,errors=remount-ro 0 1\n' "$ROOT_UUID" >"$ROOT/etc/fstab"
    printf 'UUID=%s /boot/efi vfat umask=0077,noauto 0 0\n' "${ESP_ID:0:4}-${ESP_ID:4}" >>"$ROOT/etc/fstab"
    mkdir -p "$ROOT/boot/efi"
    echo localhost >"$ROOT/etc/hostname"
    printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >"$ROOT/etc/hosts"
    in_root systemctl enable systemd-networkd.service systemd-resolved.service systemd-timesyncd.service ssh.service
    for unit in $MASKED; do ln -sf /dev/null "$ROOT/etc/systemd/system/$unit"; done
    in_root passwd -l root
}

# grub_config - the menu until the first update-grub in the machine writes its own.
grub_config() {
    cat <<GRUB
# Written when the image was built; replaced by update-grub.
set timeout=0
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
insmod part_gpt
insmod ext2
search --no-floppy --fs-uuid --set=root $ROOT_UUID
menuentry 'Debian GNU/Linux' {
    linux /vmlinuz root=UUID=$ROOT_UUID ro $(sed -n 's/^GRUB_CMDLINE_LINUX="\(.*\)"/\1/p' "$ROOT/etc/default/grub")
    initrd /initrd.img
}
GRUB
}

# install_boot - GRUB for BIOS into core.img, and signed shim and GRUB for UEFI into a folder.
install_boot() {
    local grub=$ROOT/boot/grub efi=$WORK/esp
    mkdir -p "$grub/i386-pc" "$efi/EFI/BOOT" "$efi/EFI/debian" "$ROOT/tmp/efi"
    cp "$ROOT"/usr/lib/grub/i386-pc/*.mod "$ROOT"/usr/lib/grub/i386-pc/*.lst "$grub/i386-pc/"
    grub_config >"$grub/grub.cfg"
    cat >"$ROOT/tmp/early.cfg" <<GRUB
search.fs_uuid $ROOT_UUID root
set prefix=(\$root)/boot/grub
GRUB
    in_root grub-mkimage -O i386-pc -p /boot/grub -c /tmp/early.cfg -o /tmp/core.img biosdisk part_gpt \
        ext2 search_fs_uuid normal configfile linux serial terminal echo test
    mv "$ROOT/tmp/core.img" "$WORK/grub-core.img"
    cp "$ROOT/usr/lib/grub/i386-pc/boot.img" "$WORK/grub-boot.img"

    # Only their files: the packages would run grub-install on a disk that is not there.
    in_root sh -c 'cd /tmp/efi && apt-get -q -o APT::Sandbox::User=root download shim-signed grub-efi-amd64-signed &&
        for deb in *.deb; do dpkg-deb -x "$deb" .; done'
    cp "$ROOT/tmp/efi/usr/lib/shim/shimx64.efi.signed" "$efi/EFI/BOOT/BOOTX64.EFI"
    cp "$ROOT/tmp/efi/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" "$efi/EFI/BOOT/grubx64.efi"
    { cat "$ROOT/tmp/early.cfg"; echo 'configfile $prefix/grub.cfg'; } >"$efi/EFI/debian/grub.cfg"
    rm -rf "$ROOT/tmp/efi" "$ROOT/tmp/early.cfg"
}

# Nothing of the build, and nothing that two machines must not share.
clean_root() {
    unmount_root
    rm -f "$ROOT/usr/sbin/policy-rc.d" "$ROOT/etc/apt/apt.conf.d/00build" "$ROOT"/etc/ssh/ssh_host_* \
        "$ROOT/var/lib/dbus/machine-id" "$ROOT/var/lib/systemd/random-seed" "$ROOT/etc/resolv.conf" \
        "$ROOT/root/.bash_history" "$ROOT"/etc/*- "$ROOT"/var/cache/apt/*.bin
    rm -rf "$ROOT"/var/lib/apt/lists/* "$ROOT"/var/cache/apt/archives/* "$ROOT"/var/cache/debconf/*-old \
        "$ROOT"/var/log/*.log "$ROOT"/var/log/apt "$ROOT"/tmp/* "$ROOT"/run/* "$ROOT"/var/lib/cloud/*
    mkdir -p "$ROOT/var/cache/apt/archives/partial" "$ROOT/var/lib/apt/lists/partial"
    : >"$ROOT/etc/machine-id"
    ln -s ../run/systemd/resolve/stub-resolv.conf "$ROOT/etc/resolv.conf"
    # Newer than /usr: the first boot rebuilds no caches.
    touch "$ROOT/etc/.updated" "$ROOT/var/.updated"
}

make_root_filesystem() {
    # Without the features that the GRUB of Debian 12 cannot read and newer tools turn on.
    run_logged mkfs.ext4 -q -F -b 4096 -L cloud-root -U "$ROOT_UUID" -m 1 -O '^metadata_csum_seed,^orphan_file' \
        -E root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1 -d "$ROOT" "$WORK/root.ext4" \
        "$(($(disk_root_bytes "$DISK_BYTES") / 1024))k"
}

make_disk() {
    disk_make_esp "$WORK/esp.img" "$WORK/esp"
    disk_partition "$WORK/disk.raw" "$DISK_BYTES" "$(cat /proc/sys/kernel/random/uuid)"
    disk_put "$WORK/disk.raw" "$ESP_START" "$WORK/esp.img"
    disk_put "$WORK/disk.raw" "$ROOT_START" "$WORK/root.ext4"
    rm -f "$WORK/root.ext4"
    disk_install_bios "$WORK/disk.raw" "$WORK/grub-boot.img" "$WORK/grub-core.img"
}

# debian_main ARGUMENT... - the whole build; needs $NAME, $SUITE, $VERSION.
debian_main() {
    PROGRAM=$NAME
    parse_arguments "$@"
    need_amd64
    need_root
    need_tools "debootstrap debootstrap" "sfdisk fdisk" "mkfs.ext4 e2fsprogs" "mkfs.vfat dosfstools" \
        "mcopy mtools" "qemu-img qemu-utils" "apt-get apt"
    work_dir_make
    output_begin "$OUTPUT"
    ROOT=$WORK/root
    mkdir "$ROOT"
    ROOT_UUID=$(cat /proc/sys/kernel/random/uuid)
    ESP_ID=$(head -c 4 /dev/urandom | od -An -tx4 | tr -d ' ' | tr a-f A-F)

    mirror_detect
    step "bootstrap Debian $VERSION"
    bootstrap
    step "install packages"
    install_system
    step "install the kernel"
    install_kernel
    step "configure"
    configure
    step "install boot loaders"
    install_boot
    clean_root
    step "make the root file system"
    make_root_filesystem
    step "make the disk"
    make_disk
    step "write $OUTPUT"
    run_logged qemu-img convert -c -W -f raw -O qcow2 "$WORK/disk.raw" "$OUTPUT_PART"
    output_commit "$OUTPUT"
}
