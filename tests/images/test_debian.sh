#!/bin/bash
# test_debian.sh - builds a Debian cloud image and boots it by bare QEMU under emulation, by BIOS to
# the end of cloud-init and by UEFI. Slow: needs root, some five minutes and 3 GB of scratch space.
#   test_debian.sh [debian-12 | debian-13 [IMAGE]]    with IMAGE one that is there already is tested
set -u
HERE=$(cd -- "$(dirname -- "$0")" && pwd)
NAME=${1:-debian-12}
BUILD=$HERE/../../images/$NAME/build
. "$HERE/vm.sh"
need qemu-system-x86_64 qemu-img jq genisoimage ssh ssh-keygen
OVMF=/usr/share/OVMF
[ -f $OVMF/OVMF_CODE_4M.fd ] || { echo "this test needs the package ovmf" >&2; exit 1; }
MEMORY=512

test_command_line() {
    check "build --help succeeds" ends_with 0 --help
    check "and shows an example" grep -q '^Example' "$SCRATCH/out"
    check "build without OUTPUT is a usage error" ends_with 2
    check "build with an unknown option is a usage error" ends_with 2 --wrong x.qcow2
    check "build with what is no package's name is a usage error" ends_with 2 --package 'a b' x.qcow2
    check "build into a missing folder fails" ends_with 1 "$SCRATCH/missing/x.qcow2"
}

build_image() {
    IMAGE=$SCRATCH/image.qcow2
    if [ $# -gt 1 ]; then
        IMAGE=$(readlink -f -- "$2")
    else
        "$BUILD" "$IMAGE" 2>"$SCRATCH/build.log" || {
            sed 's/^/# /' "$SCRATCH/build.log"
            bail_out "the image is built"
        }
        ok "the image is built"
        check "the build shows its progress" grep -q '^step 1/' "$SCRATCH/build.log"
    fi
    echo "# image: $(($(stat -c %s "$IMAGE") / 1000000)) MB"
}

make_seed() {
    mkdir "$SCRATCH/seed"
    printf 'instance-id: i-1\nlocal-hostname: deb-1\npublic-keys:\n  - %s\n' "$(cat "$SCRATCH/key.pub")" \
        >"$SCRATCH/seed/meta-data"
    printf '#!/bin/sh\necho ran >>/root/runs\n' >"$SCRATCH/seed/user-data"
    make_seed_iso "$SCRATCH/seed.iso" "$SCRATCH/seed"
}

boot() {
    vm_start -drive "file=$SCRATCH/disk.qcow2,if=none,id=root" -device virtio-blk-pci,drive=root,bootindex=1 \
        -drive "file=$SCRATCH/seed.iso,if=none,id=seed,format=raw,readonly=on" -device virtio-blk-pci,drive=seed \
        -device pcie-root-port,id=slot1,slot=1,chassis=1 \
        -netdev "user,id=lan1,hostfwd=tcp:127.0.0.1:0-:22" -device virtio-net-pci,netdev=lan1,romfile= "$@"
}

address_there() { # PATTERN
    agent guest-network-get-interfaces | jq -r '.[]."ip-addresses"[]? | ."ip-address"' | grep -q -- "$1"
}

root_is_larger_than() { [ "$(in_guest 'df -m --output=size / | tail -n 1')" -gt "$1" ]; }

ssh_to_guest() {
    local port
    port=$(qmp human-monitor-command '{"command-line":"info usernet"}' |
        grep -o 'HOST_FORWARD][^:]*127.0.0.1 *[0-9]*' | grep -o '[0-9]*$')
    ssh -p "$port" -i "$SCRATCH/key" -o BatchMode=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=60 debian@127.0.0.1 "$@"
}

test_bios_boot() {
    local started=$SECONDS
    qemu-img create -q -f qcow2 -F qcow2 -b "$IMAGE" "$SCRATCH/disk.qcow2" 6G
    boot
    wait_serial 600 'Cloud-init v.* finished' || bail_out "cloud-init finishes after a boot by BIOS"
    ok "cloud-init finishes after a boot by BIOS"
    echo "# after $((SECONDS - started)) s"
    agent_wait 120 || bail_out "the guest agent answers"
    is "no unit has failed" "" "$(in_guest 'systemctl --failed --plain --no-legend')"
    is "cloud-init has no errors" "" "$(in_guest "cloud-init status --long | sed -n 's/^errors: *//p' | grep -v '\\[\\]'")"
    is "the host name is the seed's" deb-1 "$(in_guest hostname)"
    is "the user data ran once" ran "$(in_guest 'cat /root/runs')"
    check "there are host keys" in_guest 'ls /etc/ssh/ssh_host_ed25519_key >/dev/null'
    check "the root has grown to its disk" root_is_larger_than 5000
    is "the seed's key logs in as debian, who is root by sudo" "debian root" \
        "$(ssh_to_guest 'echo $(whoami) $(sudo -n whoami)')"
    check "update-grub works" in_guest 'update-grub 2>/dev/null && grep -q "linux.*root=" /boot/grub/grub.cfg'
    check "the package lists are clean" in_guest '[ -z "$(find /var/lib/apt/lists -type f)" ]'
}

test_hot_plug() {
    qmp netdev_add '{"type":"user","id":"lan2","net":"10.0.4.0/24"}' >/dev/null
    qmp device_add '{"driver":"virtio-net-pci","id":"nic2","netdev":"lan2","bus":"slot1"}' >/dev/null
    check "a plugged interface gets its address" until_true 60 address_there '^10.0.4.'
}

test_power_button() {
    qmp system_powerdown >/dev/null
    check "the power button turns the machine off" vm_ended 120
    vm_kill
}

test_uefi_boot() {
    cp $OVMF/OVMF_VARS_4M.fd "$SCRATCH/vars.fd"
    boot -drive "if=pflash,unit=0,format=raw,readonly=on,file=$OVMF/OVMF_CODE_4M.fd" \
        -drive "if=pflash,unit=1,format=raw,file=$SCRATCH/vars.fd"
    wait_serial 600 'deb-1 login:' || bail_out "the machine boots by UEFI after update-grub"
    ok "the machine boots by UEFI after update-grub"
    agent_wait 120 || bail_out "the guest agent answers"
    check "and knows that it did" in_guest '[ -d /sys/firmware/efi ]'
    is "a second boot does not run the user data again" ran "$(in_guest 'cat /root/runs')"
    vm_kill
}

test_uefi_first_boot() {
    rm -f "$SCRATCH/disk.qcow2"
    qemu-img create -q -f qcow2 -F qcow2 -b "$IMAGE" "$SCRATCH/disk.qcow2"
    cp $OVMF/OVMF_VARS_4M.fd "$SCRATCH/vars.fd"
    boot -drive "if=pflash,unit=0,format=raw,readonly=on,file=$OVMF/OVMF_CODE_4M.fd" \
        -drive "if=pflash,unit=1,format=raw,file=$SCRATCH/vars.fd"
    check "a fresh image boots by UEFI, on a disk that does not grow" wait_serial 600 'Debian GNU/Linux .* ttyS0'
    vm_kill
}

ssh-keygen -q -t ed25519 -N '' -C test -f "$SCRATCH/key"
test_command_line
build_image "$@"
make_seed
test_bios_boot
test_hot_plug
test_power_button
test_uefi_boot
test_uefi_first_boot
finish
