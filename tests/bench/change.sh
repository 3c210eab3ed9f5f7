# tests/bench/change.sh - requests that are lost while members join, drain and leave, and while all of
# them are replaced under load: there shall be none.

. "$source/tests/bench/fork.sh"

group_path=/apis/virga.dev/v1/namespaces/default/instancegroups/change

change_group() { # MERGE-PATCH
    ask -o /dev/null -X PATCH -H 'Content-Type: application/merge-patch+json' -d "$1" "http://x$group_path"
}

# change_settled COUNT - that many members serve, all of the newest template.
change_settled() {
    grep -q -m1 . < <(timeout 120 curl -sN --unix-socket "$VIRGA_SOCKET" \
        "http://x${group_path%/*}?watch=1&fieldSelector=metadata.name=change" |
        jq --unbuffered -c --argjson count "$1" \
            'select(.object | .status.observedGeneration == .metadata.generation and
                .status.replicas == $count and .status.readyReplicas == $count and
                .status.updatedReplicas == $count) | .type') && return
    echo "the group never had $1 members" >&2
    return 1
}

part_change() {
    local count=100000 rounds=0 updates=0 load answers failures
    [ -z "$quick" ] || count=200
    title "Requests while members come and go"
    micro_bundle || return 1
    daemon_start change --cpus 64
    taskset -a -p -c "0-$(($(nproc) - 1))" "$daemon" >/dev/null 2>&1
    import_micro || return 1
    drain=30s fork_group change Fork 0 # a request that is being answered is not cut off
    change_settled 1 || return 1
    "$bench/bench_calls" "$fork_port" 4 "$count" >"$work/calls" &
    load=$!
    while kill -0 "$load" 2>/dev/null; do
        change_group '{"spec":{"replicas":3}}' && change_settled 3 || break
        if ((rounds % 3 == 1)); then
            change_group "{\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"round\":\"$rounds\"}}}}}" &&
                change_settled 3 || break
            updates=$((updates + 1))
        fi
        change_group '{"spec":{"replicas":1}}' && change_settled 1 || break
        rounds=$((rounds + 1))
    done
    wait "$load"
    fork_group_gone change
    answers=$(field answers <"$work/calls") failures=$(field failures <"$work/calls")
    row "$answers requests; $rounds times out and in, $updates updates" "$failures lost" "" "" '0'
    row '  answers a second' "$(field rate <"$work/calls")"
    [ "$failures" = 0 ] || { cat "$work/calls" >&2; return 1; }
}
