# tests/bench/boot.sh - request to guest serving HTTP, against the same guest started by hand.
#
# By hand: a namespace with a bridge, taps and dnsmasq, copy-on-write disks and seeds made
# beforehand; the time runs from the launch of QEMU. With Virga it runs from the request, and disks,
# seeds, taps and leases are made within it. Runs alternate, so that both see the same machine.

hand=$prefix-hand
hand_addresses=()

boot_end() {
    [ -z "${hand_dnsmasq:-}" ] || kill "$hand_dnsmasq" 2>/dev/null
    hand_kill
    ip netns del "$hand" 2>/dev/null
}

hand_kill() {
    local pid
    for pid in $(cat "$work"/hand.pids 2>/dev/null); do
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    : >"$work/hand.pids"
}

hand_prepare() { # COUNT
    local i hosts=()
    mkdir -p "$work/hand"
    tar -C "$work/hand" -xf "$bundle"
    command_line=$(jq -r .boot.commandLine "$work/hand/image.json")
    printf '%s' "$user_data" >"$work/hand/user-data"
    ip netns add "$hand"
    in_hand="ip netns exec $hand"
    $in_hand ip link set lo up
    $in_hand ip link add br0 type bridge
    $in_hand ip addr add 10.99.0.1/24 dev br0
    $in_hand ip link set br0 up
    for i in $(seq "$1"); do
        $in_hand ip tuntap add "t$i" mode tap
        $in_hand ip link set "t$i" master br0 up
        hosts+=(--dhcp-host "52:54:00:99:00:$(printf %02x "$i"),10.99.0.$((10 + i))")
        hand_addresses+=("10.99.0.$((10 + i))")
        mkdir -p "$work/hand/$i"
        cp "$work/hand/user-data" "$work/hand/$i/user-data"
        printf 'instance-id: hand-%s\nlocal-hostname: hand%s\n' "$i" "$i" >"$work/hand/$i/meta-data"
        genisoimage -quiet -V cidata -J -r -o "$work/hand/seed$i.iso" "$work/hand/$i" 2>/dev/null || return 1
    done
    $in_hand dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=br0 \
        --bind-interfaces --dhcp-range=10.99.0.10,10.99.0.200,1h --dhcp-leasefile="$work/hand/leases" \
        --dhcp-authoritative --no-ping --user=root "${hosts[@]}" 2>"$work/hand/dnsmasq.log" &
    hand_dnsmasq=$!
}

# hand_round COUNT - sets $took_ms (until the last serves) and $guest_cpu_ms.
hand_round() {
    local i
    for i in $(seq "$1"); do
        qemu-img create -q -f qcow2 -b "$work/hand/disk.qcow2" -F qcow2 "$work/hand/disk$i.qcow2" >/dev/null
    done
    poll_begin "/run/netns/$hand" "${hand_addresses[@]:0:$1}"
    # One shell that is in the namespace already: the time runs from the launch.
    $in_hand bash -c '
        work=$1 count=$2 line=$3
        echo "$EPOCHREALTIME" >"$work/asked"
        for i in $(seq "$count"); do
            qemu-system-x86_64 -nodefaults -no-user-config -machine q35 -accel '"$accelerator"' \
                -cpu max -smp 1 -m 256 -display none -vga none \
                -kernel "$work/hand/vmlinuz" -initrd "$work/hand/initrd" -append "$line" \
                -serial "file:$work/hand/serial$i" \
                -drive "file=$work/hand/disk$i.qcow2,if=virtio,aio=io_uring" \
                -drive "file=$work/hand/seed$i.iso,if=virtio,format=raw,readonly=on" \
                -netdev "tap,id=net,ifname=t$i,script=no,downscript=no" \
                -device "virtio-net-pci,netdev=net,mac=52:54:00:99:00:$(printf %02x "$i")" \
                -object rng-builtin,id=rng -device virtio-rng-pci,rng=rng >/dev/null 2>&1 &
            echo $! >>"$work/hand.pids"
        done
    ' hand "$work" "$1" "$command_line"
    poll_end || return 1
    guest_cpu "$(cat "$work/hand.pids")"
    hand_kill
}

poll_begin() { # NETNS ADDRESS...
    : >"$work/http"
    "$bench/bench_http" "$@" >"$work/http" &
    poller=$!
    await_line ready "$work/http"
}

poll_end() {
    wait $poller || { echo "boot: a guest does not serve HTTP" >&2; return 1; }
    took_ms=$(awk -v asked="$(cat "$work/asked")" '/\./ && NF == 2 { if ($2 > last) last = $2 } END { printf "%.0f", (last - asked) * 1000 }' "$work/http")
}

guest_cpu() { # PIDS: what all guests have used
    local pid sum=0
    for pid in $1; do sum=$((sum + $(cpu_us "$pid") / 1000)); done
    guest_cpu_ms=$sum
}

virga_round() { # COUNT
    local i names=() addresses netns
    for i in $(seq "$1"); do names+=("g$i"); done
    netns=$(ls "$home"/run/networks/*/netns | head -1)
    # Who polls must know the addresses: they are asked for in the spec.
    addresses=()
    for i in $(seq "$1"); do addresses+=("10.77.0.$((100 + i))"); done
    poll_begin "$netns" "${addresses[@]}"
    "$bench/bench_start" "$VIRGA_SOCKET" run "$work/$machine.json" "${names[@]}" >"$work/started" || return 1
    sed -n 's/^asked //p' "$work/started" >"$work/asked"
    poll_end || return 1
    guest_cpu "$(jq -r .pid "$home"/run/machines/*/process.json)"
    "$build/src/cli/virga" rm "${names[@]}" >/dev/null 2>&1
}

# both COUNT ROUNDS MACHINE - MACHINE.json is what Virga is asked for.
both() {
    local machine=$3 label="$1 guest(s) serve HTTP"
    local i hand_ms=() hand_cpu=() virga_ms=() virga_cpu=() running=()
    for i in $(seq "$2"); do
        hand_round "$1" || return 1
        hand_ms+=("$took_ms") hand_cpu+=("$guest_cpu_ms")
        virga_round "$1" || return 1
        virga_ms+=("$took_ms") virga_cpu+=("$guest_cpu_ms")
    done
    local a b
    a=$(printf '%s\n' "${virga_ms[@]}" | median) b=$(printf '%s\n' "${hand_ms[@]}" | median)
    local target='<= 1.05'
    [ "$machine" = plain ] || label="the same with agent and display" target=
    row "$label (median of $2)" "$a ms" "$b ms" "$(ratio "$a" "$b")" "$target"
    a=$(printf '%s\n' "${virga_ms[@]}" | least) b=$(printf '%s\n' "${hand_ms[@]}" | least)
    row '  best' "$a ms" "$b ms" "$(ratio "$a" "$b")"
    a=$(printf '%s\n' "${virga_cpu[@]}" | median) b=$(printf '%s\n' "${hand_cpu[@]}" | median)
    row "  QEMU's processor time until then" "$a ms" "$b ms" "$(ratio "$a" "$b")"
}

part_boot() {
    local rounds=7 many=10 many_rounds=3
    [ -z "$quick" ] || rounds=1 many=2 many_rounds=1
    title "Request to HTTP (floor: the same guest by hand)"
    micro_bundle || return 1
    user_data=$'#!/bin/sh\necho hello >/srv/www/index.html\nhttpd -p 80 -h /srv/www\n'
    daemon_start boot --cpus 64
    taskset -a -p -c "0-$(($(nproc) - 1))" "$daemon" >/dev/null
    import_micro || return 1
    jq -n --arg data "$user_data" '{metadata: {name: "NAME"}, spec: {image: "micro", cpus: 1,
        memory: "256Mi", stopTimeout: "0s", userData: $data,
        networks: [{name: "eth0", network: "default", ipv4Address: "10.77.0.1NUMBER"}]}}' >"$work/boot.json"
    # The one by hand has neither agent nor display: the same guest is one without.
    jq '.spec += {guestAgent: false, console: {vnc: false}}' "$work/boot.json" >"$work/plain.json"
    accelerator=tcg,thread=multi
    hand_prepare $many || return 1
    both 1 $rounds plain && both 1 $rounds boot && both $many $many_rounds plain && both $many $many_rounds boot
}
