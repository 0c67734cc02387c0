// What the guests of this folder have in common besides guest.h. Each makes one mistake.

#include "../guest.h"

    // A correct request through the page: CPUID leaf 0x80000000. Out: eax = info 1 of the answer.
    .macro request_cpuid
    mov $0x80000000, %eax
    ghcb_set GHCB_RAX, %rax
    xor %eax, %eax
    ghcb_set GHCB_RCX, %rax
    ghcb_send SVM_EXIT_CPUID, $0, $0
    .endm

    // Ends the VM as a selftest does that is done: set 0, code 0. Does not come back.
    .macro guest_done
    mov $GHCB_MSR_TERM_REQ, %eax
    ghcb_write_msr
    vmgexit
1:  hlt
    jmp 1b
    .endm
