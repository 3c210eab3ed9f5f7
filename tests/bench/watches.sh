# tests/bench/watches.sh - many idle watches over TLS.

part_watches() {
    local count=2000 idle_s=10 events=50 empty i before
    [ -z "$quick" ] || count=20 idle_s=1 events=3
    title "$count watches, TLS"
    daemon_start watches
    settled
    empty=$(rss_mib "$daemon")
    mkfifo "$work/in"
    : >"$work/out"
    taskset -c "$load_core" "$bench/bench_watches" "$port" "$home/state/tls" $count \
        "/api/v1/namespaces/default/configmaps?watch=1" <"$work/in" >"$work/out" &
    exec 9>"$work/in"
    await_line open "$work/out" || return 1
    settled
    row 'resident with them (floor: without)' "$(rss_mib "$daemon") MiB" "$empty MiB" \
        "$(ratio "$(rss_mib "$daemon")" "$empty")" '<= 100 MiB'
    row "processor time over $idle_s s" "$(idle_ms $idle_s) ms" "" "" 'not measurable'
    before=$(cpu_us "$daemon")
    for i in $(seq $events); do
        printf '{"metadata":{"name":"e%s"}}' "$i" |
            ask -o /dev/null -H 'Content-Type: application/json' -d @- "http://x/api/v1/namespaces/default/configmaps"
    done
    echo "wait $events" >&9
    await_line got "$work/out" || return 1
    row "cpu per event and watch, $events events to all" \
        "$(awk -v t=$(($(cpu_us "$daemon") - before)) -v n=$((events * count)) 'BEGIN { printf "%.1f us", t / n }')"
    exec 9>&-
}

