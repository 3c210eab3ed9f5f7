# tests/bench/api.sh - the API on one core, over TLS with connections kept open.

config_map() { # metadata key, value, payload size
    printf '{"metadata":{"%s":"%s"},"data":{"text":"%s"}}' "$1" "$2" "$(printf "%${3}s" | tr ' ' x)"
}

# The floor of a durable create: the same bytes appended to a file and flushed, one by one.
plain_file_rate() {
    local seconds count=2000
    [ -z "$quick" ] || count=50
    seconds=$(dd if=/dev/zero of="$work/plain" bs=1024 count=$count oflag=dsync 2>&1 |
        sed -n 's/.*, \([0-9.e-]*\) s, .*/\1/p')
    rm -f "$work/plain"
    awk -v n=$count -v s="$seconds" 'BEGIN { printf "%.0f", n / s }'
}

measure_get() {
    local clients=$1 name=$2 path=$3 target=${4:-} amount=4s size
    [ -z "$quick" ] || amount=50
    load "$clients" "$amount" GET "$path"
    size=$(echo "$line" | field bytes)
    floor "$size" "$clients" "$amount" GET "$path"
    row "$name" "$(echo "$line" | field rate)/s" "$(echo "$floor_line" | field rate)/s" \
        "$(ratio "$(echo "$line" | field rate)" "$(echo "$floor_line" | field rate)")" "$target"
    row '  cpu per request' "$cpu us" "$floor_cpu us" "$(ratio "$cpu" "$floor_cpu")" \
        "$(awk -v c="$cpu" 'BEGIN { printf "%.0f/s on a core of its own", 1e6 / c }')"
}

measure_creates() {
    local clients=$1 name=$2 body=$3 path=$4 target=${5:-} count=20000 plain
    [ "$clients" -gt 1 ] || count=2000
    [ -z "$quick" ] || count=64
    plain=$(plain_file_rate)
    load "$clients" $count POST "$path" "$body"
    row "$name" "$(echo "$line" | field rate)/s" "$plain/s" \
        "$(ratio "$(echo "$line" | field rate)" "$plain")" "$target"
    row '  cpu per create, p50, p99' "$cpu us" "$(echo "$line" | field p50_us) us" "" \
        "p99 $(echo "$line" | field p99_us) us"
}

measure_list() {
    local name=$1 path=$2 target=${3:-} count=15 size
    [ -z "$quick" ] || count=2
    load 1 $count GET "$path"
    size=$(echo "$line" | field bytes)
    floor "$size" 1 $count GET "$path"
    row "$name ($((size / 1024 / 1024)) MiB)" \
        "$(awk -v t="$(echo "$line" | field p50_us)" 'BEGIN { printf "%.1f ms", t / 1000 }')" \
        "$(awk -v t="$(echo "$floor_line" | field p50_us)" 'BEGIN { printf "%.1f ms", t / 1000 }')" \
        "$(ratio "$(echo "$line" | field p50_us)" "$(echo "$floor_line" | field p50_us)")" "$target"
    row '  cpu, best' "$(awk -v c="$cpu" 'BEGIN { printf "%.1f ms", c / 1000 }')" \
        "$(awk -v t="$(echo "$line" | field min_us)" 'BEGIN { printf "%.1f ms", t / 1000 }')"
}

# fill_instances COUNT - stopped instances, which need nothing but their place in the store.
fill_instances() {
    printf '{"metadata":{"generateName":"i-","labels":{"app":"web","tier":"front"}},"spec":{"image":"micro","cpus":2,"memory":"1Gi","powerState":"Stopped","networks":[{"name":"eth0","network":"default"}]}}' >"$work/instance.json"
    load 64 "$1" POST $api/namespaces/default/instances "$work/instance.json"
}

part_api() {
    local maps=/api/v1/namespaces/default/configmaps count=10000
    [ -z "$quick" ] || count=100
    title "API on one core, TLS"
    daemon_start api
    config_map name one 620 | ask -o /dev/null -H 'Content-Type: application/json' -d @- "http://x$maps"
    measure_get 32 "GET of $(ask "http://x$maps/one" | wc -c) bytes, 32 clients" $maps/one '>= 30,000/s'
    measure_get 1 'the same, 1 client' $maps/one
    config_map generateName c- 300 >"$work/map.json"
    measure_creates 64 'durable creates of ConfigMaps, 64 clients' "$work/map.json" $maps '>= 4,000/s'
    measure_creates 1 'the same, 1 client' "$work/map.json" $maps
    if micro_bundle && import_micro; then
        fill_instances "$count"
        row "creates of Instances beside their controllers" "$(echo "$line" | field rate)/s" "" "" \
            ">= 4,000/s"
        row '  cpu per create, p99' "$cpu us" "$(echo "$line" | field p99_us) us"
        settled
        measure_list "LIST of $count Instances" $api/instances '<= 80 ms'
        measure_list 'the same by label' "$api/instances?labelSelector=app%3Dweb"
        measure_list 'the first 500' "$api/instances?limit=500"
    fi
}
