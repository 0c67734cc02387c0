// bug-no-wrmsr, bug-eax-twice, bug-r15-shifted, bug-c-prologue, bug-args-lost: a trampoline with one
// mistake each.
//
// In the GHCB setup trampoline the host puts the GHCB's address in r15 and the guest's entry in r14;
// the trampoline writes the MSR and jumps. The mistakes are those of the sketch that was posted with
// the idea ("rough pseudo-asm", lore.kernel.org: ZihZOygvuDs1wIrh@google.com, 23 April 2024), and of
// what people make of it. The guest behind it takes r15 for its GHCB and prints its third and fourth
// argument.

#include "bugs.h"

    // What WRMSR needs and an argument is in goes to r10 and r11, and comes back.
    .macro save_arguments
    mov %rdx, %r10
    mov %rcx, %r11
    .endm

    .macro restore_arguments
    mov %r10, %rdx
    mov %r11, %rcx
    .endm

    blob_begin bug_trampolines
    symbol guest_code
    mov %r15, %rbx
    mov %rdx, %r12
    mov %rcx, %r13
    line_start
    append third_text
    append_hex %r12, 16
    append fourth_text
    append_hex %r13, 16
    call put_line
    guest_done

// As posted: everything is in its register, and WRMSR is missing.
    symbol no_wrmsr
    save_arguments
    mov %r15d, %eax
    mov %r15, %rdx
    shr $32, %rdx
    mov $MSR_GHCB, %ecx
    restore_arguments
    jmp *%r14

// As posted, with WRMSR: the high half goes to eax, too. edx still has the guest's third argument.
    symbol eax_twice
    save_arguments
    mov %r15d, %eax
    mov %r15, %r12
    shr $32, %r12
    mov %r12d, %eax                     // edx is meant
    mov $MSR_GHCB, %ecx
    wrmsr
    restore_arguments
    jmp *%r14

// As posted, with edx and WRMSR: the shift is done in r15 itself, which the guest needs.
    symbol r15_shifted
    save_arguments
    mov %r15d, %eax
    shr $32, %r15
    mov %r15d, %edx
    mov $MSR_GHCB, %ecx
    wrmsr
    restore_arguments
    jmp *%r14

// A C function around inline assembly, as a compiler makes it: the prologue moves rsp, and the
// value for an inlined wrmsr() goes through rdi.
    symbol c_prologue
    push %rbp
    mov %rsp, %rbp
    save_arguments
    mov %r15, %rdi
    mov %edi, %eax
    mov %rdi, %rdx
    shr $32, %rdx
    mov $MSR_GHCB, %ecx
    wrmsr
    restore_arguments
    jmp *%r14

// The places marked "save" and "restore" in the sketch were left empty.
    symbol args_lost
    mov %r15d, %eax
    mov %r15, %rdx
    shr $32, %rdx
    mov $MSR_GHCB, %ecx
    wrmsr
    jmp *%r14

    text third_text, "rdx "
    text fourth_text, ", rcx "
    guest_routines
    blob_end bug_trampolines
