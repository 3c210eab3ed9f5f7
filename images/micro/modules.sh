# micro/modules.sh - the kernel modules of the micro image. Sourced by build; needs $MODULES (the
# kernel package's own folder) and $KERNEL.

# What the initrd can need to reach the root disk and the seed.
INITRD_MODULES="virtio_pci virtio_blk isofs virtio_scsi sd_mod"

# Loaded later, by the alias of the device that needs them or by name. What a kernel has built in or
# does not have is left out.
ROOT_MODULES="
    virtio_net virtio_console virtio_balloon virtio-rng virtio_mem virtio_scsi virtio_pmem
    sd_mod sr_mod isofs vfat nls_utf8 nls_cp437 nls_iso8859-1 nls_ascii
    button evdev qemu_fw_cfg vmgenid pvpanic-mmio
    fuse virtiofs overlay loop
    vmw_vsock_virtio_transport crc32c_intel crc32c-intel
"

# module_path FOLDER NAME - path of a module, however it is spelt (- or _) and compressed; empty if
# there is none.
module_path() {
    local pattern=${2//[-_]/[-_]}
    find "$1" -name "$pattern.ko" -o -name "$pattern.ko.xz" -o -name "$pattern.ko.zst" | head -n 1
}

# modules_install ROOT NAME... - copies the modules and what they depend on, and makes the tables of
# modprobe.
modules_install() {
    local root=$1 target=$1/lib/modules/$KERNEL name pending seen=" " path dependency
    shift
    pending=("$@")
    mkdir -p "$target"
    cp "$MODULES/modules.builtin" "$target/"
    while [ ${#pending[@]} -gt 0 ]; do
        name=${pending[0]//-/_}
        pending=("${pending[@]:1}")
        [[ $seen != *" $name "* ]] || continue
        seen+="$name "
        path=$(module_path "$MODULES/kernel" "$name")
        [ -n "$path" ] || continue
        for dependency in $(module_copy "$path" "$target"); do
            pending+=("$dependency")
        done
    done
    "$ROOT/usr/bin/busybox" depmod -b "$root" "$KERNEL" || die "depmod failed"
}

# module_copy FROM FOLDER - copies one module uncompressed; prints the names it depends on.
module_copy() {
    local to=${1##*/}
    to=$2/${to%.ko*}.ko
    case $1 in
    *.xz) xz -dc "$1" >"$to" ;;
    *.zst) zstd -dqc "$1" >"$to" ;;
    *) cp "$1" "$to" ;;
    esac
    module_unsign "$to"
    tr '\0' '\n' <"$to" | sed -n 's/^depends=//p' | tr ',' '\n'
}

# module_unsign FILE - cuts off the signature, whose check costs 3 ms a module under emulation. The
# file ends with the signature, twelve bytes of which the last four are its length, and a magic line.
module_unsign() {
    local magic='~Module signature appended~' size length
    [ "$(tail -c 28 "$1" | tr -d '\0')" = "$magic" ] || return 0
    size=$(stat -c %s "$1")
    length=$((16#$(tail -c 32 "$1" | head -c 4 | od -An -tx1 | tr -d ' ')))
    truncate -s $((size - 28 - 12 - length)) "$1"
}
