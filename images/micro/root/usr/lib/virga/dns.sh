# dns.sh - the name servers of all interfaces together. Sourced.

# join_dns - makes resolv.conf of what each interface learned, without starting a process.
join_dns() {
    local file line
    for file in /run/network/*.dns; do
        while read -r line; do echo "$line"; done <"$file"
    done >/run/resolv.conf
}
