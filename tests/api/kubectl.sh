#!/bin/bash
# Every verb of kubectl against the API: kubectl.sh SERVE KUBECTL
#
# The server is tests/api/serve, over TLS with a client certificate. Prints one line per command
# that went wrong, and a summary; exit status 1 when any did.
set -u
serve=$1 kubectl=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
export HOME=$work KUBECONFIG=$work/kubeconfig
version=$("$kubectl" version --client -o json 2>/dev/null | sed -n 's/.*"gitVersion": *"v\([0-9]*\.[0-9]*\).*/\1/p' | head -1)
passed=0 failed=0

: >"$work/ready"
"$serve" --socket "$work/socket" --listen 127.0.0.1:0 --tls "$work/tls" --kubeconfig "$KUBECONFIG" \
    --token secret=carol >>"$work/ready" &
server=$!
trap 'kill $server; wait $server; rm -rf "$work"' EXIT
grep -q -m1 ready <(timeout 30 tail -n +1 -f "$work/ready") || { echo "serve did not start"; exit 1; }
port=$(cut -d' ' -f2 "$work/ready")

at_least() { [ "$(printf '%s\n%s\n' "$1" "$version" | sort -V | head -1)" = "$1" ]; }

k() { timeout 60 "$kubectl" "$@"; }

judge() { # NAME WANTED-STATUS PATTERN STATUS OUTPUT
    if [ "$4" = "$2" ] && grep -qE -- "$3" <<<"$5"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s: kubectl %s\n  status %s, wanted %s with /%s/:\n%s\n' "$version" "$1" "$4" "$2" "$3" \
            "$(sed 's/^/    /' <<<"$5" | head -20)"
    fi
}

ok() { # PATTERN ARGUMENT...: exit status 0 and a matching line
    local pattern=$1 output
    shift
    output=$(k "$@" 2>&1)
    judge "$*" 0 "$pattern" $? "$output"
}

fails() { # PATTERN ARGUMENT...: exit status 1
    local pattern=$1 output
    shift
    output=$(k "$@" 2>&1)
    judge "$*" 1 "$pattern" $? "$output"
}

# Waits for a line in a growing file.
seen() { # PATTERN FILE
    local status
    timeout 60 grep -qE -m1 -- "$1" <(timeout 60 tail -n +1 -f "$2")
    status=$?
    judge "(output of $2)" 0 "$1" $status "$(cat "$2")"
}

manifest() { # NAME [SED-EXPRESSION]
    sed -e "s/name: web/name: $1/; s/app: web/app: $1/" ${2:+-e "$2"} "$here/manifests/instance.yaml" >"$work/$1.yaml"
    echo "$work/$1.yaml"
}
web=$(manifest web)

# 1. TLS and credentials
ok 'No resources found' get inst
fails 'must be logged in|Unauthorized' get inst --kubeconfig=/dev/null --server="https://127.0.0.1:$port" \
    --certificate-authority="$work/tls/ca.crt" --token=wrong
fails 'Forbidden.*User "carol" cannot list' get inst --kubeconfig=/dev/null --server="https://127.0.0.1:$port" \
    --certificate-authority="$work/tls/ca.crt" --token=secret
# 2. version, health, raw
ok 'Server Version.*1\.31|gitVersion.*1\.31' version
ok '^ok$' get --raw /readyz
# 3. discovery
ok '^instances +inst,vm +virga.dev/v1 +true +Instance|^instances +inst,vm +virga.dev +true +Instance' api-resources --api-group=virga.dev -o wide
ok '^virga.dev/v1$' api-versions
# 7. create, duplicate, generateName, invalid, unknown field
ok 'instance.virga.dev/web created' create -f "$web"
fails 'AlreadyExists.*instances.virga.dev "web" already exists' create -f "$web"
fails 'The Instance "bad" is invalid: spec.memory: Invalid value' create -f "$(manifest bad 's/512Mi/12Q/')"
fails 'unknown field "?.*bogus' create -f "$(manifest odd 's/cpus: 1/bogus: 1/')"
if at_least 1.27; then
    ok 'unknown field "spec.bogus"' create --validate=warn -f "$(manifest odd 's/cpus: 1/bogus: 1/')"
    ok 'deleted' delete inst odd
fi
sed 's/name: web/generateName: gen-/' "$web" >"$work/gen.yaml"
ok 'instance.virga.dev/gen-[a-z0-9]{5} created' create -f "$work/gen.yaml"
ok 'gen-' delete inst -l app=web --field-selector metadata.name!=web
# 4. tables
ok 'NAME +PHASE +IPV4 +CPUS +MEMORY +IMAGE +.*AGE +HOST' get inst,hosts -o wide
ok '^default +web .*web$' get inst -A -L app
ok 'app=web' get inst --show-labels
ok '^web ' get inst --sort-by=.metadata.name
ok 'instance.virga.dev/web' get all
# 5. JSON output
ok 'image: debian-12' get inst web -o yaml
ok '^1$' get inst -o 'jsonpath={.items[*].spec.cpus}'
ok '^instance.virga.dev/web$' get inst -o name
ok '^web +debian-12$' get inst -o 'custom-columns=N:.metadata.name,I:.spec.image'
# 6. selectors, paging
for i in 1 2 3; do k create -f "$(manifest "page$i" 's/app: page[0-9]/app: page/')" >/dev/null; done
ok 'page1' get inst -l 'app in (web,page),!x' --field-selector metadata.name=page1 --chunk-size=1
[ "$(k get inst --chunk-size=1 -o name | wc -l)" = 4 ] || judge "get inst --chunk-size=1" 0 '4 lines' 1 ''
ok 'No resources found' get inst -l app=none
# 8. dry-run, diff
ok 'web configured \(server dry run\)' apply --dry-run=server -f "$(manifest web 's/cpus: 1/cpus: 2/')"
ok '^1$' get inst web -o 'jsonpath={.spec.cpus}'
fails '^\+ +cpus: 2' diff -f "$work/web.yaml"
web=$(manifest web)
ok 'new created \(server dry run\)' create --dry-run=server -f "$(manifest new)"
fails 'NotFound' get inst new
# 9. client-side apply
ok 'db created' apply -f "$(manifest db)"
ok 'db unchanged' apply -f "$(manifest db)"
ok 'db configured' apply -f "$(manifest db 's/cpus: 1/cpus: 3/')"
ok 'cpus: 3' apply view-last-applied inst db
ok 'db configured' apply -f "$(manifest db '/labels/d')"
ok '^$' get inst db -o 'jsonpath={.metadata.labels.app}'
# 10. server-side apply
ok 'sa serverside-applied' apply --server-side -f "$(manifest sa)"
fails 'conflict with "kubectl": .spec.cpus' apply --server-side --field-manager=other -f "$(manifest sa 's/cpus: 1/cpus: 2/')"
ok 'sa serverside-applied' apply --server-side --field-manager=other --force-conflicts -f "$work/sa.yaml"
at_least 1.21 && ok 'manager: other' get inst sa -o yaml --show-managed-fields
if at_least 1.27; then # the way from client-side to server-side apply
    ok 'db serverside-applied' apply --server-side --force-conflicts -f "$(manifest db 's/cpus: 1/cpus: 4/')"
    ok 'db serverside-applied' apply --server-side -f "$work/db.yaml"
fi
# 11. patch types
ok 'patched' patch inst web -p '{"spec":{"cpus":6}}'
ok 'patched' patch inst web --type=merge -p '{"spec":{"cpus":7}}'
ok 'patched' patch inst web --type=json -p '[{"op":"replace","path":"/spec/cpus","value":3}]'
ok 'no change' patch inst web --type=merge -p '{"spec":{"cpus":3}}'
fails 'Invalid|invalid' patch inst web --type=json -p '[{"op":"test","path":"/spec/cpus","value":9}]'
# 12. edit, label, annotate, replace
printf '#!/bin/sh\nsed -i "s/cpus: [0-9]*/cpus: 5/" "$1"\n' >"$work/editor"
chmod +x "$work/editor"
EDITOR=$work/editor ok 'web edited' edit inst web
ok '^5$' get inst web -o 'jsonpath={.spec.cpus}'
ok 'labeled' label inst web a=b
ok '^b$' get inst web -o 'jsonpath={.metadata.labels.a}'
ok 'labeled' label inst web a-
ok 'annotat' annotate inst web note=x
ok 'replaced' replace -f "$web"
ok 'replaced' replace --force -f "$web"
# 13. optimistic locking
k get inst web -o yaml >"$work/read.yaml"
ok 'replaced' replace -f <(sed 's/cpus: 1/cpus: 2/' "$work/read.yaml")
fails 'the object has been modified' replace -f <(sed 's/cpus: 1/cpus: 4/' "$work/read.yaml")
# 14. status
status='{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}'
if at_least 1.24; then
    ok 'patched' patch inst web --subresource=status --type=merge -p "$status"
    ok 'phase: Running' get inst web --subresource=status -o yaml
else
    curl -sS --unix-socket "$work/socket" -X PATCH -H 'Content-Type: application/merge-patch+json' -d "$status" \
        http://localhost/apis/virga.dev/v1/namespaces/default/instances/web/status >/dev/null
fi
# 15. watch
: >"$work/watch"
k get inst -w -o name >>"$work/watch" 2>&1 &
watcher=$!
seen 'instance.virga.dev/web' "$work/watch"
k create -f "$(manifest seen)" >/dev/null
seen 'instance.virga.dev/seen' "$work/watch"
kill $watcher
: >"$work/watch-one"
k get inst seen -w -o 'jsonpath={.metadata.labels.x}{"\n"}' >>"$work/watch-one" 2>&1 &
watcher=$!
seen '^$' "$work/watch-one"
k label inst seen x=changed >/dev/null
seen 'changed' "$work/watch-one"
kill $watcher
# 16. wait
ok 'condition met' wait inst/web --for=condition=Ready --timeout=30s
at_least 1.23 && ok 'condition met' wait inst/web '--for=jsonpath={.status.phase}=Running' --timeout=30s
fails 'timed out' wait inst/seen --for=condition=Ready --timeout=1s
: >"$work/waited"
k wait inst/seen --for=delete --timeout=60s -v=6 >>"$work/waited" 2>&1 &
waiter=$!
seen 'watch=true' "$work/waited"
# 17. delete
ok '"seen" deleted' delete inst seen
wait $waiter
judge 'wait --for=delete' 0 '' $? "$(cat "$work/waited")"
k patch inst sa --type=merge -p '{"metadata":{"finalizers":["x.dev/hold"]}}' >/dev/null
fails 'timed out waiting' delete inst sa --timeout=2s
ok '"sa" deleted' delete inst sa --wait=false
k patch inst sa --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
fails 'NotFound' get inst sa
ok 'server dry run' delete inst web --dry-run=server
ok '"page1" force deleted' delete inst page1 --force --grace-period=0
ok '"page2" deleted' delete inst page2 --now
if at_least 1.20; then
    ok 'deleted' delete inst page3 --cascade=foreground
    ok 'deleted' delete inst db --cascade=orphan
fi
fails 'NotFound.*instances.virga.dev "none" not found' delete inst none
ok '' delete inst none --ignore-not-found
# 18. explain
ok 'memory' explain inst.spec
ok 'deletePolicy' explain inst.spec --recursive
at_least 1.27 && ok 'FIELDS' explain inst --output=plaintext-openapiv2
# 19. events, describe
uid=$(k get inst web -o 'jsonpath={.metadata.uid}')
cat >"$work/event.yaml" <<END
apiVersion: v1
kind: Event
metadata: {name: web.1, namespace: default}
involvedObject: {apiVersion: virga.dev/v1, kind: Instance, name: web, namespace: default, uid: $uid}
reason: Started
message: it runs
type: Normal
count: 1
firstTimestamp: "2026-01-01T00:00:00Z"
lastTimestamp: "2026-01-01T00:00:00Z"
source: {component: virgad}
END
ok 'created' create -f "$work/event.yaml"
ok 'Started +.*it runs' describe inst web
ok 'Started +instance/web +it runs' get events
at_least 1.26 && ok 'it runs' events --for inst/web
# 20. auth
ok '^yes$' auth can-i create inst
ok '^yes$' auth can-i get /healthz
ok 'instances' auth can-i --list
fails '^no' auth can-i create inst --kubeconfig=/dev/null --server="https://127.0.0.1:$port" \
    --certificate-authority="$work/tls/ca.crt" --token=secret
at_least 1.28 && ok 'admin' auth whoami
# 21. core kinds, also as protobuf
ok 'namespace/q created' create ns q
ok 'created' create secret generic s --from-literal=a=b
ok '^Yg==$' get secret s -o 'jsonpath={.data.a}'
ok 'created' create configmap c --from-literal=k=v
ok 'created' create -n q -f "$web"
ok 'Status:.*Active' describe ns q
ok 'namespace "q" deleted' delete ns q
fails 'NotFound' get inst web -n q
fails 'NotFound.*namespaces "nowhere" not found' create -n nowhere -f "$web"
# 22. top
at_least 1.30 && ok 'node1 +1500m +37%' top node
ok 'web +250m' top pod
ok 'is running at' cluster-info
# 23. autoscale: HorizontalPodAutoscalers of groups, written as autoscaling/v1 or v2, JSON or protobuf
cat >"$work/group.yaml" <<END
apiVersion: virga.dev/v1
kind: InstanceGroup
metadata: {name: web}
spec: {template: {spec: {image: debian-12}}}
END
ok 'created' create -f "$work/group.yaml"
ok 'scaled' scale ig/web --replicas=2
ok 'horizontalpodautoscaler.autoscaling/web autoscaled' autoscale instancegroup.virga.dev/web --min 1 --max 5 --cpu-percent 60
ok '^60 1 5 InstanceGroup$' get hpa web -o \
    'jsonpath={.spec.metrics[0].resource.target.averageUtilization} {.spec.minReplicas} {.spec.maxReplicas} {.spec.scaleTargetRef.kind}'
ok 'apiVersion: autoscaling/v2' get hpa web -o yaml
ok 'targetCPUUtilizationPercentage: 60' get horizontalpodautoscalers.v1.autoscaling web -o yaml
ok '^60$' get horizontalpodautoscalers.v1.autoscaling -o 'jsonpath={.items[*].spec.targetCPUUtilizationPercentage}'
ok '^NAME +REFERENCE .*REPLICAS' get hpa
ok 'web +web +60 ' get horizontalpodautoscalers.v1.autoscaling
ok 'InstanceGroup/web' describe hpa web
ok 'patched' patch horizontalpodautoscalers.v1.autoscaling web --type=merge -p '{"spec":{"targetCPUUtilizationPercentage":70}}'
ok '^70$' get hpa web -o 'jsonpath={.spec.metrics[0].resource.target.averageUtilization}'
ok 'autoscaled' autoscale ig web --name two --max 3
ok '^80$' get hpa two -o 'jsonpath={.spec.metrics[0].resource.target.averageUtilization}'
fails 'maxReplicas|max=' autoscale ig web --name three --min 4 --max 3
fails 'averageUtilization: Invalid value: 150: must be from 1 to 100' \
    autoscale ig web --name three --max 3 --cpu-percent 150
ok 'deleted' delete horizontalpodautoscalers.v1.autoscaling two
ok 'deleted' delete hpa web
ok 'deleted' delete ig web
# 17, the end: all of them
ok 'deleted' delete inst --all
ok 'No resources found' get inst

echo "kubectl $version: $passed passed, $failed failed"
[ "$failed" = 0 ]
