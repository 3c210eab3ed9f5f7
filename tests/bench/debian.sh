# tests/bench/debian.sh - the same as fork.sh of a full Debian that serves by nginx. Some five minutes, and
# as many again for the image when $VIRGA_DEBIAN_NGINX names none.
. "$source/tests/bench/fork.sh"

fork_image=debian fork_memory=512Mi
fork_user_data='#!/bin/sh
        true'

debian_image() {
    local disk=${VIRGA_DEBIAN_NGINX:-$build/debian-nginx.qcow2}
    if [ ! -f "$disk" ]; then
        echo "building a Debian image with nginx" >&2
        "$source/images/debian-12/build" --package nginx "$disk" >"$work/debian.log" 2>&1 || {
            tail -5 "$work/debian.log" >&2
            return 1
        }
    fi
    "$build/src/cli/virga" image import debian "$disk" >"$work/import.log" 2>&1 || { cat "$work/import.log" >&2; return 1; }
}

part_debian() {
    local rounds=5 boot fork own=() whole=() booted=()
    [ -z "$quick" ] || rounds=1
    title "Scale-out of a Debian with nginx"
    daemon_start debian --cpus 64
    taskset -a -p -c "0-$(($(nproc) - 1))" "$daemon" >/dev/null 2>&1
    debian_image || return 1
    fork_group boots Boot 0
    scale_out boots 1 1 >"$work/boots" || return 1
    read -ra booted < <(fork_own_memory boots)
    fork_group_gone boots
    fork_group forks Fork 0
    scale_out forks 1 $rounds >"$work/forks" || return 1
    group_patch forks '{"spec":{"replicas":2}}' && group_settled forks 2 || return 1
    read -ra own < <(fork_own_memory forks)
    keys_made forks || return 1
    read -ra whole < <(fork_own_memory forks)
    fork_group_gone forks
    boot=$(awk '{ print $1 }' "$work/boots") fork=$(awk '{ print $1 }' "$work/forks" | median)
    row "a fork more (median of $rounds; floor: a booted one)" "$fork ms" "$boot ms" "$(ratio "$fork" "$boot")" '<= 0.033'
    row '  best' "$(awk '{ print $1 }' "$work/forks" | least) ms"
    row 'requests not answered meanwhile' "$(awk '{ s += $3 } END { print s }' "$work"/{boots,forks})" "" "" '0'
    row 'memory of its own, of a fork (floor: booted)' "${own[0]} MiB" "${booted[0]} MiB" "$(ratio "${own[0]}" "${booted[0]}")" '<= 0.25'
    row "  the guest's, without QEMU's" "${own[1]} MiB" "${booted[1]} MiB" "$(ratio "${own[1]}" "${booted[1]}")"
    row '  when it has made its keys' "${whole[0]} MiB" "${booted[0]} MiB" "$(ratio "${whole[0]}" "${booted[0]}")"
    row "  the guest's, without QEMU's" "${whole[1]} MiB" "${booted[1]} MiB" "$(ratio "${whole[1]}" "${booted[1]}")"
}
