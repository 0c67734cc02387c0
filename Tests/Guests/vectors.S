/* The first instructions of every exception: one frame for all, then handle_exception in C. */

    .text
    .balign 16
    .globl vector_stubs
vector_stubs:
    .set vector, 0
    .rept 129
    .balign 16
    /* 8, 10 to 14, 17, 21, 29 and 30 come with an error code. */
    .if (vector > 31) || !((1 << (vector & 31)) & 0x60227d00)
    pushq $0
    .endif
    pushq $vector
    jmp save
    .set vector, vector + 1
    .endr

save:
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    call handle_exception
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rbp
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

    .section .note.GNU-stack, "", @progbits
