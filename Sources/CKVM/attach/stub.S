// What a vCPU thread of a foreign VMM executes while sevdbg holds it: a page of its own, readable and
// executable, which the tracer writes with ptrace. The labels of its data are struct ckvm_attach_stub.
//
// The tracer may die at any moment, and the kernel then lets the thread run on from wherever it is.
// So there is one rule: from every instruction at which the thread can stand, running on undoes what
// the tracer has changed and leads back to the VMM, as if its own KVM_RUN had never been interrupted.
// RSP stays the VMM's, so that a signal handler finds a stack.

    .section .rodata.ckvm.attach, "a", @progbits
    .balign 16
    .globl ckvm_stub_start, ckvm_stub_call, ckvm_stub_last_call, ckvm_stub_run
    .globl ckvm_stub_steps, ckvm_stub_stepped, ckvm_stub_told, ckvm_stub_result, ckvm_stub_data
ckvm_stub_start:
    .ascii "sevdbg attach 4\n"

    // Any system call of the tracer's.
ckvm_stub_call:
    syscall
    jmp     again

    // The same while the VMM has still to be given the exit that its KVM_RUN came to.
ckvm_stub_last_call:
    syscall
    xor     %eax, %eax
    jmp     ckvm_stub_result

    // KVM_RUN, stepping: up to R14 times, while each next instruction is one of which nothing needs to
    // be known. RBP: kvm_run. R15: the pages whose instructions are known, struct ckvm_attach_pages.
    // R13: whether KVM writes DR7 to its exit when the processor's own trap ended a step. A step that
    // KVM emulated may have cost it the trap flag, then, and is the last. R12: RIP at the start of the
    // step.
ckvm_stub_steps:
    syscall
    mov     %rax, %rbx
    test    %rax, %rax
    jnz     tell
    cmpl    $4, 8(%rbp)                 // exit_reason: KVM_EXIT_DEBUG
    jne     tell
    cmpl    $1, 32(%rbp)                // debug.arch.exception: #DB
    jne     tell
    testb   $15, 48(%rbp)               // debug.arch.dr6: a breakpoint
    jnz     tell
    dec     %r14
ckvm_stub_stepped:
    jz      tell
    cmpq    $-1, 56(%rbp)               // debug.arch.dr7
    je      1f
    mov     $1, %r13d
    jmp     2f
1:  test    %r13, %r13
    jnz     tell
2:  mov     432(%rbp), %rax             // s.regs.regs.rip
    mov     %rax, %r12
    mov     %rax, %r8
    and     $-4096, %r8
    and     $4095, %eax
    mov     (%r15), %rcx
    lea     8(%r15), %r9
3:  test    %rcx, %rcx
    jz      tell
    cmp     (%r9), %r8
    je      4f
    add     $520, %r9
    dec     %rcx
    jmp     3b
4:  bt      %rax, 8(%r9)
    jc      tell
    movq    $-1, 56(%rbp)
    mov     $16, %eax                   // ioctl
    jmp     ckvm_stub_steps

    // A signal that the VMM ignores: it stops the thread for the tracer. Without one nothing happens.
tell:
    mov     $186, %eax                  // gettid
    syscall
    mov     %eax, %edi
    mov     signal(%rip), %esi
    mov     $200, %eax                  // tkill
    syscall
ckvm_stub_told:
    mov     %rbx, %rax
    jmp     ran

    // KVM_RUN. An exit for the tracer's debugging, and an interruption by the tracer, are not the VMM's.
ckvm_stub_run:
    syscall
ran:
    test    %rax, %rax
    jnz     1f
    mov     kvm_run(%rip), %rcx
    cmpl    $4, 8(%rcx)                 // exit_reason: KVM_EXIT_DEBUG
    jne     ckvm_stub_result
    cmpl    $0, debugging(%rip)
    je      ckvm_stub_result            // the VMM debugs its guest itself
    mov     pushed(%rip), %rcx
    test    %rcx, %rcx
    jz      again
    andb    $0xfe, (%rcx)               // TF, which PUSHF has shown to the guest
    jmp     again
1:  cmp     $-4, %rax                   // -EINTR
    jne     ckvm_stub_result
    cmpl    $0, interrupting(%rip)
    jne     again

    // Back to the VMM with the result of its KVM_RUN, in RAX.
ckvm_stub_result:
    mov     %rax, %rbx
    mov     after(%rip), %r12
    xor     %r13d, %r13d
    jmp     undo

    // Back to the VMM in front of its KVM_RUN.
again:
    mov     $16, %ebx                   // ioctl
    mov     after(%rip), %r12
    sub     $2, %r12
    mov     $1, %r13d

    // RBX: what RAX will be. R12: where to go. R13: whether that is in front of KVM_RUN.
undo:
    cmpl    $0, debugging(%rip)
    je      1f
    mov     rdi(%rip), %rdi
    mov     $0x4048ae9b, %esi           // KVM_SET_GUEST_DEBUG
    lea     vmm_debug(%rip), %rdx
    mov     $16, %eax
    syscall
1:  mov     kvm_run(%rip), %rcx
    cmpl    $0, completing(%rip)
    je      2f
    movb    $0, 1(%rcx)                 // immediate_exit
2:  mov     valid_regs(%rip), %rax
    mov     %rax, 288(%rcx)             // kvm_valid_regs
    test    $1, %al
    jnz     3f
    lea     registers(%rip), %rsi
    lea     304(%rcx), %rdi             // s.regs.regs
    mov     $18, %ecx
    cld
    rep movsq
3:

    // A signal that waits would have ended the VMM's KVM_RUN: it gets its EINTR.
    test    %r13d, %r13d
    jz      4f
    lea     -256(%rsp), %rdi
    mov     $8, %esi
    mov     $127, %eax                  // rt_sigpending
    syscall
    mov     -256(%rsp), %rax
    and     wanted(%rip), %rax
    jz      4f
    mov     $-4, %rbx
    mov     after(%rip), %r12
4:  mov     $2, %edi                    // SIG_SETMASK
    lea     mask(%rip), %rsi
    xor     %edx, %edx
    mov     $8, %r10d
    mov     $14, %eax                   // rt_sigprocmask
    syscall

    // RCX and R11 are what SYSCALL leaves in them: RIP and RFLAGS.
    mov     %rbx, %rax
    mov     %r12, %rcx
    mov     rflags(%rip), %r11
    lea     -256(%rsp), %rsp            // below the red zone
    mov     %r11, (%rsp)
    popfq
    lea     248(%rsp), %rsp
    mov     rdi(%rip), %rdi
    mov     rsi(%rip), %rsi
    mov     rdx(%rip), %rdx
    mov     r10(%rip), %r10
    mov     r8(%rip), %r8
    mov     r9(%rip), %r9
    mov     rbx(%rip), %rbx
    mov     rbp(%rip), %rbp
    mov     r12(%rip), %r12
    mov     r13(%rip), %r13
    mov     r14(%rip), %r14
    mov     r15(%rip), %r15
    jmp     *%rcx

    .balign 8
ckvm_stub_data:
// The VMM's registers at its KVM_RUN.
after:          .quad 0                 // RIP behind the SYSCALL
rflags:         .quad 0
rdi:            .quad 0
rsi:            .quad 0
rdx:            .quad 0
r10:            .quad 0
r8:             .quad 0
r9:             .quad 0
rbx:            .quad 0
rbp:            .quad 0
r12:            .quad 0
r13:            .quad 0
r14:            .quad 0
r15:            .quad 0
kvm_run:        .quad 0                 // its address in the VMM
valid_regs:     .quad 0                 // the VMM's kvm_valid_regs
mask:           .quad 0                 // the thread's blocked signals
wanted:         .quad 0                 // signals that end KVM_RUN: neither blocked nor ignored
interrupting:   .long 0                 // the tracer is about to interrupt the thread
debugging:      .long 0                 // guest debug is on, or about to be
completing:     .long 0                 // immediate_exit is the tracer's
owner:          .long 0                 // the descriptor of the vCPU
scratch:        .quad 0                 // memory for arguments, mapped beside this page
pushed:         .quad 0                 // where PUSHF puts bits 8 to 15, if that is what is stepped
signal:         .quad 0                 // one that the VMM ignores
registers:      .fill 144, 1, 0         // what the VMM has in s.regs.regs, unless it asks KVM to write them
vmm_debug:      .fill 72, 1, 0          // struct kvm_guest_debug of the VMM, as far as it is known

// A first system call in a VMM that has no page of ours yet: written, for that moment, over the zeros
// behind the code of some mapping. It leads back to the VMM's own system call as well.
    .balign 8
    .globl ckvm_cave_start, ckvm_cave_data, ckvm_cave_end
ckvm_cave_start:
    syscall
    mov     cave_rdi(%rip), %rdi
    mov     cave_rsi(%rip), %rsi
    mov     cave_rdx(%rip), %rdx
    mov     cave_r10(%rip), %r10
    mov     cave_r8(%rip), %r8
    mov     cave_r9(%rip), %r9
    mov     cave_rax(%rip), %rax
    jmp     *cave_again(%rip)
ckvm_cave_data:
cave_again:     .quad 0                 // RIP at the SYSCALL
cave_rax:       .quad 0                 // its number
cave_rdi:       .quad 0
cave_rsi:       .quad 0
cave_rdx:       .quad 0
cave_r10:       .quad 0
cave_r8:        .quad 0
cave_r9:        .quad 0
ckvm_cave_end:

    .section .note.GNU-stack, "", @progbits
