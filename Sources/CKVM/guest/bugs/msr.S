// bug-msr-replaced, bug-no-vmgexit: mistakes with the GHCB MSR.

#include "bugs.h"

    blob_begin bug_msr
// The hypervisor answers a request of the MSR protocol in the MSR itself, so the page's address is
// gone. The guest believes it to be there still.
// Posted: the trampoline's sketch writes the MSR once and for all.
    symbol msr_replaced
    guest_enter
    mov $GHCB_MSR_HV_FT_REQ, %eax
    ghcb_call_msr                       // ghcb_restore_msr has to follow
    shr $12, %rax
    mov %rax, %r12
    line_start
    append features_text
    append_hex %r12, 13
    call put_line
    guest_return

// sev_es_terminate() writes the request to the MSR, and nothing tells the hypervisor.
// Posted: "Add initial GHCB support for SEV-ES selftests", 9 April 2024.
    symbol no_vmgexit
    mov $GHCB_MSR_TERM_REQ, %eax
    ghcb_write_msr                      // vmgexit has to follow
1:  hlt
    jmp 1b

    text features_text, "features "
    guest_routines
    blob_end bug_msr
