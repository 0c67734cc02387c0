// msr: RDMSR and WRMSR by the page and by #VC, and the answer to an MSR that there is not.
//
// For the unknown MSR the hypervisor asks the guest to raise #GP: info 1 = 1, and info 2 names the
// exception as EVENTINJ does (0x8000030d: valid, error code, exception, vector 13).

#include "guest.h"

#define MSR_APIC_BASE 0x1b
#define MSR_MTRR_DEFAULT_TYPE 0x2ff
#define MSR_PAT 0x277
#define MSR_UNKNOWN 0xc0011fff
#define MTRR_ENABLED_WRITE_BACK 0x806

    blob_begin msr
    symbol guest_code
    guest_enter
    mov $MSR_APIC_BASE, %r12d           // by the page: one that is read,
    call read_by_page
    call put_value
    mov $MSR_MTRR_DEFAULT_TYPE, %r12d   // and one that is written and read again
    mov $MTRR_ENABLED_WRITE_BACK, %r13d
    call write_by_page
    call read_by_page
    call put_value
    mov $MSR_APIC_BASE, %r12d           // the instruction, and its #VC
    call read_by_instruction
    mov $MSR_PAT, %r12d                 // passed through: no #VC at all
    call read_by_instruction
    call read_unknown
    guest_return

// Out: r13 = MSR r12.
    symbol read_by_page
    ghcb_begin
    ghcb_set GHCB_RCX, %r12
    ghcb_send SVM_EXIT_MSR, $0, $0      // info 1: 0 is a read
    ghcb_accept
    ghcb_get GHCB_RAX, %rax, guest_refused
    ghcb_get GHCB_RDX, %rdx, guest_refused
    mov %eax, %r13d
    shl $32, %rdx
    or %rdx, %r13
    ret

// Writes r13 to MSR r12.
    symbol write_by_page
    ghcb_begin
    ghcb_set GHCB_RCX, %r12
    mov %r13d, %eax
    ghcb_set GHCB_RAX, %rax
    mov %r13, %rdx
    shr $32, %rdx
    ghcb_set GHCB_RDX, %rdx
    ghcb_send SVM_EXIT_MSR, $1, $0      // info 1: 1 is a write
    ghcb_accept
    ret

    symbol read_by_instruction
    mov %r12d, %ecx
    rdmsr
    shl $32, %rdx
    lea (%rax, %rdx), %r13
// Prints MSR r12 and its value r13.
put_value:
    line_start
    append msr_text
    append_hex %r12, 8
    append value_text
    append_hex %r13, 16
    jmp put_line

    symbol read_unknown
    mov $MSR_UNKNOWN, %r12d
    ghcb_begin
    ghcb_set GHCB_RCX, %r12
    ghcb_send SVM_EXIT_MSR, $0, $0
    cmp $1, %eax
    jne guest_refused
    mov GHCB_SW_EXITINFO2(%rbx), %r13
    line_start
    append msr_text
    append_hex %r12, 8
    append exception_text
    append_hex %r13, 16
    jmp put_line

    text msr_text, "msr "
    text value_text, " = "
    text exception_text, " raises, in EVENTINJ form, "
    guest_routines
    blob_end msr
