# tests/bench/lib.sh - what the parts of "run" share. Sourced; needs $build, $bench and $work.
#
# A row is: what, measured, the floor it is compared with, their ratio, the target. "cpu" is
# processor time of the server (all its threads), which says more than a rate when the machine is
# shared.

row() { printf '%-52s %14s %14s %7s   %s\n' "$1" "$2" "${3:--}" "${4:--}" "${5:-}"; }
title() { printf '\n%-52s %14s %14s %7s   %s\n' "$1" measured floor ratio target; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else print "-" }'; }
median() { sort -n | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
least() { sort -n | head -1; }
field() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p"; }

# cpu_us PID - processor time of all threads that live.
cpu_us() { cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{ s += $1 } END { printf "%d", s / 1000 }'; }
rss_mib() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }
# pss_mib PID - resident, with pages shared with other processes counted by halves and so on.
pss_mib() { awk '/^Pss:/ { printf "%.1f", $2 / 1024 }' "/proc/$1/smaps_rollup"; }
# The load runs on the other core, where there is one.
load_core=$(($(nproc) > 1 ? 1 : 0))

prefix=b$(($$ % 1000))
daemon=

# daemon_start NAME [SETTING...] - a virgad of its own on the first core, in $work/NAME. It ends with
# us, however we end.
daemon_start() {
    home=$work/$1
    shift
    mkdir -p "$home"
    chmod 755 "$work" "$home"
    rm -f "$home/api.sock"
    settings=(--state-dir "$home/state" --run-dir "$home/run" --socket "$home/api.sock"
        --listen 127.0.0.1:0 --network-prefix "$prefix" "$@")
    setpriv --pdeathsig TERM taskset -c 0 "$build/src/daemon/virgad" "${settings[@]}" \
        >"$home/log" 2>&1 &
    daemon=$!
    export VIRGA_SOCKET=$home/api.sock
    await_line 'serving on' "$home/log" || { cat "$home/log" >&2; exit 1; }
    port=$(sed -n 's/.* and 127\.0\.0\.1:\([1-9][0-9]*\).*/\1/p' "$home/log" | head -1)
}

# Machines and networks outlive a daemon: they go as well.
daemon_stop() {
    [ -n "$daemon" ] || return 0
    kill "$daemon" 2>/dev/null
    wait "$daemon" 2>/dev/null
    daemon=
    dismantle "${settings[@]}"
}

dismantle() { # SETTING...
    local said
    said=$("$build/src/daemon/virgad" "$@" --log-level warning --dismantle 2>&1) && return 0
    echo "$said" >&2
    return 1
}

# What runs left that were killed: folders of $work's kind whose process is gone.
remove_earlier() {
    local folder state
    for folder in "${work%-*}"-*/; do
        [ -f "$folder/pid" ] && ! kill -0 "$(cat "$folder/pid")" 2>/dev/null || continue
        for state in "$folder"*/state; do
            [ ! -d "$state" ] || dismantle --state-dir "$state" --run-dir "${state%state}run" || continue 2
        done
        rm -rf "$folder"
    done
}

# await_line PATTERN FILE - until a line of the file that grows has it; not longer than a minute.
await_line() {
    grep -q -m1 "$1" < <(exec timeout 60 tail -n +1 -f "$2" 2>/dev/null) && return 0
    echo "no \"$1\" came in $2" >&2
    return 1
}

# micro_service NAME PORT GROUP-LINES BACKEND-FIELDS AUTOSCALER-FIELDS - applied: micro guests that serve HTTP, their
# balancer at 127.0.0.1:PORT and their autoscaler. Lines are indented by two, fields are a YAML flow's.
micro_service() {
    cat >"$work/$1.yaml" <<YAML
apiVersion: virga.dev/v1
kind: InstanceGroup
metadata: {name: $1}
spec:
  $3
  readiness: {type: HTTP, port: 80}
  template:
    spec:
      image: micro
      memory: 128Mi
      stopTimeout: 0s
      userData: |
        #!/bin/sh
        echo here > /srv/www/index.html
        httpd -h /srv/www
---
apiVersion: virga.dev/v1
kind: LoadBalancer
metadata: {name: $1}
spec:
  listeners: [{name: http, address: 127.0.0.1, port: $2}]
  backends: [{name: web, port: 80, members: {instanceGroup: $1}, $4}]
---
apiVersion: virga.dev/v1
kind: Autoscaler
metadata: {name: $1}
spec: {scaleTargetRef: {name: $1}, $5}
YAML
    "$build/src/cli/virga" apply -f "$work/$1.yaml" >/dev/null
}

ask() { curl -sS --unix-socket "$VIRGA_SOCKET" "$@"; }
api=/apis/virga.dev/v1

# load ARGUMENT... - bench_load on the daemon; leaves its line in $line and the server's processor
# time per request in $cpu.
load() {
    local before=
    before=$(cpu_us "$daemon")
    line=$(taskset -c "$load_core" "$bench/bench_load" "$port" "$home/state/tls" "$@") || true
    cpu=$(awk -v t=$(($(cpu_us "$daemon") - before)) -v n="$(echo "$line" | field requests)" \
        'BEGIN { printf "%.1f", t / n }')
}

# floor SIZE ARGUMENT... - the same against the least server there can be, answering SIZE bytes.
floor() {
    local size=$1 pid before
    shift
    : >"$work/floor"
    taskset -c 0 "$bench/bench_floor" "$home/state/tls" "$size" >"$work/floor" &
    pid=$!
    await_line ready "$work/floor" || exit 1
    before=$(cpu_us $pid)
    floor_line=$(taskset -c "$load_core" "$bench/bench_load" "$(cut -d' ' -f2 "$work/floor")" \
        "$home/state/tls" "$@")
    floor_cpu=$(awk -v t=$(($(cpu_us $pid) - before)) -v n="$(echo "$floor_line" | field requests)" \
        'BEGIN { printf "%.1f", t / n }')
    kill $pid
    wait $pid 2>/dev/null
}

# settled - waits until the daemon rests: less than 20 ms of processor time in half a second.
settled() {
    local before i
    for i in $(seq 240); do
        before=$(cpu_us "$daemon")
        sleep 0.5
        [ $(($(cpu_us "$daemon") - before)) -ge 20000 ] || return 0
    done
    echo "the daemon does not come to rest" >&2
}

# idle_ms SECONDS - the daemon's processor time over that time.
idle_ms() {
    local before
    before=$(cpu_us "$daemon")
    sleep "$1"
    echo $((($(cpu_us "$daemon") - before) / 1000))
}

# The micro image as a bundle; made when there is none.
micro_bundle() {
    bundle=${VIRGA_MICRO_BUNDLE:-$build/micro.tar}
    [ -f "$bundle" ] && return 0
    if [ -d "${VIRGA_MICRO:-}" ]; then
        bundle=$work/micro.tar
        tar --format=ustar -C "$VIRGA_MICRO" -cf "$bundle" image.json vmlinuz initrd disk.qcow2
    else
        echo "building the micro image" >&2
        "$source/images/micro/build" "$bundle" >"$work/micro.log" 2>&1 || {
            tail -5 "$work/micro.log" >&2
            return 1
        }
    fi
}
import_micro() {
    "$build/src/cli/virga" image import micro "$bundle" >"$work/import.log" 2>&1 && return 0
    cat "$work/import.log" >&2
    return 1
}
