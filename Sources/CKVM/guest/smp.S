// smp: every vCPU uses its GHCB at the same time, and no two may hold the same page.
//
// In: rdi = number of the vCPU. A vCPU puts a mark on its page's frame number, waits until all have
// done so, uses the page, and takes the mark away at the end: to find a mark there is to share the
// page with another. A pattern in the shared buffer must also survive an exit.

#include "guest.h"

#define ROUNDS 4
#define FRAMES 0x8000                   /* GHCBs lie within 128 MiB: low bits of the number do */
#define PATIENCE 0x10000                /* looks at the others before a vCPU goes on without them */

    blob_begin smp
    symbol guest_code
    guest_enter
    mov %rdi, %r12                      // r12 = number of the vCPU
    mov %rbx, %r13
    shr $12, %r13
    and $(FRAMES - 1), %r13d            // r13 = the page's bit
    lock bts %r13, held(%rip)
    jc guest_assertion
    call wait_for_all

    mov $ROUNDS, %r14d
1:  call use_page
    dec %r14d
    jnz 1b
    line_start
    append vcpu_text
    append_hex %r12, 4
    append page_text
    append_hex %rbx, 8
    call put_line

    lock btr %r13, held(%rip)
    jnc guest_assertion
    guest_return

// Waits until as many vCPUs are here as CPUID says there are: leaf 1, EBX bits 23:16.
    symbol wait_for_all
    lock incl arrived(%rip)
    mov $1, %eax
    call cpuid_by_page
    ghcb_get GHCB_RBX, %rax, guest_refused
    shr $16, %eax
    movzbl %al, %eax
    mov $PATIENCE, %ecx
1:  cmp %eax, arrived(%rip)
    jae 2f
    pause
    loop 1b
2:  ret

// One exchange, with a pattern in the shared buffer that nobody else may change meanwhile.
    symbol use_page
    lea (%r12, %rbx), %rsi
    mov %rsi, GHCB_SHARED_BUFFER(%rbx)
    mov $0x80000000, %eax
    call cpuid_by_page
    cmp %rsi, GHCB_SHARED_BUFFER(%rbx)
    jne guest_assertion
    ret

// In: eax = leaf. Out: the answer in the page. Changes rax and rcx.
cpuid_by_page:
    ghcb_begin
    mov %eax, %eax
    ghcb_set GHCB_RAX, %rax
    xor %ecx, %ecx
    ghcb_set GHCB_RCX, %rcx
    ghcb_send SVM_EXIT_CPUID, $0, $0
    ghcb_accept
    ret

    text vcpu_text, "vCPU "
    text page_text, " has the GHCB at "
    guest_routines
    .balign 8
arrived:
    .quad 0
    symbol held
    .skip FRAMES / 8
    blob_end smp
