// nested-vc: an IDT and a #VC handler of the guest's own, and a #VC inside that handler.
//
// There is one GHCB for both. Each run of the handler saves the whole page on its stack before it
// uses it, and puts it back at the end; so the request that the outer run had half written when it
// was interrupted is complete again when the inner one returns. The handler knows CPUID only.

#include "guest.h"

#define VECTOR_VC 29
#define GATE_SIZE 16
#define GATE_INTERRUPT 0x8e00           /* present, DPL 0, IST 0: on the stack that is in use */
#define CPUID_BYTES 0xa20f              /* 0f a2 */

// The handler's frame, from rbp: seven registers and what the CPU pushed.
#define SAVED_RAX 0x30
#define SAVED_RCX 0x28
#define SAVED_RDX 0x20
#define SAVED_RBX 0x18
#define SAVED_ERROR 0x38
#define SAVED_RIP 0x40
#define SAVED_SIZE 0x38

    blob_begin nested_vc
    symbol guest_code
    guest_enter
    sub $16, %rsp
    sidt (%rsp)                         // the stub's, for the way out
    call load_idt

    xor %eax, %eax
    xor %ecx, %ecx
    mov %rbx, %r14
    cpuid                               // #VC, and a second one inside its handler
    mov %rbx, %r12
    mov %r14, %rbx
    line_start
    append outer_text
    append_hex %r12, 8                  // the first four letters of the vendor
    call put_line

    lidt (%rsp)
    add $16, %rsp
    guest_return

// Makes the gate for #VC and loads the IDT. Every vCPU writes the same bytes.
load_idt:
    lea (idt + VECTOR_VC * GATE_SIZE)(%rip), %rdx
    lea vc_handler(%rip), %rax
    mov %ax, (%rdx)                     // offset 15:0
    mov %cs, 2(%rdx)
    movw $GATE_INTERRUPT, 4(%rdx)
    shr $16, %rax
    mov %ax, 6(%rdx)                    // 31:16
    shr $16, %rax
    mov %eax, 8(%rdx)                   // 63:32
    sub $16, %rsp
    movw $(idt_end - idt - 1), (%rsp)
    lea idt(%rip), %rax
    mov %rax, 2(%rsp)
    lidt (%rsp)
    add $16, %rsp
    ret

    symbol vc_handler
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rsi
    push %rdi
    push %rbp
    mov %rsp, %rbp
    cld
    cmpq $SVM_EXIT_CPUID, SAVED_ERROR(%rbp)
    jne guest_assertion
    mov SAVED_RIP(%rbp), %rax
    cmpw $CPUID_BYTES, (%rax)           // without prefixes: two bytes
    jne guest_assertion

    ghcb_read_msr
    mov %rax, %rbx
    sub $4096, %rsp                     // the page as it was
    mov %rbx, %rsi
    mov %rsp, %rdi
    mov $(4096 / 8), %ecx
    rep movsq

    ghcb_begin
    mov SAVED_RAX(%rbp), %eax
    ghcb_set GHCB_RAX, %rax
    mov SAVED_RCX(%rbp), %ecx
    ghcb_set GHCB_RCX, %rcx

    lea inner_cpuid(%rip), %rax
    cmp %rax, SAVED_RIP(%rbp)
    je 1f                               // this is the inner run: no third one
    mov %rbx, %rsi
    mov $0x80000000, %eax
    xor %ecx, %ecx
    symbol inner_cpuid
    cpuid                               // with a request in the page that is not yet sent
    mov %rsi, %rbx

1:  ghcb_send SVM_EXIT_CPUID, $0, $0
    ghcb_accept
    ghcb_get GHCB_RAX, %rax, guest_refused
    mov %rax, SAVED_RAX(%rbp)
    ghcb_get GHCB_RBX, %rax, guest_refused
    mov %rax, SAVED_RBX(%rbp)
    ghcb_get GHCB_RCX, %rax, guest_refused
    mov %rax, SAVED_RCX(%rbp)
    ghcb_get GHCB_RDX, %rax, guest_refused
    mov %rax, SAVED_RDX(%rbp)

    mov %rsp, %rsi
    mov %rbx, %rdi
    mov $(4096 / 8), %ecx
    rep movsq
    mov %rbp, %rsp
    addq $2, SAVED_RIP(%rbp)
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    add $8, %rsp                        // the error code: IRETQ must find RIP
    iretq

    text outer_text, "vendor, from CPUID with a #VC in its #VC handler: "
    guest_routines
    .balign 8
    symbol idt
    .skip (VECTOR_VC + 1) * GATE_SIZE
idt_end:
    blob_end nested_vc
