# lib/packages.sh - Debian packages without installing them: resolved and verified by the host's
# apt from its own configured mirror, kept in $CACHE/archives, unpacked into a folder.

APT_OPTIONS=()

# packages_setup - prepares apt to resolve as if nothing were installed. Needs $WORK.
packages_setup() {
    mkdir -p "$CACHE/archives/partial" || die "$CACHE: cannot be made"
    : >"$WORK/no-packages"
    APT_OPTIONS=(
        -o "Dir::State::status=$WORK/no-packages"
        -o "Dir::Cache::archives=$CACHE/archives"
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
        -o Debug::NoLocking=1
        -o APT::Sandbox::User=root
        -o APT::Install-Recommends=false
        -o Acquire::Retries=3
        -o DPkg::Pre-Install-Pkgs::= -o APT::Keep-Downloaded-Packages=true
    )
    # A fresh machine may never have fetched the package lists.
    apt-cache "${APT_OPTIONS[@]}" show busybox-static >/dev/null 2>&1 && return
    run_logged apt-get update
    apt-cache "${APT_OPTIONS[@]}" show busybox-static >/dev/null 2>&1 ||
        die "apt knows no package busybox-static: is a Debian mirror configured?"
}

# packages_fetch PACKAGE... - downloads the packages and all they depend on; prints one .deb path
# per line. What the cache already has is not fetched again.
packages_fetch() {
    local plan name version arch file
    plan=$(apt-get "${APT_OPTIONS[@]}" -s install -y "$@" 2>"$WORK/apt.log") || {
        cat "$WORK/apt.log" >&2
        die "apt cannot resolve: $*"
    }
    apt-get "${APT_OPTIONS[@]}" install -y --download-only "$@" >"$WORK/apt.log" 2>&1 || {
        tail -n 20 "$WORK/apt.log" >&2
        die "apt cannot download: $*"
    }
    # Inst NAME (VERSION ORIGIN [ARCH])
    sed -nE 's/^Inst ([^ ]+) \(([^ ]+) .*\[([a-z0-9]+)\]\).*/\1 \2 \3/p' <<<"$plan" |
        while read -r name version arch; do
            file=$CACHE/archives/${name}_${version//:/%3a}_$arch.deb
            [ -f "$file" ] || die "$file: apt did not download it"
            printf '%s\n' "$file"
        done
}

# packages_only NAME-PATTERN < LIST - picks the .deb paths whose package name matches.
packages_only() { grep -E "/($1)_[^/]*\$"; }

# packages_unpack FOLDER < LIST - unpacks the listed .deb files, without running their scripts.
packages_unpack() {
    local deb
    mkdir -p "$1"
    while read -r deb; do
        dpkg-deb -x "$deb" "$1" || die "$deb: cannot be unpacked"
    done
}

# package_fetch_alone PACKAGE - downloads one package without its dependencies; prints its path.
package_fetch_alone() {
    local record file
    record=$(apt-cache "${APT_OPTIONS[@]}" show --no-all-versions "$1" 2>"$WORK/apt.log") || {
        cat "$WORK/apt.log" >&2
        die "apt knows no package $1"
    }
    file=$1_$(package_field Version <<<"$record")_$(package_field Architecture <<<"$record").deb
    file=$CACHE/archives/${file//:/%3a}
    if [ ! -f "$file" ]; then
        (cd "$CACHE/archives" && apt-get "${APT_OPTIONS[@]}" download "$1") >"$WORK/apt.log" 2>&1 || {
            cat "$WORK/apt.log" >&2
            die "apt cannot download $1"
        }
    fi
    [ -f "$file" ] || die "$file: apt did not download it"
    printf '%s\n' "$file"
}

# package_field NAME < RECORD - prints a field of a package record.
package_field() { sed -n "s/^$1: //p" | head -n 1; }

# package_first_dependency PACKAGE PATTERN - the dependency of the newest PACKAGE that matches.
package_first_dependency() {
    apt-cache "${APT_OPTIONS[@]}" show --no-all-versions "$1" |
        sed -n 's/^Depends: //p' | tr ',' '\n' | sed 's/ *(.*//; s/^ *//' | grep -m1 -E "^$2\$" ||
        die "package $1 depends on nothing like $2"
}
