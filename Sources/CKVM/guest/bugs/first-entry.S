// bug-first-entry: the pool of GHCBs hands out its first entry always.
//
// `ghcb_alloc()` starts with `return &ghcb_pool->ghcbs[0]`, left over from a time with one page. All
// vCPUs have the same GHCB then; a test with one vCPU passes.
// Posted: "Add initial GHCB support for SEV-ES selftests", 9 April 2024; found in
// RFC v2 07/35 of "AMD: Add Secure AVIC KVM selftests".
//
// In: rdi = number of the vCPU.

#include "bugs.h"

#define ENTRIES 4
#define PATIENCE 0x10000                /* looks at the others before a vCPU goes on without them */

    blob_begin bug_first_entry
    symbol guest_code
    guest_enter
    call count_vcpus
    call ghcb_alloc
    mov %rax, %rbx
    ghcb_restore_msr
    call wait_for_all
    ghcb_begin
    request_cpuid
    ghcb_accept
    guest_return

// Out: rax = a GHCB. All behind the first two instructions is never reached.
    symbol ghcb_alloc
    lea ghcbs(%rip), %rax
    ret
    xor %ecx, %ecx
1:  lock bts %rcx, in_use(%rip)
    jnc 2f
    inc %ecx
    cmp $ENTRIES, %ecx
    jb 1b
    jmp guest_assertion
2:  shl $12, %rcx
    add %rcx, %rax
    ret

// Out: r12 = how many vCPUs there are, by CPUID leaf 1, EBX bits 23:16, which needs no page.
    symbol count_vcpus
    movabs $(1 << 32 | 1 << 30 | GHCB_MSR_CPUID_REQ), %rax
    ghcb_call_msr
    shr $48, %rax
    movzbl %al, %r12d
    ret

// Waits until all vCPUs have their GHCB.
    symbol wait_for_all
    lock incl arrived(%rip)
    mov $PATIENCE, %ecx
1:  cmp %r12d, arrived(%rip)
    jae 2f
    pause
    loop 1b
2:  ret

    guest_routines
    .balign 8
in_use:
    .quad 0
arrived:
    .quad 0
    shared_section
    symbol ghcbs
    .skip ENTRIES * 4096
    blob_end bug_first_entry
