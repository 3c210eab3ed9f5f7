# tests/bench/step.sh - a step of load: from its first request to the autoscaler's decision, and to the first
# answer of one member more.

step_port=$((22000 + $$ % 1000))

step_apply() { # WARM
    micro_service step $step_port "minReplicas: 1
  maxReplicas: 4
  start: Fork
  warm: $1" 'drainTimeout: 1s, stickyCookie: {name: member}' \
        'metrics: [{name: requests, type: Requests, averageValue: 10}],
  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}'
}

step_rounds() { # WARM ROUNDS - lines of load_step.py into $work/steps
    step_apply "$1" && python3 -B "$source/tests/bench/load_step.py" "$VIRGA_SOCKET" step $step_port 40 "$2" >"$work/steps"
}

step_answers() { awk '{ print $2 - $1 }' "$work/steps" | median; } # from the decision on

part_step() {
    local rounds=9
    [ -z "$quick" ] || rounds=1
    title "A step from 0 to 40 requests a second, target 10 a member"
    micro_bundle || return 1
    daemon_start step
    taskset -a -p -c "0-$(($(nproc) - 1))" "$daemon" >/dev/null
    import_micro || return 1
    step_rounds 0 $rounds || return 1
    row 'to the decision (median)' "$(awk '{ print $1 }' "$work/steps" | median) ms" "" "" '<= 2000 ms'
    row '  longest' "$(awk '{ print $1 }' "$work/steps" | sort -n | tail -1) ms" "" "" '<= 2000 ms'
    row 'from it to the first answer of a fork more (median)' "$(step_answers) ms"
    row 'requests not answered meanwhile' "$(awk '{ s += $3 } END { print s }' "$work/steps")" "" "" 0
    [ -z "$quick" ] || return 0
    step_rounds 1 $rounds || return 1
    row 'from it to that of a warm member more (median)' "$(step_answers) ms"
}
