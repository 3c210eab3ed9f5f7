#!/bin/bash
# Each row is one edge in an otherwise right tree, and whether include_edges.sh lets it pass.
set -u
check=$(dirname "$0")/include_edges.sh
tree=$(mktemp -d) || exit 2
trap 'rm -rf "$tree"' EXIT

mkdir -p "$tree"/{base,kinds,store,drivers/compute/qemu,control,api,client,cli,daemon,other}
for header in base/str.h kinds/kind.h store/store.h drivers/compute.h drivers/compute/qemu/qmp.h \
              control/control.h api/api.h client/client.h cli/table.h; do
    echo '#pragma once' >"$tree/$header"
done

failed=0
while read -r expected file included; do
    [ -n "$expected" ] || continue
    printf '#include <stdio.h>\n#include "%s"\n' "$included" >"$tree/$file"
    if bash "$check" "$tree" >/dev/null; then actual=pass; else actual=wrong; fi
    rm "$tree/$file"
    if [ "$actual" != "$expected" ]; then
        echo "$file including \"$included\": $actual, should be $expected"
        failed=1
    fi
done <<'ROWS'
pass   base/a.c                     base/str.h
pass   base/a.c                     str.h
pass   kinds/a.c                    base/str.h
pass   store/a.c                    base/str.h
pass   drivers/compute/qemu/a.c     drivers/compute.h
pass   drivers/compute/qemu/a.c     drivers/compute/qemu/qmp.h
pass   drivers/compute/qemu/a.c     kinds/kind.h
pass   control/a.c                  drivers/compute.h
pass   control/a.c                  store/store.h
pass   api/a.c                      store/store.h
pass   client/a.c                   kinds/kind.h
pass   cli/a.c                      client/client.h
pass   daemon/a.c                   drivers/compute/qemu/qmp.h
pass   daemon/a.c                   control/control.h
pass   daemon/a.c                   client/client.h
wrong  base/a.c                     kinds/kind.h
wrong  base/a.c                     nowhere.h
wrong  kinds/a.c                    store/store.h
wrong  kinds/a.h                    store/store.h
wrong  store/a.c                    kinds/kind.h
wrong  drivers/compute/qemu/a.c     store/store.h
wrong  drivers/compute/qemu/a.c     control/control.h
wrong  drivers/compute/qemu/a.c     ../compute.h
wrong  drivers/a.c                  compute/qemu/qmp.h
wrong  control/a.c                  drivers/compute/qemu/qmp.h
wrong  control/a.c                  api/api.h
wrong  api/a.c                      control/control.h
wrong  api/a.c                      drivers/compute.h
wrong  client/a.c                   store/store.h
wrong  cli/a.c                      api/api.h
wrong  daemon/a.c                   base/nothing.h
wrong  other/a.c                    base/str.h
wrong  a.c                          base/str.h
ROWS
exit $failed
