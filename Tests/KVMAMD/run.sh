#!/bin/sh
# Runs a script on Debian's kernel 6.12 with the real kvm_amd, on an emulated EPYC with SVM.
#   run.sh FOLDER SCRIPT FILE…
# FOLDER keeps the kernel, which is fetched once. The files are those of initramfs.sh. What the
# script prints goes to stdout; the exit status is the script's, or 5 where the machine did not run it.
set -e
here=$(dirname "$(realpath "$0")")
folder=$(realpath -m "$1") script=$2
shift 2

if ! [ -e "$folder/kernel/boot" ]; then
    mkdir -p "$folder/kernel"
    package=$(apt-cache depends linux-image-6.12-cloud-amd64 \
        | sed -n 's/.*Depends: \(linux-image-6[^ ]*\)$/\1/p' | head -n 1)
    [ -n "$package" ] || { echo "apt has no linux-image-6.12-cloud-amd64" >&2; exit 5; }
    (cd "$folder" && apt-get download -qq "$package" 2>/dev/null)
    dpkg-deb -x "$folder/$package"_*.deb "$folder/kernel"
fi
sh "$here/initramfs.sh" "$folder/initramfs" "$folder/kernel" "$script" "$@"

# One processor: with more, one run in twelve of qemu's emulation loses a VMCB. On a busy machine
# the emulated timer is too slow for the kernel's check of it.
timeout -s KILL "${SEVDBG_KVM_AMD_SECONDS:-300}" \
    qemu-system-x86_64 -machine q35 -accel tcg -cpu EPYC,+svm -smp 1 -m 1024 \
    -display none -nodefaults -serial stdio -no-reboot \
    -kernel "$folder"/kernel/boot/vmlinuz-* -initrd "$folder/initramfs" \
    -append "console=ttyS0 quiet panic=-1 no_timer_check" < /dev/null | tr -d '\r' | tee "$folder/output"
exit "$(sed -n 's/^status \([0-9]*\)$/\1/p' "$folder/output" | grep . || echo 5)"
