#!/bin/sh
# Makes an initramfs for Debian's kernel: busybox, kvm_amd, programs with their libraries, a script.
#   initramfs.sh OUTPUT KERNEL-TREE SCRIPT PROGRAM…
# A program becomes /bin/NAME; a file that is no program may be given too, and becomes /NAME.
# The script runs as root with /dev/kvm, BPF, tracefs and every other file system mounted.
set -e
output=$(realpath -m "$1") tree=$2 script=$3
shift 3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/modules"

# Copies a file to where it lies on this machine.
same_place() {
    mkdir -p "$root$(dirname "$1")"
    cp -L "$1" "$root$1"
}

for file in "$@"; do
    if [ -x "$file" ]; then
        cp -L "$file" "$root/bin/"
        for library in $(ldd "$file" 2>/dev/null | grep -o '/[^ )]*'); do same_place "$library"; done
    else
        cp -L "$file" "$root/"
    fi
done
# libbpf is opened by name, so ldd does not know of it.
for library in $(ldconfig -p | grep -m 1 -o '/.*/libbpf\.so\.1$'); do
    same_place "$library"
    for other in $(ldd "$library" | grep -o '/[^ )]*'); do same_place "$other"; done
done

number=1
for module in virt/lib/irqbypass arch/x86/kvm/kvm drivers/crypto/ccp/ccp arch/x86/kvm/kvm-amd; do
    for file in "$tree"/lib/modules/*/kernel/$module.ko.xz; do
        [ -e "$file" ] && xz -dc "$file" > "$root/modules/$number-$(basename "$module").ko"
    done
    number=$((number + 1))
done

cp "$(command -v busybox)" "$root/bin/busybox"
cp "$script" "$root/test"
cat > "$root/init" <<'END'
#!/bin/sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /dev /proc /sys /tmp
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tracefs none /sys/kernel/tracing
mount -t bpf none /sys/fs/bpf
for module in /modules/*.ko; do insmod $module; done
echo started
sh /test
echo "status $?"
poweroff -f
END
ln -s busybox "$root/bin/sh"
chmod +x "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc) | gzip -1 > "$output"
