#!/bin/sh
# Gets what run.sh needs: qemu, busybox, and Debian's kernel 6.12, unpacked in FOLDER/kernel.
#   prepare.sh FOLDER
# Where that is not possible, the last line on stderr says why.
set -e
trap 'echo "apt takes too long" >&2; exit 1' TERM
folder=$(realpath -m "$1")
name=linux-image-6.12-cloud-amd64
sh "$(dirname "$0")/../install.sh" qemu-system-x86 busybox-static cpio xz-utils
[ -e "$folder/kernel/boot" ] && exit

# The package with the kernel that the name stands for.
package() {
    apt-cache depends "$name" 2>/dev/null \
        | sed -n 's/.*Depends: \(linux-image-6[^ ]*\)$/\1/p' | head -n 1
}

# A machine that has never asked its mirrors knows of no package.
[ -n "$(package)" ] || apt-get update -qq >&2 || sudo -n apt-get update -qq >&2 || true
package=$(package)
[ -n "$package" ] || { echo "apt does not know $name" >&2; exit 1; }
mkdir -p "$folder"
download=$(mktemp -d "$folder/download.XXXXXX")
trap 'rm -rf "$download"' EXIT
(cd "$download" && apt-get download -qq "$package" >&2) \
    || { echo "apt cannot fetch $package" >&2; exit 1; }
dpkg-deb -x "$download"/*.deb "$download/kernel"
rm -rf "$folder/kernel"
mv "$download/kernel" "$folder/kernel"
