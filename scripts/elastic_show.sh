# scripts/elastic_show.sh - puts load on the service of examples/elastic-web.yaml and shows what the
# autoscaler makes of it. Sourced by quickstart; virga is in PATH and VIRGA_SOCKET set.

service=http://127.0.0.1:8081/
load_pids=()

# start_load RATE SECONDS: so many requests a second from four clients, each with a connection of its
# own that stays open. What they were answered goes to $place/answers.
start_load() {
    local rate=$1 seconds=$2 client
    for client in 1 2 3 4; do
        # Not of the terminal's group: Ctrl-C is for the script, which ends them.
        setsid timeout $((seconds + 20)) stdbuf -oL curl -s -o /dev/null -m 20 -w '%{http_code}\n' \
            --rate $((rate * 60 / 4))/m "$service?[1-$((rate * seconds / 4))]" >> "$place/answers" &
        load_pids+=($!)
    done
}

stop_load() {
    [ ${#load_pids[@]} -eq 0 ] || kill "${load_pids[@]}" 2> /dev/null
    load_pids=()
}

is_loading() {
    local pid
    for pid in "${load_pids[@]}"; do
        kill -0 "$pid" 2> /dev/null && return
    done
    return 1
}

# number_of NAME: of the sample in $sample; the sum over the members of a metric.
number_of() {
    if [[ $sample =~ \"$1\":([0-9]+) ]]; then
        echo "${BASH_REMATCH[1]}"
    elif [[ $sample =~ \"$1\":\{([^}]*)\} && ${BASH_REMATCH[1]} =~ \"sum\":([0-9]+) ]]; then
        echo "${BASH_REMATCH[1]}"
    else
        echo 0
    fi
}

row() {
    local serving=$1 members=$2 requests=$3 cpu=$4 bar='' i
    for ((i = 0; i < members; i++)); do
        ((i < serving)) && bar+='#' || bar+='.'
    done
    printf '%4d s  %5d requests/s  %4d %% CPU  %-6s %d of %d serve' \
        $((SECONDS - show_began)) "$requests" "$cpu" "$bar" "$serving" "$members"
}

# The decisions that changed something since the last call.
show_decisions() {
    local line
    while read -r line; do
        [ -z "$live" ] || printf '\r\033[K'
        printf '        -> %s\n' "$line"
        decisions_shown=$((decisions_shown + 1))
    done < <(virga autoscaler decisions web --last 10m 2> /dev/null |
        grep -E '"reason":"(ScaleOut|ScaleIn|Woken|Idle)"' | sed 's/.*"message":"\([^"]*\)".*/\1/' |
        tail -n +$((decisions_shown + 1)))
}

# show_until COMMAND...: a row now and then, and when something changed, until the command succeeds or
# two minutes are over. On a terminal the last row is alive.
show_until() {
    local sample serving members requests cpu now shown='' shown_at=-10 end=$((SECONDS + 120))
    while ! "$@" && [ $SECONDS -lt $end ]; do
        read -rt 1 <> <(:)
        sample=$(virga autoscaler samples web --last 3s 2> /dev/null | tail -n 1)
        [ -n "$sample" ] || continue
        show_decisions
        serving=$(number_of ready) members=$(number_of members) requests=$(number_of Requests)
        cpu=$(number_of CPU)
        [ "$serving" = 0 ] || cpu=$((cpu / serving))
        now="$serving of $members"
        if [ -n "$live" ]; then
            printf '\r\033[K%s' "$(row $serving $members $requests $cpu)"
            [ "$now" != "$shown" ] && [ -n "$shown" ] && echo
        elif [ "$now" != "$shown" ] || [ $((SECONDS - shown_at)) -ge 5 ]; then
            row $serving $members $requests $cpu
            echo
            shown_at=$SECONDS
        fi
        shown=$now
    done
    [ -z "$live" ] || echo
    "$@"
}

load_is_over() { ! is_loading; }
is_calm() { [[ $(virga get instancegroup web -o json) =~ \"readyReplicas\":\ ?1, ]] && has_members 1; }
has_members() { [[ $(virga get instancegroup web -o json) =~ \"replicas\":\ ?$1[^0-9].*\"replicas\":\ ?$1[^0-9] ]]; }

# A service at work: calm, then busy, then calm again.
show_elasticity() {
    local live='' decisions_shown=0 show_began=$SECONDS phase
    [ ! -t 1 ] || live=1
    : > "$place/answers"
    for phase in "4 8" "45 35" "4 10"; do
        set -- $phase
        printf '    %d requests a second for %d seconds\n' "$1" "$2"
        start_load "$1" "$2"
        show_until load_is_over || fail "the load does not end"
        load_pids=()
    done
    printf '    no requests any more\n'
    show_until is_calm || fail "the group does not shrink: virga why group/web"
    show_decisions
    answered=$(grep -c '^200$' "$place/answers")
    asked=$(wc -l < "$place/answers")
    printf '%d requests were answered, %d were not\n' "$answered" $((asked - answered))
}
