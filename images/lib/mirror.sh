# lib/mirror.sh - the Debian mirror of the host, read from its own apt configuration.

# mirror_find LABEL - prints the address of the first repository that calls itself LABEL (Debian or
# Debian-Security); nothing if the host has none.
mirror_find() {
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -F '|' -v label="$1" '$1 == "Debian" && $2 == label && $3 == "main" { print $4; exit }' |
        sed 's|/*$||'
}

# mirror_detect - sets $MIRROR and $SECURITY_MIRROR (may be empty), fetching the host's package lists
# if it never did.
mirror_detect() {
    MIRROR=${MIRROR:-$(mirror_find Debian)}
    if [ -z "$MIRROR" ]; then
        run_logged apt-get update
        MIRROR=$(mirror_find Debian)
    fi
    [ -n "$MIRROR" ] || die "no Debian mirror in the apt configuration of this host: give --mirror URL"
    SECURITY_MIRROR=$(mirror_find Debian-Security)
}

# mirror_sources SUITE - prints the sources of the image in the deb822 format.
mirror_sources() {
    printf 'Types: deb\nURIs: %s\nSuites: %s %s-updates\nComponents: main\n' "$MIRROR" "$1" "$1"
    printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n'
    [ -n "$SECURITY_MIRROR" ] || return 0
    printf '\nTypes: deb\nURIs: %s\nSuites: %s-security\nComponents: main\n' "$SECURITY_MIRROR" "$1"
    printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n'
}

# mirror_access_options - prints what the host needs to reach its mirror (proxy, age checks), as an
# apt configuration for the time of the build.
mirror_access_options() {
    apt-config dump | grep -E '^Acquire::((https?|ftp)(::[^:]+)?::Proxy|Check-Valid-Until|Check-Date|Retries|ForceIPv[46]) ' || true
}
