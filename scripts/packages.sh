# scripts/packages.sh - installs what building, running or testing needs, on Debian 12 and 13.
# Sourced by check and quickstart. Says what it does; does nothing when all is there.

packages_build="gcc meson ninja-build pkgconf libsystemd-dev libmicrohttpd-dev libgnutls28-dev
    libwslay-dev libjansson-dev libsqlite3-dev libcurl4-gnutls-dev libmnl-dev libnftables-dev
    libarchive-dev libzstd-dev libyaml-dev libglib2.0-dev libncurses-dev libcrypt-dev libcmocka-dev"
packages_run="tzdata qemu-system-x86 qemu-utils ovmf seabios dnsmasq-base haproxy nftables
    iproute2 curl
    ca-certificates e2fsprogs openssh-client"
packages_images="busybox-static dropbear-bin debootstrap dosfstools mtools fdisk cpio
    xz-utils zstd lz4 grub-pc-bin grub-efi-amd64-bin genisoimage"
packages_test="jq socat python3 python3-jsonschema openssl procps git"

# install_packages PACKAGE...: those that are not installed yet, without recommended ones and
# without starting any service.
install_packages() {
    local missing=() package policy=/usr/sbin/policy-rc.d made=
    for package; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "these packages are missing: ${missing[*]}" >&2
        echo "run this with sudo, or install them yourself" >&2
        return 1
    fi
    echo "installing ${#missing[@]} packages: ${missing[*]}"
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy" && made=1
    fi
    local log result=0
    log=$(mktemp)
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}"; } > "$log" 2>&1 || result=$?
    [ -z "$made" ] || rm -f "$policy"
    [ "$result" = 0 ] || tail -20 "$log" >&2
    rm -f "$log"
    return "$result"
}
