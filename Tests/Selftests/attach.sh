#!/bin/sh
# The kernel's own KVM selftests still pass while sevdbg attaches to them, steps, and leaves, all the time.
#   attach.sh FOLDER SEVDBG
# FOLDER keeps the tests, which are built once from Debian's package linux-source-6.12; without it,
# or without /dev/kvm, they are left out with status 0 and the reason.
set -e
folder=$(realpath -m "$1") sevdbg=$(realpath "$2")
source=$(ls /usr/src/linux-source-6.12.tar.xz 2>/dev/null || true)
tests="sync_regs_test userspace_msr_exit_test"

leave_out() {
    echo "selftests while attached: left out, $1"
    exit 0
}

[ -w /dev/kvm ] || leave_out "needs /dev/kvm"
[ -n "$source" ] || leave_out "needs linux-source-6.12 (apt-get install linux-source-6.12 rsync)"
command -v rsync > /dev/null || leave_out "needs rsync"

tree=$folder/linux-source-6.12
place=$tree/tools/testing/selftests/kvm
if ! [ -e "$folder/built" ]; then
    mkdir -p "$folder"
    (cd "$folder" && for part in tools include arch/x86 scripts Makefile usr/include usr/Makefile Kbuild virt; do
        echo linux-source-6.12/$part
    done | tar -xf "$source" -T -)
    make -C "$tree" headers_install ARCH=x86 > "$folder/log" 2>&1
    for test in $tests; do
        make -C "$place" ARCH=x86 "$place/x86_64/$test" >> "$folder/log" 2>&1
    done
    touch "$folder/built"
fi

# Attaches to each process of a test that has a vCPU; it waits for that.
look() {
    for process in $(pidof "$place/x86_64/$1" || true); do
        ls -l /proc/$process/fd 2> /dev/null | grep -q kvm-vcpu || continue
        timeout 20 "$sevdbg" attach $process -e "stepi 20" -e "info registers rip" \
            > "$folder/attached" 2>&1 && attached=$((attached + 1))
    done
}

cc -O2 -Wall -Wextra -shared -fPIC -o "$folder/await-tracer.so" "$(dirname "$0")/await-tracer.c"

# Runs a test until so many attaches came in time; the harness gives each of its cases a process.
attack() {
    test=$1 wanted=$2 attached=0 runs=0
    while [ $attached -lt $wanted ]; do
        [ $((runs += 1)) -le 30 ] || { echo "$test was over before it could be attached to"; exit 1; }
        LD_PRELOAD=$folder/await-tracer.so timeout -s KILL 120 "$place/x86_64/$test" > "$folder/output" 2>&1 &
        running=$!
        while kill -0 $running 2> /dev/null; do look $test; done
        wait $running || {
            echo "$test FAILED while attached:"
            grep -v '^# *RUN\|^ok' "$folder/output"
            exit 1
        }
    done
    echo "$test passes $runs times, attached to $attached times"
}

attack sync_regs_test 10
attack userspace_msr_exit_test 5
