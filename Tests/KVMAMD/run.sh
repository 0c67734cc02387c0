#!/bin/sh
# Runs a script on Debian's kernel 6.12 with the real kvm_amd, on an emulated EPYC with SVM.
#   run.sh FOLDER SCRIPT FILE…
# FOLDER is what prepare.sh has filled. The files are those of initramfs.sh. What the script
# prints goes to stdout; the exit status is the script's, or 5 where the machine did not run it.
set -e
here=$(dirname "$(realpath "$0")")
folder=$(realpath -m "$1") script=$2
shift 2
sh "$here/initramfs.sh" "$folder/initramfs" "$folder/kernel" "$script" "$@"

# Several times what all of it takes on two idle processors.
seconds=${SEVDBG_KVM_AMD_SECONDS:-360}

# One processor: with more, one run in twelve of qemu's emulation loses a VMCB. On a busy machine
# the emulated timer is too slow for the kernel's check of it.
boot() {
    timeout -s KILL "$seconds" \
        qemu-system-x86_64 -machine q35 -accel tcg -cpu EPYC,+svm -smp 1 -m 1024 \
        -display none -nodefaults -serial stdio -no-reboot \
        -kernel "$folder"/kernel/boot/vmlinuz-* -initrd "$folder/initramfs" \
        -append "console=ttyS0 quiet panic=-1 no_timer_check" < /dev/null 2> "$folder/errors" \
        | tr -d '\r' | tee "$folder/output"
}

# Says that the machine did not do its part, on a machine that may be too busy for it.
complain() {
    grep -v "TCG doesn't support" "$folder/errors" >&2 || true
    echo "the emulated machine $1 within $seconds seconds; the load here is" \
        "$(cut -d ' ' -f 1-3 /proc/loadavg)" >&2
}

boot
# A machine that does not come to its init says nothing of what is tested.
if ! grep -q '^started$' "$folder/output"; then
    complain "did not start"
    echo "once more" >&2
    boot
fi
grep -q '^started$' "$folder/output" || { complain "did not start"; exit 5; }
status=$(sed -n 's/^status \([0-9]*\)$/\1/p' "$folder/output")
[ -n "$status" ] || { complain "did not come to the end of $script"; exit 5; }
exit "$status"
