# tests/bench/change.sh - requests that are lost while members join, drain and leave, and while all of
# them are replaced under load: there shall be none.

. "$source/tests/bench/fork.sh"

part_change() {
    local count=100000 rounds=0 updates=0 load answers failures
    [ -z "$quick" ] || count=200
    title "Requests while members come and go"
    micro_bundle || return 1
    daemon_start change --cpus 64
    taskset -a -p -c "0-$(($(nproc) - 1))" "$daemon" >/dev/null 2>&1
    import_micro || return 1
    drain=30s fork_group change Fork 0 # a request that is being answered is not cut off
    group_settled change 1 || return 1
    "$bench/bench_calls" "$fork_port" 4 "$count" >"$work/calls" &
    load=$!
    while kill -0 "$load" 2>/dev/null; do
        group_patch change '{"spec":{"replicas":3}}' && group_settled change 3 || break
        if ((rounds % 3 == 1)); then
            group_patch change "{\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"round\":\"$rounds\"}}}}}" &&
                group_settled change 3 || break
            updates=$((updates + 1))
        fi
        group_patch change '{"spec":{"replicas":1}}' && group_settled change 1 || break
        rounds=$((rounds + 1))
    done
    wait "$load"
    fork_group_gone change
    answers=$(field answers <"$work/calls") failures=$(field failures <"$work/calls")
    row "$answers requests; $rounds times out and in, $updates updates" "$failures lost" "" "" '0'
    row '  answers a second' "$(field rate <"$work/calls")"
    [ "$failures" = 0 ] || { cat "$work/calls" >&2; return 1; }
}
