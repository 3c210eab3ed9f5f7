#!/bin/bash
# Prints the kubectl programs there are to test with, one "VERSION PATH" a line:
#
#   the one on PATH; the one of this Debian release; one of 1.30 or later.
#
# Those of Debian are fetched with apt-get and unpacked below $VIRGA_CACHE (default
# /var/cache/virga), never installed. Where this release has only an old one, the package of trixie
# is fetched through a temporary sources list made from the machine's own.
set -u
cache=${VIRGA_CACHE:-/var/cache/virga}/kubectl
mkdir -p "$cache" 2>/dev/null || { cache=${TMPDIR:-/tmp}/virga-kubectl; mkdir -p "$cache"; }

version_of() {
    "$1" version --client -o json 2>/dev/null | sed -n 's/.*"gitVersion": *"v\([0-9.]*\).*/\1/p' | head -1
}

is_recent() { [ "$(printf '%s\n1.30\n' "$1" | sort -V | head -1)" = 1.30 ]; }

tell() { # PATH
    local version
    version=$(version_of "$1")
    [ -n "$version" ] && echo "$version $1"
}

# Fetches the release's kubectl into $cache/RELEASE with the given apt options, once. The program is
# in kubernetes-client up to bookworm, in kubectl from trixie on.
fetch() { # RELEASE APT-OPTION...
    local name=$1 package
    shift
    for package in kubernetes-client kubectl; do
        [ -x "$cache/$name/usr/bin/kubectl" ] && break
        mkdir -p "$cache/$name" &&
            (cd "$cache/$name" && apt-get "$@" download "$package/$name" >/dev/null 2>&1 &&
                dpkg -x "$package"_*.deb . && rm -f ./*.deb)
    done
    [ -x "$cache/$name/usr/bin/kubectl" ] && tell "$cache/$name/usr/bin/kubectl"
}

# The machine's own sources with the suite's name replaced, so that no host is named here.
fetch_of_release() { # RELEASE
    local from to=$1 lists=$cache/$1-apt
    from=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mkdir -p "$lists/lists/partial" "$lists/parts"
    if [ -f /etc/apt/sources.list.d/debian.sources ]; then
        sed "s/\b$from\b/$to/g" /etc/apt/sources.list.d/debian.sources >"$lists/parts/$to.sources"
    else
        sed -n "s/\b$from\b/$to/gp" /etc/apt/sources.list >"$lists/parts/$to.list"
    fi
    local options=(-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$lists/parts"
        -o "Dir::State::Lists=$lists/lists" -o APT::Get::List-Cleanup=0)
    if [ ! -x "$cache/$to/usr/bin/kubectl" ]; then
        apt-get "${options[@]}" update >/dev/null 2>&1
    fi
    fetch "$to" "${options[@]}"
}

release=$(. /etc/os-release && echo "$VERSION_CODENAME")
found=$({
    on_path=$(command -v kubectl) && tell "$on_path"
    fetch "$release"
})
has_recent=no
while read -r version _; do
    [ -n "$version" ] && is_recent "$version" && has_recent=yes
done <<<"$found"
[ "$has_recent" = yes ] && [ "$release" != bookworm ] || found+=$'\n'$(fetch_of_release trixie)
printf '%s\n' "$found" | grep . | sort -u -k1,1 -V
