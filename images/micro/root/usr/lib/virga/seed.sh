# seed.sh - reads the cloud-init NoCloud seed (a disk labelled cidata) and gives the machine the
# identity it names. Sourced by what reads it.

SEED=/run/seed                   # copies of the seed's files, and NAME.flat: see yaml.awk
STATE=/var/lib/virga             # on the disk: what was done for which instance-id

# seed_device - prints the disk or CD that holds the seed; fails if there is none.
seed_device() { findfs LABEL=cidata 2>/dev/null || findfs LABEL=CIDATA 2>/dev/null; }

# seed_read DEVICE - copies the seed's files to $SEED.
seed_read() {
    [ -d "$SEED" ] || mkdir -m 0700 "$SEED" /run/seed.mount
    mount -t iso9660 -o ro "$1" /run/seed.mount 2>/dev/null ||
        mount -t vfat -o ro "$1" /run/seed.mount 2>/dev/null || return 1
    cp /run/seed.mount/meta-data /run/seed.mount/user-data /run/seed.mount/network-config \
        "$SEED" 2>/dev/null
    umount /run/seed.mount
}

# seed_flatten NAME - makes $SEED/NAME.flat; nothing if the seed has no such file.
seed_flatten() { [ ! -f "$SEED/$1" ] || awk -f /usr/lib/virga/yaml.awk "$SEED/$1" >"$SEED/$1.flat"; }

user_data_is_cloud_config() {
    local first=
    [ -f "$SEED/user-data" ] && read -r first <"$SEED/user-data"
    case $first in '#cloud-config'*) return 0 ;; esac
    return 1
}

# Adds the ssh keys of a flattened file, given by the prefix of their path, to $keys.
seed_keys() {
    local path value
    [ -f "$1" ] || return 0
    while IFS='	' read -r path value; do
        case $path in
        "$2"/*) case $value in ssh-* | ecdsa-* | sk-*) keys="$keys$value
" ;; esac ;;
        esac
    done <"$1"
}

# seed_first FILE PATH - prints the first value at one of the paths in a flattened file.
seed_first() {
    local path value
    [ -f "$1" ] || return 1
    while IFS='	' read -r path value; do
        [ "$path" = "$2" ] && { printf '%s' "$value"; return 0; }
    done <"$1"
    return 1
}

is_hostname() { case $1 in '' | *[!A-Za-z0-9.-]* | [.-]*) return 1 ;; esac; }

# What belongs to one instance and must not be shared with a clone of its disk.
new_identity() {
    local key a b c d e
    for key in /etc/dropbear/*_host_key; do
        [ ! -e "$key" ] || rm -f "$key"
    done
    IFS=- read -r a b c d e </proc/sys/kernel/random/uuid
    echo "$a$b$c$d$e" >/etc/machine-id
    echo "$instance_id" >"$STATE/instance-id"
}

set_hostname() {
    local old= short=${1%%.*}
    [ -f /etc/hostname ] && read -r old </etc/hostname
    if [ "$old" != "$1" ]; then
        echo "$1" >/etc/hostname
        {
            echo "127.0.0.1 localhost"
            echo "::1 localhost ip6-localhost ip6-loopback"
            if [ "$1" = "$short" ]; then echo "127.0.1.1 $1"; else echo "127.0.1.1 $1 $short"; fi
        } >/etc/hosts
    fi
    echo "$short" >/proc/sys/kernel/hostname
}

# Adds the keys the seed names and leaves the others alone.
add_keys() {
    local file=/root/.ssh/authorized_keys key have="
"
    [ -d /root/.ssh ] || mkdir -m 0700 /root/.ssh
    if [ -f $file ]; then
        while read -r key; do have="$have$key
"; done <$file
    fi
    umask 077
    while read -r key; do
        case $have in *"
$key
"*) ;; *) echo "$key" >>$file ;; esac
    done <<KEYS
${keys%?}
KEYS
    umask 022
}

# seed_apply DEVICE - reads the seed, if there is one, and makes the machine the instance it names.
seed_apply() {
    local instance_id= name= old_id= keys=
    [ -f "$STATE/instance-id" ] && read -r old_id <"$STATE/instance-id"
    if [ -n "$1" ] && seed_read "$1"; then
        seed_flatten meta-data
        seed_flatten network-config
        if user_data_is_cloud_config; then seed_flatten user-data; fi
        instance_id=$(seed_first "$SEED/meta-data.flat" instance-id)
        name=$(seed_first "$SEED/user-data.flat" hostname ||
            seed_first "$SEED/meta-data.flat" local-hostname ||
            seed_first "$SEED/meta-data.flat" hostname)
        seed_keys "$SEED/meta-data.flat" public-keys
        seed_keys "$SEED/meta-data.flat" public_keys
        seed_keys "$SEED/user-data.flat" ssh_authorized_keys
    fi
    : "${instance_id:=${old_id:-none}}"
    [ "$instance_id" = "$old_id" ] || new_identity
    is_hostname "$name" || { [ -f /etc/hostname ] && read -r name </etc/hostname; }
    set_hostname "${name:-micro}"
    [ -z "$keys" ] || add_keys
}
