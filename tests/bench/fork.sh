# tests/bench/fork.sh - scale-out: from the number that is set to the first answer through the balancer,
# by forks, with a warm member, and by booting; and what a fork takes of memory that it does not share.

fork_port=$((18000 + $$ % 1000))

# What members are.
fork_image=micro fork_memory=256Mi
fork_user_data='#!/bin/sh
        echo here >/srv/www/index.html
        httpd -h /srv/www'

# fork_group NAME START WARM - applied with its balancer, and one member serving.
fork_group() {
    cat >"$work/$1.yaml" <<YAML
apiVersion: virga.dev/v1
kind: InstanceGroup
metadata: {name: $1}
spec:
  replicas: 1
  minReplicas: 1
  maxReplicas: 24
  start: $2
  warm: $3
  readiness: {type: HTTP, port: 80}
  template:
    spec:
      image: $fork_image
      cpus: 1
      memory: $fork_memory
      stopTimeout: 0s
      userData: |
        $fork_user_data
---
apiVersion: virga.dev/v1
kind: LoadBalancer
metadata: {name: $1}
spec:
  network: default
  listeners: [{name: http, address: 127.0.0.1, port: $fork_port}]
  backends:
  - {name: $1, port: 80, drainTimeout: ${drain:-1s}, stickyCookie: {name: member}, members: {instanceGroup: $1}}
YAML
    "$build/src/cli/virga" apply -f "$work/$1.yaml" >/dev/null
}

fork_group_gone() {
    timeout 120 "$build/src/cli/virga" delete "instancegroup/$1" "loadbalancer/$1" >/dev/null 2>&1
}

groups_url=http://x/apis/virga.dev/v1/namespaces/default/instancegroups

group_patch() { # GROUP MERGE-PATCH
    ask -o /dev/null -X PATCH -H 'Content-Type: application/merge-patch+json' -d "$2" "$groups_url/$1"
}

# group_settled GROUP COUNT - waits until that many members serve, all of the newest template.
group_settled() {
    watched 300 "$groups_url?watch=1&fieldSelector=metadata.name=$1" \
        '.status.observedGeneration == .metadata.generation and .status.replicas == $count and
            .status.readyReplicas == $count and .status.updatedReplicas == $count' --argjson count "$2" && return
    echo "the group $1 never had $2 members" >&2
    return 1
}

scale_out() { # GROUP COUNT ROUNDS
    python3 -B "$source/tests/bench/scale_out.py" "$VIRGA_SOCKET" "$1" $fork_port "$2" "$3"
}

instances_url=http://x/apis/virga.dev/v1/namespaces/default/instances

fork_newest() { # GROUP FIELD - of its newest member's metadata
    ask "$instances_url?labelSelector=virga.dev/group=$1" |
        jq -r --arg field "$2" '.items | max_by(.metadata.creationTimestamp).metadata[$field]'
}

# fork_own_memory GROUP - what the QEMU of its newest member has of its own, in MiB: in all, and of the guest's
# memory. Pages of a frozen machine's file that nobody else maps now are not its own.
fork_own_memory() {
    local pid
    pid=$(jq -r .pid "$home/run/machines/$(fork_newest "$1" uid)/process.json")
    awk '/^[0-9a-f]+-[0-9a-f]+ / { guest = /virga-memory|\/memory$/; shared = $2 ~ /s$/ }
         /^Private_Dirty/ { dirty = $2 }
         /^Anonymous/ { own = shared ? dirty : $2; all += own; if (guest) guests += own }
         END { printf "%.1f %.1f\n", all / 1024, guests / 1024 }' "/proc/$pid/smaps"
}

# watched SECONDS URL FILTER [JQ-OPTION...] - waits until an object of a watch passes a filter of jq.
watched() {
    local seconds=$1 url=$2 filter=$3
    shift 3
    grep -q -m1 . < <(timeout "$seconds" curl -sN --unix-socket "$VIRGA_SOCKET" "$url" |
        jq --unbuffered -c "$@" "select(.object | $filter) | .type")
}

# keys_made GROUP - waits until its newest member has made keys and files of its own.
keys_made() {
    watched 120 "$instances_url?watch=1&fieldSelector=metadata.name=$(fork_newest "$1" name)" \
        'any(.status.conditions[]?; .type == "OwnIdentity" and .status == "True")' && return
    echo "the newest member of $1 made no keys" >&2
    return 1
}

part_fork() {
    local rounds=7 many=10 many_rounds=3 boot fork warm ten many_warm own=() whole=() booted=()
    [ -z "$quick" ] || rounds=1 many=2 many_rounds=1
    title "Scale-out: number set to answer through the balancer"
    micro_bundle || return 1
    daemon_start fork --cpus 64
    taskset -a -p -c "0-$(($(nproc) - 1))" "$daemon" >/dev/null 2>&1
    import_micro || return 1
    fork_group boots Boot 0
    scale_out boots 1 $(((rounds + 1) / 2)) >"$work/boots" || return 1
    read -ra booted < <(fork_own_memory boots)
    fork_group_gone boots
    fork_group forks Fork 0
    scale_out forks 1 $rounds >"$work/forks" || return 1
    read -ra own < <(fork_own_memory forks)
    keys_made forks || return 1
    read -ra whole < <(fork_own_memory forks)
    scale_out forks $many $many_rounds >"$work/ten" || return 1
    fork_group_gone forks
    fork_group warms Fork 1
    scale_out warms 1 $rounds >"$work/warms" || return 1
    fork_group_gone warms
    fork_group many Fork $many
    scale_out many $many $many_rounds >"$work/many" || return 1
    fork_group_gone many
    boot=$(awk '{ print $1 }' "$work/boots" | median) fork=$(awk '{ print $1 }' "$work/forks" | median)
    warm=$(awk '{ print $1 }' "$work/warms" | median) ten=$(awk '{ print $2 }' "$work/ten" | median)
    many_warm=$(awk '{ print $2 }' "$work/many" | median)
    row "a fork more (median of $rounds; floor: a booted one)" "$fork ms" "$boot ms" "$(ratio "$fork" "$boot")" '<= 350 ms'
    row '  best' "$(awk '{ print $1 }' "$work/forks" | least) ms"
    row "a warm member more (median of $rounds)" "$warm ms" "$boot ms" "$(ratio "$warm" "$boot")" '<= 150 ms'
    row '  best' "$(awk '{ print $1 }' "$work/warms" | least) ms"
    row "$many forks more, all answer (floor: one)" "$ten ms" "$fork ms" "$(ratio "$ten" "$fork")" '<= 3'
    row "$many warm members more, all answer (floor: one fork)" "$many_warm ms" "$fork ms" "$(ratio "$many_warm" "$fork")" '<= 3'
    row 'requests not answered meanwhile' "$(awk '{ s += $3 } END { print s }' "$work"/{boots,forks,ten,warms,many})" "" "" '0'
    row 'memory of its own, of a fork (floor: booted)' "${own[0]} MiB" "${booted[0]} MiB" "$(ratio "${own[0]}" "${booted[0]}")" '<= 0.25'
    row '  when it has made its keys' "${whole[0]} MiB" "${booted[0]} MiB" "$(ratio "${whole[0]}" "${booted[0]}")"
    row "  the guest's, without QEMU's" "${whole[1]} MiB" "${booted[1]} MiB" "$(ratio "${whole[1]}" "${booted[1]}")"
}
