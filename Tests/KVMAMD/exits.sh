# `sevdbg attach` on kvm_amd: guest memory from KVM's slots, and stops at exits that tracepoints show.
# Runs inside; see run.sh.
failures=0

# Says whether what was printed contains a pattern.
expect() {
    if grep -q "$2" /tmp/said; then echo "ok: $1"; else
        echo "FAILED: $1"
        failures=$((failures + 1))
    fi
}

strict-vmm > /tmp/vmm &
vmm=$!
tries=0
until grep -q running /tmp/vmm || [ $((tries += 1)) -gt 300 ]; do sleep 0.1; done

sevdbg attach $vmm -e "info memory" -e "break vmgexit port=0x100" -e continue -e continue \
    -e "delete 1" -e "vmgexit msr=0xc0000080 3" -e "info registers rip" \
    > /tmp/said 2> /tmp/errors || failures=$((failures + 1))
expect "memory is where KVM's slots are" "Guest memory by: KVM's memory slots"
expect "a port access stops" 'breakpoint 1, [OI][UN]T* port 0x100, 4 bytes'
expect "RDMSR stops behind itself" 'RDMSR 0xc0000080'
expect "the register is shown" 'rip  *0x10055 '

kill $vmm
wait $vmm || { echo "FAILED: the VMM saw irregularities"; failures=$((failures + 1)); }
[ $failures = 0 ] || cat /tmp/said /tmp/errors /tmp/vmm
exit $failures
