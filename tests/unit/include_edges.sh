#!/bin/bash
# Holds the #include "..." lines of src/ to the table of who may know whom (ARCHITECTURE.md).
# usage: include_edges.sh SRC_FOLDER      prints each wrong edge; exit status 1 if there is any
set -u
cd "$1" || exit 2

# What a folder may include besides itself. "drivers/*.h" are the contracts, not the drivers.
declare -A may=(
    [base]=''
    [kinds]='base/*'
    [elastic]='base/*'
    [store]='base/*'
    [drivers]='base/* kinds/*'
    [guest]=''
    [control]='base/* kinds/* elastic/* store/* drivers/*.h guest/*.h'
    [api]='base/* kinds/* store/*'
    [client]='base/* kinds/*'
    [cli]='base/* kinds/* elastic/* client/*'
    [daemon]='*'
)

# is_contract drivers/compute.h: no further folder in between
is_contract() { [[ $1 == drivers/*.h && $1 != drivers/*/* ]]; }

# is_allowed FILE INCLUDED
is_allowed() {
    local folder=${1%%/*} pattern
    [[ $2 == */* ]] || { [ -e "$(dirname "$1")/$2" ]; return; }
    [[ $2 != *..* && -e $2 ]] || return 1
    [[ $2 == "$folder"/* ]] && return 0
    set -f
    for pattern in ${may[$folder]}; do
        # shellcheck disable=SC2053 # a pattern on purpose; its * takes slashes too
        if [ "$pattern" = 'drivers/*.h' ]; then
            is_contract "$2" && return 0
        elif [[ $2 == $pattern ]]; then
            return 0
        fi
    done
    return 1
}

wrong=0
seen=0
while IFS=: read -r file line text; do
    file=${file#./}
    included=${text#*\"}
    included=${included%%\"*}
    seen=$((seen + 1))
    if [[ $file != */* || -z ${may[${file%%/*}]+known} ]]; then
        echo "src/$file:$line: no rule for this folder; see the table in tests/unit/include_edges.sh"
        wrong=$((wrong + 1))
    elif ! is_allowed "$file" "$included"; then
        echo "src/$file:$line: ${file%%/*} may not include \"$included\"" \
             "(may: itself ${may[${file%%/*}]}; paths begin below src)"
        wrong=$((wrong + 1))
    fi
done < <(grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' .)

[ "$seen" -gt 0 ] || { echo "no #include found below $1"; exit 2; }
echo "$seen edges, $wrong wrong"
[ "$wrong" = 0 ]
