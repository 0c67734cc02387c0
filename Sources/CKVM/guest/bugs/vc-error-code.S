// bug-vc-error-code: the IDT stub of vector 29 assumes that the CPU pushes no error code.
//
// For vectors without an error code the stub pushes a zero in its place. #VC has one, the exit code:
// so the handler takes it for RIP, moves it past the instruction, and IRETQ takes it from there.
// Posted: handlers.S of the KVM selftests; found in RFC v2 09/35 of "AMD: Add Secure AVIC KVM
// selftests".

#include "bugs.h"

#define VECTOR_VC 29
#define GATE_SIZE 16
#define GATE_INTERRUPT 0x8e00           /* present, DPL 0, IST 0: on the stack that is in use */

// struct ex_regs as the handler believes it to be, from rbp.
#define REGS_RAX 0x00
#define REGS_RCX 0x08
#define REGS_RDX 0x10
#define REGS_RBX 0x18
#define REGS_RIP 0x38                   /* behind rbp, the vector and the error code */

    blob_begin bug_vc
    symbol guest_code
    guest_enter
    call load_idt
    xor %eax, %eax
    xor %ecx, %ecx
    cpuid                               // #VC
    guest_return

// Makes the gate for #VC and loads the IDT.
load_idt:
    lea (idt + VECTOR_VC * GATE_SIZE)(%rip), %rdx
    lea vc_stub(%rip), %rax
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

    symbol vc_stub
    pushq $0                            // in the place of an error code, which is there already
    pushq $VECTOR_VC
    push %rbp
    push %rbx
    push %rdx
    push %rcx
    push %rax
    mov %rsp, %rbp
    call vc_handler
    pop %rax
    pop %rcx
    pop %rdx
    pop %rbx
    pop %rbp
    add $16, %rsp                       // vector and error code
    iretq

// CPUID is the only instruction of this guest that raises #VC.
    symbol vc_handler
    ghcb_read_msr
    mov %rax, %rbx
    ghcb_begin
    mov REGS_RAX(%rbp), %eax
    ghcb_set GHCB_RAX, %rax
    mov REGS_RCX(%rbp), %ecx
    ghcb_set GHCB_RCX, %rcx
    ghcb_send SVM_EXIT_CPUID, $0, $0
    ghcb_accept
    ghcb_get GHCB_RAX, %rax, guest_refused
    mov %rax, REGS_RAX(%rbp)
    ghcb_get GHCB_RBX, %rax, guest_refused
    mov %rax, REGS_RBX(%rbp)
    ghcb_get GHCB_RCX, %rax, guest_refused
    mov %rax, REGS_RCX(%rbp)
    ghcb_get GHCB_RDX, %rax, guest_refused
    mov %rax, REGS_RDX(%rbp)
    addq $2, REGS_RIP(%rbp)
    ret

    guest_routines
    .balign 8
    symbol idt
    .skip (VECTOR_VC + 1) * GATE_SIZE
idt_end:
    blob_end bug_vc
