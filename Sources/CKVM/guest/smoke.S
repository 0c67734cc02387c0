// smoke: what the SEV-ES guest of the kernel's sev_smoke_test does.
//
// It checks in SEV_STATUS what it is, without an exit, and ends the VM through the MSR protocol
// with set 0, reason 0: "general request". A check that fails ends it in the built-in guests' set.

#include "guest.h"

#define SEV_STATUS_SEV 1
#define SEV_STATUS_SEV_ES 2
#define SEV_STATUS_SEV_SNP 4

    blob_begin smoke
    symbol guest_code
    mov $MSR_SEV_STATUS, %ecx
    rdmsr                               // never intercepted
    test $SEV_STATUS_SEV, %eax
    jz guest_assertion
    test $SEV_STATUS_SEV_ES, %eax
    jz guest_assertion
    test $SEV_STATUS_SEV_SNP, %eax
    jnz guest_assertion

    mov $GHCB_MSR_TERM_REQ, %eax
    ghcb_write_msr
    vmgexit                             // does not come back
1:  hlt
    jmp 1b

    guest_routines
    blob_end smoke
