# `sevdbg attach --observe` on kvm_amd: every BPF program loads, and the VMCB of a running guest is seen.
# Runs inside; see run.sh.
. /with-vmm

sevdbg attach $vmm --observe --for 3 --json > /tmp/said 2> /tmp/errors || failures=$((failures + 1))
expect "BPF programs load" '"by":"bpf"'
expect "the memory slot is seen" '"gpa":"0x0","size":"0x200000"'
expect "live VMCBs are seen" '"vmcb":{"exitCode":"0x[0-9a-f]*","name":"[A-Z]'
expect "exits have SVM's names" '"hardware":\[{"reason":"[A-Z_]*","number":"0x'
expect "port accesses are seen as such" '"reason":"IOIO","number":"0x7b"'
expect "returns to userspace are counted and timed" '"reason":"KVM_EXIT_IO","number":"2","count":[0-9]*,"timed":[1-9]'
expect "the port is known" '"kind":"port","address":"0x100","access":"write"'

finish
