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
    row 'request to running (median)' "$(awk '/running/ { print $5 }' "$work/started" | median) ms" "" "" '<= 60 ms'
    row '  best' "$(awk '/running/ { print $5 }' "$work/started" | least) ms"
    row '  request to its answer, 201 (median)' "$(awk '/running/ { print $3 }' "$work/started" | median) ms"
    "$bench/bench_start" "$VIRGA_SOCKET" pause "s$rounds" $((rounds * 3)) >"$work/paused" || return 1
    row 'pause: request to status (median)' "$(awk '{ print $2 }' "$work/paused" | median) ms" \
        "$(awk '{ print $2 }' "$work/paused" | least) ms" "" '<= 1 ms (floor: best)'
    row 'resume: request to status (median)' "$(awk '{ print $4 }' "$work/paused" | median) ms" \
        "$(awk '{ print $4 }' "$work/paused" | least) ms" "" '<= 1 ms (floor: best)'
    "$build/src/cli/virga" rm "s$rounds" >/dev/null 2>&1
}
