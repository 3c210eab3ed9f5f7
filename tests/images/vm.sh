# vm.sh - runs one guest under bare QEMU for the image tests: its serial log, its guest agent and its
# monitor. Sourced. Agent and monitor are named pipes, so bash talks to them without further tools.
#
# Nothing here sleeps for luck: every wait ends when what it waits for is there, or fails at its
# deadline.

passed=0
failed=0
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/virga-images-test.XXXXXXXX")
VM_PID=
VM_COUNT=0

ok() { passed=$((passed + 1)); printf 'ok - %s\n' "$*"; }
not_ok() { failed=$((failed + 1)); printf 'not ok - %s\n' "$*"; }

# check TEXT COMMAND... - one test: passes when the command succeeds.
check() {
    local text=$1
    shift
    if "$@"; then ok "$text"; else not_ok "$text"; fi
}

# is TEXT EXPECTED ACTUAL
is() {
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1: expected '$2', got '$3'"; fi
}

# differs TEXT A B - both must be there and differ.
differs() {
    if [ -n "$2" ] && [ -n "$3" ] && [ "$2" != "$3" ]; then ok "$1"; else not_ok "$1: '$2' and '$3'"; fi
}

# ends_with STATUS ARGUMENT... - true if the recipe $BUILD ends so; what it says is in $SCRATCH/out.
ends_with() { # STATUS ARGUMENT...
    local wanted=$1
    shift
    "$BUILD" "$@" >"$SCRATCH/out" 2>&1 </dev/null
    [ $? -eq "$wanted" ]
}

has_line() { grep -q -- "$1" <<<"$2"; }

finish() {
    vm_kill
    if declare -F test_cleanup >/dev/null; then test_cleanup; fi
    printf '%d passed, %d failed\n' "$passed" "$failed"
    if [ "$failed" -gt 0 ] && [ -n "${KEEP:-}" ]; then
        echo "kept: $SCRATCH"
    else
        rm -rf -- "$SCRATCH"
    fi
    [ "$failed" -eq 0 ]
    exit
}

bail_out() {
    not_ok "$*"
    [ -z "$VM_PID" ] || { echo "# end of the serial log:"; tail -n 20 "$SERIAL" | sed 's/^/# /'; }
    finish
}

trap 'vm_kill; if declare -F test_cleanup >/dev/null; then test_cleanup; fi; rm -rf -- "$SCRATCH"; exit 130' INT TERM HUP

# until_true SECONDS COMMAND... - runs it until it succeeds; fails at the deadline.
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        [ -z "$VM_PID" ] || kill -0 "$VM_PID" 2>/dev/null || return 1
        sleep 0.1
    done
}

# wait_serial SECONDS PATTERN [COUNT] - until the serial log has a matching line COUNT times.
wait_serial() { until_true "$1" serial_has "$2" "${3:-1}"; }
serial_has() { [ "$(grep -a -c -- "$1" "$SERIAL" 2>/dev/null)" -ge "$2" ]; }

# vm_start QEMU-ARGUMENT... - starts a guest with a serial log, agent and monitor.
vm_start() {
    VM_COUNT=$((VM_COUNT + 1))
    VM=$SCRATCH/vm$VM_COUNT
    SERIAL=$VM/serial.log
    mkdir "$VM"
    mkfifo "$VM/agent.in" "$VM/agent.out" "$VM/monitor.in" "$VM/monitor.out"
    : >"$SERIAL"
    # $VM_RUNNER: what starts QEMU elsewhere, such as in a network namespace.
    ${VM_RUNNER:-} qemu-system-x86_64 -accel tcg -machine q35 -cpu max -m "${MEMORY:-256}" -nodefaults -display none \
        -serial "file:$SERIAL" \
        -chardev "pipe,id=monitor,path=$VM/monitor" -mon chardev=monitor,mode=control \
        -device virtio-serial-pci -chardev "pipe,id=agent,path=$VM/agent" \
        -device virtserialport,chardev=agent,name=org.qemu.guest_agent.0 \
        -device virtio-rng-pci -device virtio-balloon-pci "$@" 2>"$VM/qemu.log" &
    VM_PID=$!
    # Opened for both directions, so that no open waits for the other side.
    exec 3<>"$VM/agent.in" 4<>"$VM/agent.out" 5<>"$VM/monitor.in" 6<>"$VM/monitor.out"
    qmp qmp_capabilities >/dev/null || bail_out "QEMU does not start: $(cat "$VM/qemu.log")"
}

vm_kill() {
    [ -z "$VM_PID" ] || { kill -KILL "$VM_PID"; wait "$VM_PID"; } 2>/dev/null
    VM_PID=
}

# vm_ended SECONDS - until QEMU has ended by itself.
vm_ended() {
    local deadline=$((SECONDS + $1))
    while kill -0 "$VM_PID" 2>/dev/null; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.1
    done
    wait "$VM_PID"
    VM_PID=
}

# qmp COMMAND [ARGUMENTS-JSON] - prints the answer; fails when it is an error.
qmp() {
    local line
    if [ -n "${2:-}" ]; then printf '{"execute":"%s","arguments":%s}\n' "$1" "$2" >&5
    else printf '{"execute":"%s"}\n' "$1" >&5; fi
    while read -r -t 20 -u 6 line; do
        case $line in
        '{"return"'*) printf '%s\n' "$line"; return 0 ;;
        '{"error"'*) printf '%s\n' "$line" >&2; return 1 ;;
        esac
    done
    return 1
}

# agent COMMAND [ARGUMENTS-JSON] - prints what it returns; fails on an error or after 20 s.
agent() {
    local line
    if [ -n "${2:-}" ]; then printf '{"execute":"%s","arguments":%s}\n' "$1" "$2" >&3
    else printf '{"execute":"%s"}\n' "$1" >&3; fi
    read -r -t "${AGENT_SECONDS:-20}" -u 4 line || return 1
    case $line in '{"return"'*) jq -c .return <<<"$line" ;; *) printf '%s\n' "$line" >&2; return 1 ;; esac
}

# agent_wait SECONDS - until the agent answers. What was asked before it ran is answered late, so
# the answer must carry the number of the question.
agent_wait() {
    local deadline=$((SECONDS + $1)) number=0 line
    while [ $SECONDS -lt $deadline ]; do
        number=$((number + 1))
        printf '{"execute":"guest-sync","arguments":{"id":%d}}\n' $number >&3
        while read -r -t 2 -u 4 line; do
            [ "$line" != "{\"return\": $number}" ] || return 0
        done
    done
    return 1
}

# in_guest SHELL-COMMAND - runs it in the guest and prints its output; its status is returned.
in_guest() {
    local pid state
    pid=$(agent guest-exec "$(jq -nc --arg command "$1" \
        '{path: "/bin/sh", arg: ["-c", $command], "capture-output": true}')" | jq .pid) || return 255
    [ -n "$pid" ] || return 255
    local deadline=$((SECONDS + 60))
    while :; do
        state=$(agent guest-exec-status "{\"pid\":$pid}") || return 255
        [ "$(jq .exited <<<"$state")" != true ] || break
        [ $SECONDS -lt $deadline ] || return 255
        sleep 0.1
    done
    jq -r '(."out-data" // ""), (."err-data" // "")' <<<"$state" | while read -r line; do
        base64 -d <<<"$line"
    done
    return "$(jq .exitcode <<<"$state")"
}

# make_seed_iso FILE FOLDER - a NoCloud seed as a CD image.
make_seed_iso() { genisoimage -quiet -V cidata -J -r -o "$1" "$2"; }

# make_seed_fat FILE FOLDER - a NoCloud seed as a small disk.
make_seed_fat() {
    truncate -s 1M "$1"
    mkfs.vfat -n CIDATA "$1" >/dev/null
    mcopy -i "$1" "$2"/* ::
}

need() {
    local tool missing=
    for tool; do command -v "$tool" >/dev/null || missing="$missing $tool"; done
    [ -z "$missing" ] || { echo "this test needs:$missing" >&2; exit 1; }
}
