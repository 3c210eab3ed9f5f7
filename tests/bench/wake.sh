# tests/bench/wake.sh - a group that has no member: from the first request to its answer.

wake_apply() { # START
    micro_service wake $wake_port "minReplicas: 0
  maxReplicas: 1
  start: $1" 'queue: {timeout: 55s}' 'idleTimeout: 5s'
}

wake_until() { # TEXT
    grep -q -m1 "$1" < <(exec timeout 120 "$build/src/cli/virga" get instancegroup wake --watch) && return
    echo "the group never became $1" >&2
    return 1
}

# wake_rounds START ROUNDS - milliseconds of each round into $work/woken.
wake_rounds() {
    local i said
    : >"$work/woken"
    wake_apply "$1" && wake_until Ready || return 1
    for i in $(seq "$2"); do
        wake_until Idle || return 1
        said=$(curl -s -o /dev/null -m 60 -w '%{http_code} %{time_total}' "http://127.0.0.1:$wake_port/")
        [ "${said% *}" = 200 ] || { echo "answered $said" >&2; return 1; }
        awk -v s="${said#* }" 'BEGIN { printf "%.0f\n", s * 1000 }' >>"$work/woken"
    done
    timeout 60 "$build/src/cli/virga" delete -f "$work/wake.yaml" >/dev/null
}

part_wake() {
    local rounds=7
    [ -z "$quick" ] || rounds=1
    wake_port=$((21000 + $$ % 1000))
    title "Group of none: first request to its answer"
    micro_bundle || return 1
    daemon_start wake
    taskset -a -p -c "0-$(($(nproc) - 1))" "$daemon" >/dev/null
    import_micro || return 1
    wake_rounds Fork $rounds || return 1
    local forked
    forked=$(median <"$work/woken")
    row 'micro, forked (median)' "$forked ms" "" "" '<= 1000 ms'
    row '  best' "$(least <"$work/woken") ms"
    [ -z "$quick" ] || return 0
    wake_rounds Boot 3 || return 1
    row 'micro, booted (median)' "$(median <"$work/woken") ms"
}
