// hv-features: which features the hypervisor has, by the MSR protocol and by the page.
//
// First it asks which versions of the protocol there are, as a guest should that wants a request of
// version 2. After each answer in the MSR, the MSR must name the page again.

#include "guest.h"

    blob_begin hv_features
    symbol guest_code
    guest_enter
    mov $GHCB_MSR_SEV_INFO_REQ, %eax
    ghcb_call_msr
    mov %rax, %r12                      // 63:48 highest version, 47:32 lowest, 31:24 the C-bit
    ghcb_restore_msr
    line_start
    append version_text
    mov %r12, %r13
    shr $48, %r13
    append_hex %r13, 4
    call put_line
    cmp $2, %r13d
    jb 1f                               // the request is of version 2
    call by_msr
    call by_page
1:  guest_return

    symbol by_msr
    mov $GHCB_MSR_HV_FT_REQ, %eax
    ghcb_call_msr
    mov %rax, %r12
    ghcb_restore_msr
    mov %r12d, %eax
    and $0xfff, %eax
    cmp $GHCB_MSR_HV_FT_RESP, %eax
    jne guest_refused
    shr $12, %r12
    line_start
    append msr_text
    append_hex %r12, 13
    jmp put_line

    symbol by_page
    ghcb_begin
    movw $2, GHCB_PROTOCOL_VERSION(%rbx)
    ghcb_send SVM_VMGEXIT_HV_FEATURES, $0, $0
    ghcb_accept
    mov GHCB_SW_EXITINFO2(%rbx), %r12
    line_start
    append page_text
    append_hex %r12, 13
    jmp put_line

    text version_text, "highest version "
    text msr_text, "features, MSR:  "
    text page_text, "features, page: "
    guest_routines
    blob_end hv_features
