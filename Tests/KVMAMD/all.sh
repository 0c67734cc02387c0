# All that is tested on kvm_amd: the scripts that lie in /, and the rules that all machines keep.
# Runs inside; see run.sh.
failures=0
for script in /*.sh; do sh $script || failures=$((failures + 1)); done

# Where there is no KVM, the rules would be looked at on the emulator alone.
sevdbg doctor --selftest > /tmp/selftest || failures=$((failures + 1))
cat /tmp/selftest
grep -q '^--machine kvm  *to be had' /tmp/selftest && [ -d /sys/module/kvm_amd ] \
    || { echo "FAILED: there is no kvm_amd"; failures=$((failures + 1)); }
exit $failures
