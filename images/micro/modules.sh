# micro/modules.sh - the kernel modules of the micro image. Sourced by build; needs $MODULES (the
# kernel package's own folder) and $KERNEL.

# Loaded by the initrd in this order. A module that needs another stands after it.
INITRD_MODULES="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk"
# Only when the root is not found on a virtio-blk disk.
INITRD_SCSI_MODULES="scsi_common scsi_mod virtio_scsi sd_mod"

# Loaded later, by the alias of the device that needs them or by name. What a kernel has built in or
# does not have is left out.
ROOT_MODULES="
    virtio_net virtio_console virtio_balloon virtio-rng virtio_mem virtio_scsi virtio_pmem
    sd_mod sr_mod isofs vfat nls_utf8 nls_cp437 nls_iso8859-1 nls_ascii
    button evdev qemu_fw_cfg vmgenid
    fuse virtiofs overlay loop
    vmw_vsock_virtio_transport crc32c_intel crc32c-intel
"

# module_path FOLDER NAME - path of a module, however it is spelt (- or _) and compressed; empty if
# there is none.
module_path() {
    local pattern=${2//[-_]/[-_]}
    find "$1" -name "$pattern.ko" -o -name "$pattern.ko.xz" -o -name "$pattern.ko.zst" | head -n 1
}

# modules_install ROOT - copies the modules and what they depend on, uncompressed and without the
# signature and the symbols only a debugger reads.
modules_install() {
    local target=$1/lib/modules/$KERNEL name pending=() seen=" " path dependency
    mkdir -p "$target"
    cp "$MODULES/modules.builtin" "$MODULES/modules.order" "$target/"
    read -ra pending <<<"$(tr '\n' ' ' <<<"$INITRD_MODULES $INITRD_SCSI_MODULES $ROOT_MODULES")"
    while [ ${#pending[@]} -gt 0 ]; do
        name=${pending[0]//-/_}
        pending=("${pending[@]:1}")
        [[ $seen != *" $name "* ]] || continue
        seen+="$name "
        path=$(module_path "$MODULES/kernel" "$name")
        [ -n "$path" ] || continue
        for dependency in $(module_copy "$path" "$target/${path#"$MODULES"/}"); do
            pending+=("$dependency")
        done
    done
}

# module_copy FROM TO - copies one module and prints the names it depends on.
module_copy() {
    local to=${2%.xz}
    to=${to%.zst}
    mkdir -p "${to%/*}"
    case $1 in
    *.xz) xz -dc "$1" >"$to" ;;
    *.zst) zstd -dqc "$1" >"$to" ;;
    *) cp "$1" "$to" ;;
    esac
    tr '\0' '\n' <"$to" | sed -n 's/^depends=//p' | tr ',' '\n'
}
