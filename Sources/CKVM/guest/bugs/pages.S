// bug-memset-pointer, bug-dirty-page: the page is not as the guest believes it to be.

#include "bugs.h"

#define LOCALS 8192                     /* what the function that asks has on its stack */

    blob_begin bug_pages
// A pointer to the GHCB is on the stack, and `memset(&ghcb, 0, sizeof(*ghcb))` clears the pointer and
// 4 KiB of stack instead of the page. The request goes to address 0, and the hypervisor finds the
// page empty; the guest reads its own request as the answer.
// Posted: RFC v2 07/35 of "AMD: Add Secure AVIC KVM selftests", behind an early return.
    symbol memset_pointer
    guest_enter
    sub $LOCALS, %rsp
    mov %rbx, (%rsp)                    // struct ghcb *ghcb
    mov %rsp, %rdi                      // &ghcb; ghcb is meant
    mov $(4096 / 8), %ecx
    xor %eax, %eax
    rep stosq
    mov (%rsp), %rbx
    movw $1, GHCB_PROTOCOL_VERSION(%rbx)
    request_cpuid
    ghcb_accept
    add $LOCALS, %rsp
    guest_return

// The guest clears the bitmap and writes the version, as it must for each request, and leaves the
// rest to the host, which is expected to hand the page over zeroed. It does not: GHCB_USAGE is what
// was there. Posted: the trampoline's sketch says nothing of the page's contents.
    symbol dirty_page
    guest_enter
    lea page(%rip), %rbx
    ghcb_restore_msr
    ghcb_clear
    movw $1, GHCB_PROTOCOL_VERSION(%rbx)
    request_cpuid
    ghcb_accept
    guest_return

    guest_routines
    shared_section
    symbol page
    .rept 4096 / 16
    .ascii "an old message. "
    .endr
    blob_end bug_pages
