#!/bin/sh
# Installs the missing ones of some Debian packages.
#   install.sh PACKAGE…
# Where that is not possible, the last line on stderr says why, or what to do.
missing=
for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' \
        || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null; then as='sudo -n'; else
    echo "missing packages; run: sudo apt-get install -y$missing" >&2
    exit 1
fi
$as apt-get update -qq >&2
# shellcheck disable=SC2086 # both are lists
$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >&2
