#!/bin/bash
# test_micro.sh - builds the micro image and boots it by bare QEMU under emulation: identity, user
# data, network, growth, hot-plug, shutdown. Needs root (the build does) and about a minute.
#   test_micro.sh [BUNDLE]     with BUNDLE or $VIRGA_MICRO_BUNDLE an image that is there already is tested
set -u
[ "$(id -u)" = 0 ] || exit 77
[ $# -gt 0 ] || [ -z "${VIRGA_MICRO_BUNDLE:-}" ] || set -- "$VIRGA_MICRO_BUNDLE"
HERE=$(cd -- "$(dirname -- "$0")" && pwd)
BUILD=$HERE/../../images/micro/build
. "$HERE/vm.sh"
need qemu-system-x86_64 qemu-img jq genisoimage mkfs.vfat mcopy dumpe2fs ssh ssh-keygen tar ip dnsmasq

test_command_line() {
    check "build --help succeeds" ends_with 0 --help
    check "and shows an example" grep -q '^Example' "$SCRATCH/out"
    check "build without OUTPUT is a usage error" ends_with 2
    check "build with an unknown option is a usage error" ends_with 2 --wrong x.tar
    check "build with a package is a usage error" ends_with 2 --package nginx x.tar
    check "build with two outputs is a usage error" ends_with 2 a.tar b.tar
    check "build into a missing folder fails" ends_with 1 "$SCRATCH/missing/x.tar"
    check "and names the folder" grep -q "$SCRATCH/missing" "$SCRATCH/out"
}

build_bundle() {
    if [ $# -gt 0 ]; then
        cp -- "$1" "$SCRATCH/micro.tar" || bail_out "$1: cannot be read"
    else
        "$BUILD" "$SCRATCH/micro.tar" 2>"$SCRATCH/build.log" || {
            sed 's/^/# /' "$SCRATCH/build.log"
            bail_out "the image is built"
        }
        ok "the image is built"
        check "the build shows its progress" grep -q '^step 1/' "$SCRATCH/build.log"
    fi
    mkdir "$SCRATCH/bundle"
    tar -xf "$SCRATCH/micro.tar" -C "$SCRATCH/bundle" || bail_out "the bundle is a tar archive"
    is "the bundle's first member is image.json" image.json "$(tar -tf "$SCRATCH/micro.tar" | head -n 1)"
    BUNDLE=$SCRATCH/bundle
    is "the format is named" virga-bundle/1 "$(jq -r .format "$BUNDLE/image.json")"
    echo "# bundle: $(($(stat -c %s "$SCRATCH/micro.tar") / 1000)) kB"
}

# seed FOLDER INSTANCE-ID HOSTNAME - meta-data with the test's key.
seed() {
    mkdir -p "$1"
    printf 'instance-id: %s\nlocal-hostname: %s\npublic-keys:\n  - %s\n' "$2" "$3" \
        "$(cat "$SCRATCH/key.pub")" >"$1/meta-data"
}

overlay() { # FILE
    qemu-img create -q -f qcow2 -F qcow2 -b "$BUNDLE/disk.qcow2" "$1" 3G
}

# boot QEMU-ARGUMENT... - direct kernel boot of the bundle; returns with the prompt on the console.
boot() {
    local started=${EPOCHREALTIME/./}
    vm_start -kernel "$BUNDLE/$(jq -r .boot.kernel "$BUNDLE/image.json")" \
        -initrd "$BUNDLE/$(jq -r .boot.initrd "$BUNDLE/image.json")" \
        -append "$(jq -r .boot.commandLine "$BUNDLE/image.json")" "$@"
    wait_serial 120 "root@.*:~# " || bail_out "the prompt appears on the serial console"
    echo "# prompt after $(((${EPOCHREALTIME/./} - started) / 1000)) ms"
    agent_wait 60 || bail_out "the guest agent answers"
}

boot_with_disk_seed() { # DISK SEED
    boot -drive "file=$1,if=none,id=root,format=qcow2" -device virtio-blk-pci,drive=root,id=root-disk \
        -drive "file=$2,if=none,id=seed,format=raw,readonly=on" -device virtio-blk-pci,drive=seed \
        -device pcie-root-port,id=slot1,slot=1,chassis=1 -device pcie-root-port,id=slot2,slot=2,chassis=2 \
        -netdev "user,id=lan1,net=10.0.2.0/24,hostfwd=tcp:127.0.0.1:0-:22" \
        -device virtio-net-pci,netdev=lan1,romfile= \
        -netdev user,id=lan2,net=10.0.3.0/24 -device virtio-net-pci,netdev=lan2,romfile=
    wait_serial 60 "user-data: finished" || bail_out "the user data has run"
}

identity() { in_guest 'cat /etc/machine-id; dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key | tail -n 1'; }

address_is() { # INTERFACE PATTERN
    agent guest-network-get-interfaces | jq -r --arg name "$1" \
        '.[] | select(.name == $name) | ."ip-addresses"[]? | ."ip-address"' | grep -q -- "$2"
}

root_is_larger_than() { [ "$(in_guest 'df -m / | tail -n 1' | awk '{ print $2 }')" -gt "$1" ]; }

test_first_boot() {
    seed "$SCRATCH/seed1" i-1 web-1
    cat >"$SCRATCH/seed1/user-data" <<'SCRIPT'
#!/bin/sh
echo "run as $(hostname), default route $(ip route | grep -c default)" >>/root/runs
enable-httpd 8080
SCRIPT
    make_seed_iso "$SCRATCH/seed1.iso" "$SCRATCH/seed1"
    overlay "$SCRATCH/disk.qcow2"
    boot_with_disk_seed "$SCRATCH/disk.qcow2" "$SCRATCH/seed1.iso"

    is "the host name is the seed's" web-1 "$(in_guest hostname)"
    is "the seed's key may log in" "$(cat "$SCRATCH/key.pub")" "$(in_guest 'cat /root/.ssh/authorized_keys')"
    is "the user data ran once, with the network up" "run as web-1, default route 2" \
        "$(in_guest 'cat /root/runs')"
    is "the web server it turned on answers" web-1 "$(in_guest 'wget -qO- http://127.0.0.1:8080/')"
    check "the root has grown to its disk" until_true 30 root_is_larger_than 2800
    check "both interfaces have their address" eval "address_is eth0 '^10.0.2.' && address_is eth1 '^10.0.3.'"
    check "IPv6 comes by router advertisement" until_true 30 address_is eth0 '^fec0:'
    check "balloon and random source have drivers" in_guest 'lsmod | grep -q balloon && lsmod | grep -q rng'
    IDENTITY1=$(identity)
}

test_agent() {
    local handle
    handle=$(agent guest-file-open '{"path":"/root/kept","mode":"w"}')
    agent guest-file-write "{\"handle\":$handle,\"buf-b64\":\"$(printf kept | base64)\"}" >/dev/null
    check "the agent writes files" agent guest-file-close "{\"handle\":$handle}" >/dev/null
    is "and they are there" kept "$(in_guest 'cat /root/kept')"
    agent guest-set-time '{"time":2000000000000000000}' >/dev/null
    is "the agent sets the clock" 2033 "$(in_guest 'date +%Y')"
    is "the agent knows the system" debian "$(agent guest-get-osinfo | jq -r .id)"
    agent guest-set-user-password "{\"username\":\"root\",\"password\":\"$(printf secret | base64)\",\"crypted\":false}" >/dev/null
    check "the agent sets passwords" in_guest "grep -q '^root:\\\$6\\\$' /etc/shadow"
}

ssh_to_guest() {
    local port
    port=$(qmp human-monitor-command '{"command-line":"info usernet"}' | grep -o 'HOST_FORWARD][^:]*127.0.0.1 *[0-9]*' |
        grep -o '[0-9]*$')
    ssh -p "$port" -i "$SCRATCH/key" -o BatchMode=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=20 root@127.0.0.1 "$@"
}

test_ssh() {
    is "ssh runs a command" web-1 "$(ssh_to_guest hostname)"
    is "ssh starts sftp" kept "$(ssh_to_guest -s sftp </dev/null >/dev/null && echo kept)"
}

test_hot_plug() {
    qmp netdev_add '{"type":"user","id":"lan3","net":"10.0.4.0/24"}' >/dev/null
    qmp device_add '{"driver":"virtio-net-pci","id":"nic3","netdev":"lan3","bus":"slot1"}' >/dev/null
    check "a plugged interface gets its address" until_true 30 address_is eth2 '^10.0.4.'
    qmp device_del '{"id":"nic3"}' >/dev/null
    check "a pulled interface goes" until_true 30 in_guest '[ ! -e /sys/class/net/eth2 ]'
    check "and its DHCP client with it" until_true 30 in_guest '! ps | grep -v grep | grep -q "udhcpc -i eth2"'

    qemu-img create -q -f raw "$SCRATCH/data.raw" 64M
    qmp blockdev-add "{\"driver\":\"raw\",\"node-name\":\"data\",\"file\":{\"driver\":\"file\",\"filename\":\"$SCRATCH/data.raw\"}}" >/dev/null
    qmp device_add '{"driver":"virtio-blk-pci","id":"disk3","drive":"data","bus":"slot2"}' >/dev/null
    check "a plugged disk appears" until_true 30 in_guest '[ -b /dev/vdc ]'
    qmp device_del '{"id":"disk3"}' >/dev/null
    check "a pulled disk goes" until_true 30 in_guest '[ ! -e /dev/vdc ]'
}

test_growth_while_running() {
    qmp block_resize '{"device":"root","size":5368709120}' >/dev/null
    check "the root grows with its disk while it runs" until_true 30 root_is_larger_than 4800
}

disk_is_clean() {
    local raw=$SCRATCH/check.raw
    qemu-img convert -O raw "$1" "$raw" && ! dumpe2fs -h "$raw" 2>/dev/null | grep -q needs_recovery
}

test_power_button() {
    qmp system_powerdown >/dev/null
    check "the power button turns the machine off" vm_ended 60
    check "and the disk is clean" disk_is_clean "$SCRATCH/disk.qcow2"
    vm_kill
}

test_second_boot() {
    boot -drive "file=$SCRATCH/disk.qcow2,if=none,id=root" -device virtio-blk-pci,drive=root \
        -drive "file=$SCRATCH/seed1.iso,if=none,id=seed,format=raw,readonly=on" -device virtio-blk-pci,drive=seed
    is "a second boot keeps files" kept "$(in_guest 'cat /root/kept')"
    is "and its identity" "$IDENTITY1" "$(identity)"
    is "and does not run the user data again" 1 "$(in_guest 'wc -l </root/runs')"
    check "what the user data turned on runs again" until_true 30 in_guest 'wget -qO /dev/null http://127.0.0.1:8080/ 2>/dev/null'
    printf '{"execute":"guest-shutdown","arguments":{"mode":"reboot"}}\n' >&3
    check "the agent restarts the machine" wait_serial 60 "root@web-1:~# " 2
    agent_wait 60 || bail_out "the agent answers after the restart"
    printf '{"execute":"guest-shutdown"}\n' >&3
    check "the agent turns it off" vm_ended 60
    vm_kill
}

# ssh_server_waits - from the next boot on the ssh server starts when there is /run/go.
ssh_server_waits() {
    in_guest 'cd /usr/lib/virga && mv ssh-server ssh-server.real && chmod +x ssh-server.real &&
        printf "#!/bin/sh\nuntil [ -e /run/go ]; do usleep 50000; done\nexec /usr/lib/virga/ssh-server.real\n" >ssh-server &&
        chmod +x ssh-server'
}

# What happens to the machine while it starts must not be missed, however slow that is.
test_growth_while_starting() {
    boot -drive "file=$SCRATCH/disk.qcow2,if=none,id=root" -device virtio-blk-pci,drive=root,id=root-disk \
        -drive "file=$SCRATCH/seed1.iso,if=none,id=seed,format=raw,readonly=on" -device virtio-blk-pci,drive=seed
    check "the start can be held up" ssh_server_waits
    printf '{"execute":"guest-shutdown","arguments":{"mode":"reboot"}}\n' >&3
    wait_serial 60 "root@web-1:~# " 2 && agent_wait 60 || bail_out "the agent answers after the restart"
    qmp block_resize '{"device":"root","size":6442450944}' >/dev/null
    check "the machine sees its disk grow while it starts" until_true 30 in_guest '[ "$(cat /sys/block/vda/size)" = 12582912 ]'
    in_guest 'touch /run/go'
    check "and the root grows too" until_true 30 root_is_larger_than 5800
    in_guest 'mv /usr/lib/virga/ssh-server.real /usr/lib/virga/ssh-server'
    printf '{"execute":"guest-shutdown"}\n' >&3
    check "the machine turns off" vm_ended 60
    vm_kill
}

test_clone() {
    seed "$SCRATCH/seed2" i-2 web-2
    cp "$SCRATCH/seed1/user-data" "$SCRATCH/seed2/user-data"
    make_seed_iso "$SCRATCH/seed2.iso" "$SCRATCH/seed2"
    boot_with_disk_seed "$SCRATCH/disk.qcow2" "$SCRATCH/seed2.iso"
    local clone
    clone=$(identity)
    is "a clone of the disk takes its own name" web-2 "$(in_guest hostname)"
    differs "its own machine-id" "$(head -n 1 <<<"$IDENTITY1")" "$(head -n 1 <<<"$clone")"
    differs "its own host key" "$(tail -n 1 <<<"$IDENTITY1")" "$(tail -n 1 <<<"$clone")"
    is "runs its user data" 2 "$(in_guest 'wc -l </root/runs')"
    is "and has the key once" 1 "$(in_guest 'wc -l </root/.ssh/authorized_keys')"
    vm_kill
}

test_cloud_config_on_scsi() {
    local mac=52:54:00:00:00:07
    seed "$SCRATCH/seed3" i-3 unused
    cat >"$SCRATCH/seed3/user-data" <<YAML
#cloud-config
hostname: db-1
ssh_authorized_keys: ["$(cat "$SCRATCH/key2.pub")"]
write_files:
  - path: /etc/app/greeting
    permissions: '0600'
    content: |
      hello # not a comment

        indented
  - {path: /etc/app/binary, encoding: b64, content: AAEC}
runcmd:
  - echo shell > /root/string; echo second >> /root/string
  - [ touch, "/root/a list" ]
YAML
    cat >"$SCRATCH/seed3/network-config" <<YAML
version: 2
ethernets:
  lan:
    match: { macaddress: "$mac" }
    dhcp4: false
    addresses: [ 10.0.2.77/24, "fec0::77/64" ]
    routes:
      - to: default
        via: 10.0.2.2
    nameservers: { addresses: [ 10.0.2.3 ] }
YAML
    make_seed_fat "$SCRATCH/seed3.img" "$SCRATCH/seed3"
    overlay "$SCRATCH/scsi.qcow2"
    boot -device virtio-scsi-pci,id=scsi -drive "file=$SCRATCH/scsi.qcow2,if=none,id=root" \
        -device scsi-hd,drive=root -drive "file=$SCRATCH/seed3.img,if=none,id=seed,format=raw,readonly=on" \
        -device scsi-hd,drive=seed -netdev user,id=lan1 -device "virtio-net-pci,netdev=lan1,mac=$mac,romfile="
    wait_serial 60 "user-data: finished" || bail_out "the cloud-config is carried out"
    is "cloud-config names the host" db-1 "$(in_guest hostname)"
    check "adds its keys" in_guest "grep -q '$(cut -d' ' -f2 "$SCRATCH/key2.pub")' /root/.ssh/authorized_keys"
    is "writes files" $'hello # not a comment\n\n  indented' "$(in_guest 'cat /etc/app/greeting')"
    is "with their mode" 600 "$(in_guest 'stat -c %a /etc/app/greeting')"
    is "and encoding" 000102 "$(in_guest 'xxd -p /etc/app/binary')"
    is "runs commands by the shell" $'shell\nsecond' "$(in_guest 'cat /root/string')"
    check "and lists as they are" in_guest "[ -f '/root/a list' ]"
    check "network-config sets addresses" eval "address_is eth0 '^10.0.2.77\$' && address_is eth0 '^fec0::77\$'"
    is "routes" "default via 10.0.2.2 dev eth0" "$(in_guest 'ip route' | sed -n '/^default/s/ *$//p')"
    is "and name servers" "nameserver 10.0.2.3" "$(in_guest 'cat /etc/resolv.conf')"
    check "and no DHCP client runs" in_guest '! ps | grep -v grep | grep -q udhcpc'
    vm_kill
}

test_cleanup() {
    [ -z "${DNSMASQ_PID:-}" ] || { kill "$DNSMASQ_PID"; wait "$DNSMASQ_PID"; } 2>/dev/null
    [ -z "${NETNS:-}" ] || ip netns del "$NETNS" 2>/dev/null
}

# A network as Virga makes them: addresses by DHCP only, IPv6 too, with a smaller packet size.
make_network() {
    NETNS=images-test-$$
    local in="ip netns exec $NETNS"
    ip netns add "$NETNS" && $in ip link set lo up && $in ip tuntap add tap0 mode tap &&
        $in ip addr add 10.77.0.1/24 dev tap0 && $in ip addr add fd77::1/64 dev tap0 nodad &&
        $in ip link set tap0 up || return 1
    cat >"$SCRATCH/dnsmasq.conf" <<CONF
interface=tap0
except-interface=lo
bind-dynamic
no-ping
no-resolv
no-hosts
dhcp-authoritative
dhcp-range=10.77.0.0,static,255.255.255.0,1h
dhcp-range=fd77::,static,64,1h
enable-ra
dhcp-option=option:mtu,1400
dhcp-option=option:domain-search,virga.test
dhcp-host=52:54:00:77:00:05,10.77.0.5,[fd77::5],net-1
dhcp-leasefile=$SCRATCH/leases
CONF
    $in dnsmasq -k -C "$SCRATCH/dnsmasq.conf" --pid-file= 2>"$SCRATCH/dnsmasq.log" &
    DNSMASQ_PID=$!
}

test_addresses_by_dhcp_only() {
    make_network || { not_ok "a test network can be made"; return; }
    seed "$SCRATCH/seed4" i-4 net-1
    make_seed_iso "$SCRATCH/seed4.iso" "$SCRATCH/seed4"
    overlay "$SCRATCH/net.qcow2"
    VM_RUNNER="ip netns exec $NETNS" boot -drive "file=$SCRATCH/net.qcow2,if=none,id=root" \
        -device virtio-blk-pci,drive=root \
        -drive "file=$SCRATCH/seed4.iso,if=none,id=seed,format=raw,readonly=on" -device virtio-blk-pci,drive=seed \
        -netdev tap,id=lan1,ifname=tap0,script=no,downscript=no \
        -device virtio-net-pci,netdev=lan1,mac=52:54:00:77:00:05,romfile=
    check "the server's IPv4 address is taken" until_true 30 address_is eth0 '^10.77.0.5$'
    check "the server's IPv6 address is taken" until_true 30 address_is eth0 '^fd77::5$'
    check "the packet size too" until_true 30 in_guest '[ "$(cat /sys/class/net/eth0/mtu)" = 1400 ]'
    check "and both name servers" until_true 30 in_guest \
        'grep -q "^nameserver 10.77.0.1" /etc/resolv.conf && grep -q "^nameserver fd77::1" /etc/resolv.conf'
    check "the host is reached by IPv6" until_true 30 in_guest 'ping6 -c 1 -W 5 fd77::1 >/dev/null'
    check "a name is resolved" in_guest 'nslookup net-1.virga.test 10.77.0.1 >/dev/null || nslookup net-1 10.77.0.1 >/dev/null'
    vm_kill
}

# type_keys NAME... - presses keys on the machine's keyboard.
type_keys() {
    local key
    for key; do
        qmp send-key "{\"keys\":[{\"type\":\"qcode\",\"data\":\"$key\"}]}" >/dev/null || return 1
    done
}

# Keys that come before the shell reads are lost, so the line is typed until it has had its effect.
typing_works() {
    type_keys t o u c h spc h i ret
    until_true 3 in_guest '[ -e /root/hi ]'
}

test_screen() {
    overlay "$SCRATCH/screen.qcow2"
    boot -drive "file=$SCRATCH/screen.qcow2,if=none,id=root" -device virtio-blk-pci,drive=root -device VGA
    check "a machine with a screen has a shell there" until_true 30 typing_works
    qmp screendump "{\"filename\":\"$SCRATCH/screen.ppm\"}" >/dev/null
    check "which can be seen" [ "$(tail -c +20 "$SCRATCH/screen.ppm" | tr -d '\0' | head -c 1000 | wc -c)" -gt 500 ]
    vm_kill
}

test_no_seed_at_all() {
    overlay "$SCRATCH/bare.qcow2"
    boot -drive "file=$SCRATCH/bare.qcow2,if=none,id=root" -device virtio-blk-pci,drive=root -no-reboot
    is "without a seed the machine comes up under its default name" micro "$(in_guest hostname)"
    vm_kill
}

ssh-keygen -q -t ed25519 -N '' -C first -f "$SCRATCH/key"
ssh-keygen -q -t ed25519 -N '' -C second -f "$SCRATCH/key2"
test_command_line
build_bundle "$@"
test_first_boot
test_agent
test_ssh
test_hot_plug
test_growth_while_running
test_power_button
test_second_boot
test_growth_while_starting
test_clone
test_cloud_config_on_scsi
test_addresses_by_dhcp_only
test_screen
test_no_seed_at_all
finish
