# `--machine kvm` on kvm_amd: what stops a vCPU there, and guests that end as on the emulator.
# Runs inside; see run.sh.
failures=0

sevdbg doctor > /tmp/doctor
grep "KVM stops" /tmp/doctor
# QEMU's TCG has neither DR7 nor an intercept of INT3 for a nested guest.
grep -q "KVM stops  *single step, HLT; not hardware breakpoint: [A-Z_]*; not INT3: [A-Z_]*$" /tmp/doctor || {
    echo "FAILED: other ways to stop"
    failures=$((failures + 1))
}

for guest in hello cpuid spin; do
    for machine in emulator kvm; do
        sevdbg launch $guest --args 500 --machine $machine --batch -e continue > /tmp/run || echo "status $?"
        grep '^\[guest' /tmp/run > /tmp/$machine
    done
    if grep -q returned /tmp/kvm && cmp -s /tmp/emulator /tmp/kvm; then echo "ok: $guest $(cat /tmp/kvm)"; else
        echo "FAILED: $guest"
        failures=$((failures + 1))
    fi
done

# The same lines in whatever order.
lines() { sevdbg launch smp --vcpus 3 "$@" --batch -e continue | grep '^vCPU 0x' | sort; }
lines > /tmp/emulator
lines --machine kvm --schedule threads > /tmp/kvm
if [ -s /tmp/kvm ] && cmp -s /tmp/emulator /tmp/kvm; then echo "ok: smp, on threads"; else
    echo "FAILED: smp, on threads"
    failures=$((failures + 1))
fi
exit $failures
