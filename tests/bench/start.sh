# tests/bench/start.sh - from a request to a running machine; pause and resume.

# Bare QEMU's way to the same place: from its launch until its monitor says that it runs.
part_start() {
    local rounds=9 i
    [ -z "$quick" ] || rounds=1
    title "Instance: request to effect"
    micro_bundle || return 1
    daemon_start start
    taskset -a -p -c "0-$(($(nproc) - 1))" "$daemon" >/dev/null
    import_micro || return 1
    printf '{"metadata":{"name":"NAME"},"spec":{"image":"micro","memory":"256Mi","stopTimeout":"0s"}}' >"$work/start.json"
    : >"$work/started"
    : >"$work/bare"
    for i in $(seq $rounds); do
        "$bench/bench_start" "$VIRGA_SOCKET" run "$work/start.json" "s$i" >>"$work/started" || return 1
        [ "$i" = "$rounds" ] || "$build/src/cli/virga" rm "s$i" >/dev/null 2>&1
    done
    row 'request to running (median)' "$(awk '/running/ { print $5 }' "$work/started" | median) ms"
    row '  best' "$(awk '/running/ { print $5 }' "$work/started" | least) ms"
    row '  request to its answer, 201 (median)' "$(awk '/running/ { print $3 }' "$work/started" | median) ms"
    row '  accepted to running (median)' "$(awk '/running/ { print $5 - $3 }' "$work/started" | median) ms" "" "" '<= 60 ms'
    row '  best' "$(awk '/running/ { print $5 - $3 }' "$work/started" | least) ms"
    "$bench/bench_start" "$VIRGA_SOCKET" pause "s$rounds" $((rounds * 3)) >"$work/paused" || return 1
    # From the answer to the event lie QEMU's own stop and the write of the status.
    local what
    for what in 'pause 2 6' 'resume 4 7'; do
        set -- $what
        awk -v shown="$2" -v accepted="$3" '{ print $shown, $shown - $accepted }' "$work/paused" >"$work/changed"
        row "$1: request to status shown (median)" "$(cut -d' ' -f1 "$work/changed" | median) ms"
        row '  best' "$(cut -d' ' -f1 "$work/changed" | least) ms"
        row "  accepted to status shown (median)" "$(cut -d' ' -f2 "$work/changed" | median) ms" "" "" '<= 1 ms until it stands'
        row '  best' "$(cut -d' ' -f2 "$work/changed" | least) ms"
    done
    "$build/src/cli/virga" rm "s$rounds" >/dev/null 2>&1
}
