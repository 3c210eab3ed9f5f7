#!/bin/sh
# man_page.sh TEMPLATE PROGRAM - prints the manual page TEMPLATE; the lines .\" commands and
# .\" settings give way to what PROGRAM's own help says, so that neither can be out of date.
set -eu
template=$1 program=$2

escape() { sed 's/\\/\\e/g; s/-/\\-/g; s/^\([.'"'"']\)/\\\&\1/'; }

# "  image import     Make an image" -> the help of each, as it stands
commands() {
    "$program" --help | sed -n 's/^  \([a-z][a-z -]*[a-z]\)   *[A-Z].*/\1/p' | while read -r name; do
        printf '.SS "virga %s"\n.nf\n' "$name"
        # shellcheck disable=SC2086 # "image import" is two words
        "$program" $name --help | sed 's/^usage: //' | escape
        printf '.fi\n'
    done
}

# "  --listen           address and port [127.0.0.1:7443]" -> a tagged paragraph
settings() {
    "$program" --help | sed -n 's/^  --\([a-z-]*\)  *\([a-z].*\)/\1|\2/p' | while IFS='|' read -r key text; do
        printf '.TP\n.B %s\n%s\n' "$(printf '%s\n' "$key" | escape)" "$(printf '%s\n' "$text" | escape)"
    done
}

while IFS= read -r line; do
    case $line in
    '.\" commands') commands ;;
    '.\" settings') settings ;;
    *) printf '%s\n' "$line" ;;
    esac
done < "$template"
