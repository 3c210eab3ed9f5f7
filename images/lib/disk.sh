# lib/disk.sh - a disk that boots by BIOS and by UEFI, made without loop devices, device-mapper or
# mounts: the file systems are made as files and copied into place.
#
#   GPT   14  1 MiB    BIOS boot: GRUB's core image
#         15  64 MiB   EFI system partition: shim and GRUB, signed
#          1  rest     ext4 root, last so that it can grow

SECTOR=512
BIOS_START=2048                  # sectors
BIOS_COUNT=2048
ESP_START=$((BIOS_START + BIOS_COUNT))
ESP_COUNT=131072
ROOT_START=$((ESP_START + ESP_COUNT))
GPT_TAIL=2048                    # left free at the end for the second table

# disk_partition DISK SIZE-BYTES ROOT-PARTUUID - a sparse file with its partition table.
disk_partition() {
    local sectors=$(($2 / SECTOR)) table
    rm -f "$1"
    truncate -s "$2" "$1"
    table="label: gpt
first-lba: $BIOS_START
1: start=$ROOT_START, size=$((sectors - ROOT_START - GPT_TAIL)), type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=$3
14: start=$BIOS_START, size=$BIOS_COUNT, type=21686148-6449-6E6F-744E-656564454649
15: start=$ESP_START, size=$ESP_COUNT, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
    sfdisk --quiet "$1" <<<"$table" >"$WORK/log" 2>&1 || {
        cat "$WORK/log" >&2
        die "sfdisk cannot partition the disk"
    }
}

# disk_put DISK START-SECTOR FILE - copies a file into the disk and keeps its holes.
disk_put() {
    dd if="$3" of="$1" bs=1M seek=$(($2 * SECTOR)) oflag=seek_bytes conv=notrunc,sparse status=none ||
        die "cannot write to $1"
}

# disk_root_bytes SIZE-BYTES - the size of the root partition of a disk of that size.
disk_root_bytes() { echo $(($1 - (ROOT_START + GPT_TAIL) * SECTOR)); }

# bytes_le VALUE COUNT - prints VALUE as COUNT bytes, lowest first.
bytes_le() {
    local value=$1 n
    for ((n = 0; n < $2; n++)); do
        printf "\\x$(printf %02x $((value & 255)))"
        value=$((value >> 8))
    done
}

# patch FILE OFFSET < BYTES
patch() { dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# disk_install_bios DISK BOOT-IMG CORE-IMG - what grub-install does: the boot sector loads the first
# sector of the core image, whose block list names the sectors of the rest.
disk_install_bios() {
    local disk=$1 core=$WORK/core.img sectors
    cp "$3" "$core"
    sectors=$((($(stat -c %s "$core") + SECTOR - 1) / SECTOR))
    [ "$sectors" -le "$BIOS_COUNT" ] || die "GRUB's core image is larger than its partition"
    # The last 12 bytes of its first sector: first sector of the rest, count, load segment.
    { bytes_le $((BIOS_START + 1)) 8; bytes_le $((sectors - 1)) 2; bytes_le 2080 2; } | patch "$core" 500
    head -c 440 "$2" | patch "$disk" 0
    bytes_le "$BIOS_START" 8 | patch "$disk" 92          # where the core image starts
    printf '\220\220' | patch "$disk" 102                # boot from the drive the BIOS names
    disk_put "$disk" "$BIOS_START" "$core"
}

# disk_make_esp IMAGE FOLDER - a FAT file system of the ESP's size holding the folder.
disk_make_esp() {
    rm -f "$1"
    truncate -s $((ESP_COUNT * SECTOR)) "$1"
    run_logged mkfs.vfat -F 32 -s 1 -n ESP -i "$ESP_ID" "$1"
    run_logged env MTOOLS_SKIP_CHECK=1 mcopy -s -i "$1" "$2"/* ::
}
