#!/bin/bash
# install/test_install.sh BUILD - "meson install" with DESTDIR puts everything in its place, and what
# is installed finds its parts there.
set -u
build=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failed=0

fail() { echo "FAILED: $*" >&2; failed=1; }

prefix=$(meson introspect "$build" --buildoptions |
    python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')
DESTDIR=$root meson install -C "$build" --no-rebuild > "$root/log" 2>&1 || { cat "$root/log"; exit 1; }
there=$root$prefix

for file in bin/virga sbin/virgad libexec/virga/virga-import lib/systemd/system/virgad.service \
    share/man/man1/virga.1 share/man/man8/virgad.8 share/bash-completion/completions/virga \
    share/virga/images/micro/build share/virga/images/debian-12/build share/virga/images/lib/common.sh \
    share/doc/virga/examples/instance.yaml; do
    [ -f "$there/$file" ] || fail "$file is not installed"
done
for file in bin/virga sbin/virgad libexec/virga/virga-import share/virga/images/micro/build; do
    [ -x "$there/$file" ] || fail "$file cannot be executed"
done

# The programs run from there, and the client finds the recipes beside it.
"$there/bin/virga" version > /dev/null || fail "virga does not run"
"$there/sbin/virgad" --version > /dev/null || fail "virgad does not run"
"$there/share/virga/images/micro/build" --help > /dev/null || fail "the recipe of micro does not run"
"$there/bin/virga" image build no-such-recipe 2>&1 | grep -q 'no recipe "no-such-recipe"' ||
    fail "virga image build does not tell of a recipe that is missing"

# The unit: it starts what is installed, and stopping it ends the daemon only.
unit=$there/lib/systemd/system/virgad.service
grep -qx "ExecStart=$prefix/sbin/virgad" "$unit" || fail "the unit does not start $prefix/sbin/virgad"
grep -qx 'KillMode=process' "$unit" || fail "the unit ends machines with the daemon"
grep -qE '^(Private|Protect(System|Home|Kernel|Control)|ReadOnly|InaccessiblePaths|TemporaryFile)' "$unit" &&
    fail "the unit has a mount namespace, which hides networks from the next daemon"
if command -v systemd-analyze > /dev/null; then
    # Only what it says of the unit itself: nothing else is installed below the root.
    sed "s|$prefix/sbin/virgad|/bin/true|; s|^Documentation=.*||" "$unit" > "$root/virgad.service"
    complaint=$(SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$root/virgad.service" 2>&1 |
        grep -F "$root/virgad.service")
    [ -z "$complaint" ] || fail "systemd: $complaint"
fi

# The pages: every command and every setting has its place in them.
for command in 'virga run' 'virga image import' 'virga completion'; do
    grep -qF "\"$command\"" "$there/share/man/man1/virga.1" || fail "virga(1) does not know $command"
done
grep -qx '.B state\\-dir' "$there/share/man/man8/virgad.8" || fail "virgad(8) does not know state-dir"
for page in "$there"/share/man/man?/*; do
    ! command -v groff > /dev/null ||
        complaint=$(groff -man -Tutf8 -ww "$page" 2>&1 > /dev/null) && [ -z "${complaint:-}" ] ||
        fail "groff: $page: $complaint"
done

# The completion: bash reads it and completes.
words=$(bash -c ". '$there/share/bash-completion/completions/virga'
    COMP_WORDS=(virga ru) COMP_CWORD=1; _virga_all; echo \"\${COMPREPLY[*]}\"")
[ "$words" = run ] || fail "completing \"ru\" gave \"$words\""

[ "$failed" = 0 ] && echo "passed"
exit "$failed"
