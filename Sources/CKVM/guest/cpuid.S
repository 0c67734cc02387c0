// cpuid: the same leaves in three ways, which must agree.
//
//   page   event 0x72 with the registers in the page
//   msr    four requests of the MSR protocol, one register each; never for leaf 0xD
//   #VC    the plain instruction: its #VC is handled by whoever owns the IDT
//
// At the end leaf 0xD, by the page only: it needs XCR0, and in version 2 XSS.

#include "guest.h"

    blob_begin cpuid
    symbol guest_code
    guest_enter
    lea leaves(%rip), %rbp
1:  mov (%rbp), %r12d                   // r12 = leaf; 4 bytes behind it in the table is the next
    call by_page
    call by_msr
    call by_instruction
    add $4, %rbp
    lea leaves_end(%rip), %rax
    cmp %rax, %rbp
    jne 1b
    call state_components
    guest_return

    .balign 4
leaves:
    .long 0, 1, 0x80000000, 0x80000008, 0x8000001f
leaves_end:

    symbol by_page
    ghcb_begin
    mov %r12, %rax
    ghcb_set GHCB_RAX, %rax
    xor %ecx, %ecx
    ghcb_set GHCB_RCX, %rcx
    ghcb_send SVM_EXIT_CPUID, $0, $0
    ghcb_accept
    call take_registers
    line_start
    append page_text
    jmp put_registers

// Asks for EAX, EBX, ECX and EDX in turn: bits 31:30 of the request, and 63:32 are the leaf.
    symbol by_msr
    xor %r13d, %r13d
1:  mov %r12, %rax
    shl $32, %rax
    mov %r13, %rdx
    shl $30, %rdx
    lea GHCB_MSR_CPUID_REQ(%rax, %rdx), %rax
    ghcb_call_msr
    mov %eax, %ecx
    and $0xfff, %ecx
    cmp $GHCB_MSR_CPUID_RESP, %ecx
    jne guest_refused
    shr $32, %rax
    push %rax                           // edx, ecx, ebx and eax are on the stack in the end
    inc %r13d
    cmp $4, %r13d
    jb 1b
    ghcb_restore_msr
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    line_start
    append msr_text
    jmp put_registers

    symbol by_instruction
    mov %r12d, %eax
    xor %ecx, %ecx
    mov %rbx, %r14                      // CPUID writes rbx
    cpuid
    mov %eax, %r8d
    mov %ebx, %r9d
    mov %ecx, %r10d
    mov %edx, %r11d
    mov %r14, %rbx
    line_start
    append instruction_text
    jmp put_registers

// Leaf 0xD depends on XCR0 and XSS, and so the hypervisor must be told them. CR4.OSXSAVE is off:
// XCR0 is 1. XSS is 0: nobody has written it.
    symbol state_components
    mov $0xd, %r12d
    ghcb_begin
    ghcb_set GHCB_RAX, %r12
    mov $1, %eax
    ghcb_set GHCB_XCR0, %rax
    xor %ecx, %ecx
    ghcb_set GHCB_RCX, %rcx
    ghcb_set GHCB_XSS, %rcx
    ghcb_send SVM_EXIT_CPUID, $0, $0
    ghcb_accept
    call take_registers
    line_start
    append page_text
    jmp put_registers

// Takes the four registers of an answer: r8, r9, r10, r11 = eax, ebx, ecx, edx.
take_registers:
    ghcb_get GHCB_RAX, %r8, guest_refused
    ghcb_get GHCB_RBX, %r9, guest_refused
    ghcb_get GHCB_RCX, %r10, guest_refused
    ghcb_get GHCB_RDX, %r11, guest_refused
    ret

// Ends a line with leaf r12 and the four registers.
put_registers:
    append_hex %r12, 8
    append eax_text
    append_hex %r8, 8
    append ebx_text
    append_hex %r9, 8
    append ecx_text
    append_hex %r10, 8
    append edx_text
    append_hex %r11, 8
    jmp put_line

    text page_text, "page "
    text msr_text, "msr  "
    text instruction_text, "#VC  "
    text eax_text, ": eax "
    text ebx_text, " ebx "
    text ecx_text, " ecx "
    text edx_text, " edx "
    guest_routines
    blob_end cpuid
