// bug-cpuid-rcx, bug-msr-info1, bug-register-order: a request with one mistake each.

#include "bugs.h"

    blob_begin bug_requests
// CPUID needs RAX and RCX. RCX is written, but its bit in VALID_BITMAP is not set.
// Posted: coconut-svsm#684.
    symbol cpuid_rcx
    guest_enter
    ghcb_begin
    mov $0x80000000, %eax
    ghcb_set GHCB_RAX, %rax
    movq $0, GHCB_RCX(%rbx)
    ghcb_send SVM_EXIT_CPUID, $0, $0
    ghcb_accept
    guest_return

#define MSR_MTRR_DEFAULT_TYPE 0x2ff
#define MTRR_ENABLED_WRITE_BACK 0x806

// A write to an MSR has 1 in SW_EXITINFO1. With 0 the hypervisor reads the MSR, answers well, and
// the value goes nowhere. Posted: project-oak/oak#3871.
    symbol msr_info1
    guest_enter
    ghcb_begin
    mov $MSR_MTRR_DEFAULT_TYPE, %eax
    ghcb_set GHCB_RCX, %rax
    mov $MTRR_ENABLED_WRITE_BACK, %eax
    ghcb_set GHCB_RAX, %rax
    xor %eax, %eax
    ghcb_set GHCB_RDX, %rax
    ghcb_send SVM_EXIT_MSR, $0, $0
    ghcb_accept
    guest_return

// The struct of the page as the guest declares it: rbx, rcx, rdx. It is rcx, rdx, rbx.
#define STRUCT_RCX GHCB_RDX

// Posted: project-oak/oak#3871.
    symbol register_order
    guest_enter
    ghcb_begin
    mov $0x80000000, %eax
    ghcb_set GHCB_RAX, %rax
    xor %eax, %eax
    ghcb_set STRUCT_RCX, %rax
    ghcb_send SVM_EXIT_CPUID, $0, $0
    ghcb_accept
    guest_return

    guest_routines
    blob_end bug_requests
