# lib/common.sh - what every image recipe needs: progress, errors, a scratch folder, the output.
# Sourced by the build scripts (bash, with `set -euo pipefail`).

PROGRAM=${PROGRAM:-${0##*/}}
CACHE=${VIRGA_CACHE:-/var/cache/virga}
STEP=0
STEPS=${STEPS:-0}                # set by the script before its first step
WORK=                            # scratch folder, made by work_dir_make
OUTPUT_PART=                     # the unfinished output, beside the final name

# step TEXT... - announces the next step on stderr, for people and for `virga image build`.
step() {
    STEP=$((STEP + 1))
    printf 'step %d/%d: %s\n' "$STEP" "$STEPS" "$*" >&2
}

note() { printf '%s: %s\n' "$PROGRAM" "$*" >&2; }

# die TEXT... - ends with status 1: the recipe could not be carried out.
die() {
    note "$*"
    exit 1
}

# usage_error TEXT... - ends with status 2: the command line is wrong.
usage_error() {
    note "$*"
    printf "Try '%s --help'.\n" "$0" >&2
    exit 2
}

# need_tools "TOOL PACKAGE"... - every tool must be on PATH; names all missing packages at once.
need_tools() {
    local pair tool package missing=()
    for pair in "$@"; do
        read -r tool package <<<"$pair"
        command -v "$tool" >/dev/null || missing+=("$tool (package $package)")
    done
    [ ${#missing[@]} -eq 0 ] || die "missing tools:$(printf ' %s,' "${missing[@]}" | sed 's/,$//')"
}

need_root() { [ "$(id -u)" -eq 0 ] || die "must run as root: file owners in the image are kept"; }

need_amd64() {
    [ "$(dpkg --print-architecture)" = amd64 ] || die "builds x86_64 images and needs an amd64 host"
}

# work_dir_make - makes $WORK, removed at exit together with an unfinished output.
work_dir_make() {
    WORK=$(mktemp -d "${TMPDIR:-/tmp}/virga-image.XXXXXXXX")
    trap cleanup EXIT
    # A signal ends the script through `exit`, so that the EXIT trap runs once.
    trap 'note "interrupted"; exit 130' INT
    trap 'note "terminated"; exit 143' TERM HUP
}

cleanup() {
    local status=$?
    trap - EXIT
    trap '' INT TERM HUP
    if declare -F cleanup_more >/dev/null; then cleanup_more || true; fi
    [ -z "$OUTPUT_PART" ] || rm -f -- "$OUTPUT_PART"
    [ -z "$WORK" ] || rm -rf --one-file-system -- "$WORK"
    exit "$status"
}

# output_begin PATH - checks that PATH can be written and sets $OUTPUT_PART, a name beside it.
output_begin() {
    local folder
    folder=$(dirname -- "$1")
    [ -d "$folder" ] || die "$1: the folder $folder does not exist"
    [ -w "$folder" ] || die "$1: the folder $folder is not writable"
    [ ! -d "$1" ] || die "$1: is a folder"
    OUTPUT_PART=$(mktemp -- "$folder/.${1##*/}.XXXXXX")
}

# output_commit PATH - the finished $OUTPUT_PART takes its name in one step.
output_commit() {
    chmod 0644 -- "$OUTPUT_PART"
    sync -- "$OUTPUT_PART"
    mv -f -- "$OUTPUT_PART" "$1"
    OUTPUT_PART=
}

# run_logged COMMAND... - runs quietly; on failure shows the end of what it printed.
run_logged() {
    local log=$WORK/log
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 30 -- "$log" >&2
        die "failed: $*"
    fi
}
