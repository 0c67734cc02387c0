# `sevdbg attach` on kvm_amd, where the trap flag of a step is the guest's own: steps, breakpoints,
# memory, detaching and dying debuggers, and the VMM notices nothing of it. Runs inside; see run.sh.
. /with-vmm

fail() {
    echo "FAILED: $1"
    tail -n 20 /tmp/output
    failures=$((failures + 1))
}

# Attaches and runs commands, one an argument; what is printed goes to /tmp/output.
attach() {
    for command in "$@"; do set -- "$@" -e "$command"; shift; done
    timeout 60 sevdbg attach $vmm "$@" > /tmp/output 2>&1 || fail "status $? of: $*"
}

# Says whether so many lines of the output have a pattern.
expect() {
    count=$(grep -c "$3" /tmp/output)
    if [ "$count" -eq "$2" ]; then echo "ok: $1"; else fail "$1: $count lines with $3"; fi
}

attach "info registers rip" 'print $cr3' 'print $msr_c0000080' 'x/1xg 0x4008'
expect "registers are read" 3 '^rip \|^$1 = 0x1000$\|^$2 = 0x500$'
expect "memory is read" 1 '0x4008:.*0x00af9b000000ffff'

attach "break *0x10000" continue delete "stepi 156"
expect "a round has as many instructions as it has" 2 '^=> 0x10000:'

attach "break *0x1003e" continue continue "stepi 2"
expect "a breakpoint behind an exit stops there, each time" 2 '^=> 0x1003e:'
expect "steps go over exits" 1 '^=> 0x10042:'

attach "break *0x10055" continue "stepi 12" 'print $eflags' "stepi 3" "stepi"
expect "steps go over PUSHF, POPF and IRETQ" 1 '^=> 0x10070:'
expect "and on" 2 '^=> 0x10075:\|^=> 0x10000:'

for place in 0x10005 0x10042 0x10055 0x10058 0x1005d 0x10070; do set -- "$@" "break *$place"; done
attach "$@" continue continue continue
expect "any number of breakpoints" 3 ': breakpoint '
set --

for cycle in 1 2 3 4 5 6 7 8 9 10; do attach "stepi" "vcpu 1" "stepi 100"; done
expect "again and again" 1 'left running: 101 instructions'

tracer() { sed -n 's/^TracerPid:.\([1-9].*\)/\1/p' /proc/$vmm/task/*/status | head -n 1; }

# Waits until a tracer is there, or none is.
wait_for_tracer() {
    tries=0
    until [ "$([ "$(tracer)" ] && echo traced)" = "$1" ]; do
        [ $((tries += 1)) -gt 300 ] && fail "the VMM is not ${1:-free}" && break
        sleep 0.1
    done
}

# Dying in the middle of steps.
for victim in debugger tracer; do
    for cycle in 1 2 3 4 5 6; do
        sevdbg attach $vmm -e "stepi 100000000" > /tmp/output 2>&1 &
        debugger=$!
        wait_for_tracer traced
        sleep 0.$cycle
        [ $victim = debugger ] && process=$debugger || process=$(tracer)
        kill -9 $process
        wait $debugger
        wait_for_tracer ""
    done
done
attach "stepi 1000"
expect "after killed ones" 1 'left running: 1000 instructions'

before=$(kill -USR1 $vmm; sleep 1; tail -n 1 /tmp/vmm)
kill -USR1 $vmm; sleep 1
[ "$before" != "$(tail -n 1 /tmp/vmm)" ] || fail "the guest does not go on"
# Ends the VMM, which must have noticed nothing.
end_vmm() {
    kill $vmm
    wait $vmm || fail "the VMM saw irregularities"
    cat /tmp/vmm
}
end_vmm

# vCPUs on one thread, threads that wait for each other, and a VMM that steps its guest itself.
for mode in --turns --alternate --debug; do
    start_vmm $mode
    attach "stepi 200" "vcpu 1" 'print $cr3' "stepi 200"
    expect "$mode: both are stepped" 2 '400 instructions\|^$1 = 0x1000$'
    end_vmm
done
exit $failures
