# tests/bench/size.sh - memory and rest of virgad with many objects; virga's own speed.
. "$source/tests/bench/api.sh"

# ls_ms NAME TARGET - virga ls against a curl that asks for nothing much, best of nine.
measure_ls() {
    local i begin measured
    measured=$(for i in 1 2 3 4 5 6 7 8 9; do
        begin=$EPOCHREALTIME
        "$build/src/cli/virga" ls >/dev/null 2>&1 || exit 1
        awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", (b - a) * 1000 }'
    done)
    floor=$(for i in 1 2 3 4 5 6 7 8 9; do
        begin=$EPOCHREALTIME
        ask -o /dev/null http://x/version
        awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", (b - a) * 1000 }'
    done | least)
    row "$1" "$(echo "$measured" | median) ms" "$floor ms" "$(ratio "$(echo "$measured" | median)" "$floor")" "$2"
}

restart() {
    local begin=$EPOCHREALTIME
    kill "$daemon"
    wait "$daemon" 2>/dev/null
    begin=$EPOCHREALTIME
    daemon_start size
    started_ms=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.0f", (b - a) * 1000 }')
}

part_size() {
    local count=10000 idle_s=10
    [ -z "$quick" ] || count=100 idle_s=1
    title "virgad: memory and rest"
    daemon_start size
    settled
    row 'resident, idle' "$(rss_mib "$daemon") MiB" "$(pss_mib "$daemon") MiB" "" '<= 20 MiB (floor: proportional set)'
    row "processor time over $idle_s s, idle" "$(idle_ms $idle_s) ms"
    measure_ls 'virga ls, no instances (floor: curl /version)' '<= 30 ms'
    micro_bundle && import_micro || return 1
    fill_instances "$count"
    settled
    row "resident with $count stopped instances" "$(rss_mib "$daemon") MiB" "$(pss_mib "$daemon") MiB" "" '<= 100 MiB'
    row "processor time over $idle_s s with them" "$(idle_ms $idle_s) ms"
    measure_ls "virga ls of $count instances" ''
    restart
    row "serving after a restart with them" "$started_ms ms"
    settled
    row "resident after the restart" "$(rss_mib "$daemon") MiB" "$(pss_mib "$daemon") MiB" "" '<= 100 MiB'
    row "processor time until it rests" "$(($(cpu_us "$daemon") / 1000)) ms"
}
