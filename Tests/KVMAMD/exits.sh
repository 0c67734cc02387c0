# `sevdbg attach` on kvm_amd: guest memory from KVM's slots, and stops at exits that tracepoints show.
# Runs inside; see run.sh.
. /with-vmm

sevdbg attach $vmm -e "info memory" -e "break vmgexit port=0x100" -e continue -e continue \
    -e "delete 1" -e "vmgexit msr=0xc0000080 3" -e "info registers rip" \
    > /tmp/said 2> /tmp/errors || failures=$((failures + 1))
expect "memory is where KVM's slots are" "Guest memory by: KVM's memory slots"
expect "a port access stops" 'breakpoint 1, [OI][UN]T* port 0x100, 4 bytes'
expect "RDMSR stops behind itself" 'RDMSR 0xc0000080'
expect "the register is shown" 'rip  *0x10055 '

finish
