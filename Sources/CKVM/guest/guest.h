// What the built-in guests have in common. The GHCB's address is in rbx all the time.

#include "ghcb.h"
#include "blob.h"

#define CONSOLE_PORT 0x3f8
#define IOIO_CONSOLE_STRING \
    (IOIO_STRING | IOIO_REP | 1 << IOIO_SIZE_SHIFT | IOIO_ADDRESS64 | IOIO_DS \
     | CONSOLE_PORT << IOIO_PORT_SHIFT)

#define GUEST_SET 6                     /* the built-in guests' termination set */
#define GUEST_REFUSED 1                 /* the hypervisor did not do what it was asked */
#define GUEST_ASSERTION 2               /* something is not as it must be */

    // The entry of a guest: keeps the callee-saved registers, aligns the stack for calls and finds
    // the page in the GHCB MSR. Changes rax, rcx and rdx.
    .macro guest_enter
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    ghcb_read_msr
    mov %rax, %rbx
    .endm

    // Returns from the entry: the vCPU's end.
    .macro guest_return
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .endm

    // Starts a request: nothing valid, protocol version 1, usage 0.
    .macro ghcb_begin
    ghcb_clear
    movw $1, GHCB_PROTOCOL_VERSION(%rbx)
    movl $0, GHCB_USAGE(%rbx)
    .endm

    // Sends the request: exit code and information words are operands of 32 bits, but not eax.
    // Out: eax = info 1 of the answer.
    .macro ghcb_send code, info1, info2
    mov $\code, %eax
    ghcb_set GHCB_SW_EXITCODE, %rax
    mov \info1, %eax
    ghcb_set GHCB_SW_EXITINFO1, %rax
    mov \info2, %eax
    ghcb_set GHCB_SW_EXITINFO2, %rax
    vmgexit
    mov GHCB_SW_EXITINFO1(%rbx), %eax
    .endm

    // Goes on only if info 1 of the answer says that all is well.
    .macro ghcb_accept
    test %eax, %eax
    jnz guest_refused
    .endm

    // The MSR protocol. In: rax = request. Out: rax = answer, which is in the MSR now and must be
    // replaced by the page (ghcb_restore_msr). Changes rcx and rdx.
    .macro ghcb_call_msr
    ghcb_write_msr
    vmgexit
    ghcb_read_msr
    .endm

    // The MSR names the page again. Changes rax, rcx and rdx.
    .macro ghcb_restore_msr
    mov %rbx, %rax
    ghcb_write_msr
    .endm

    // A line of output grows in the shared buffer, at rdi, until `call put_line`.
    .macro line_start
    lea GHCB_SHARED_BUFFER(%rbx), %rdi
    .endm

    // Appends a text of the macro below. Changes rcx and rsi.
    .macro append label
    lea \label(%rip), %rsi
    mov $\label\()_size, %ecx
    rep movsb
    .endm

    .macro text label, string
\label:
    .ascii "\string"
    .set \label\()_size, . - \label
    .endm

    // Appends a number of so many hexadecimal digits. Changes rax, rcx, rdx and rsi.
    .macro append_hex register, digits
    mov \register, %rax
    mov $\digits, %edx
    call put_hex
    .endm

    // The code behind the macros; once in each guest that uses them.
    .macro guest_routines
// Appends the lowest edx hexadecimal digits of rax to the line at rdi. Changes rax, rcx, rdx, rsi.
put_hex:
    movw $0x7830, (%rdi)                // "0x"
    add $2, %rdi
    mov %edx, %ecx
    shl $2, %ecx
    ror %cl, %rax                       // the first digit is at the top
1:  rol $4, %rax
    mov %eax, %ecx
    and $15, %ecx
    lea hex_digits(%rip), %rsi
    movzbl (%rsi, %rcx), %ecx
    mov %cl, (%rdi)
    inc %rdi
    dec %edx
    jnz 1b
    ret
hex_digits:
    .ascii "0123456789abcdef"

// Sends the line that ends at rdi to the console: one exit. Changes rax, rcx, rdx and rdi.
    symbol put_line
    movb $'\n', (%rdi)
    inc %rdi
    lea GHCB_SHARED_BUFFER(%rbx), %rdx
    mov %rdi, %rcx
    sub %rdx, %rcx
    ghcb_begin
    ghcb_set GHCB_SW_SCRATCH, %rdx      // identity-mapped: also the GPA
    ghcb_send SVM_EXIT_IOIO, $IOIO_CONSOLE_STRING, %ecx
    ghcb_accept
    ret

// End the VM, in the built-in guests' termination set.
guest_refused:
    mov $(GUEST_REFUSED << GHCB_MSR_TERM_REASON_SHIFT), %eax
    jmp guest_terminate
guest_assertion:
    mov $(GUEST_ASSERTION << GHCB_MSR_TERM_REASON_SHIFT), %eax
    symbol guest_terminate
    or $(GHCB_MSR_TERM_REQ | GUEST_SET << GHCB_MSR_TERM_SET_SHIFT), %eax
    ghcb_write_msr
    vmgexit
1:  hlt
    jmp 1b
    .endm
