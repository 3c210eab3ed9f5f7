#!/bin/bash
# kubectl.sh with every kubectl that kubectl_versions.sh finds: kubectl_all.sh SERVE
here=$(cd "$(dirname "$0")" && pwd)
found=$("$here/kubectl_versions.sh")
[ -n "$found" ] || { echo "no kubectl found, and none could be fetched"; exit 1; }
status=0
while read -r version path; do
    bash "$here/kubectl.sh" "$1" "$path" </dev/null || status=1
done <<<"$found"
exit $status
