// How a vCPU comes to its GHCB, and what becomes of one whose guest returns.
//
// Each setup enters the guest with the six argument registers, and rsp, as the host set them.

// Setup trampoline. In: r15 = GPA of the GHCB, r14 = entry of the guest.
// Changes rax, r10, r11 and the flags.
    symbol sevdbg_trampoline
    mov %rdx, %r10                      // WRMSR needs rcx and rdx, and they are arguments
    mov %rcx, %r11
    mov %r15d, %eax
    mov %r15, %rdx
    shr $32, %rdx
    mov $MSR_GHCB, %ecx
    wrmsr                               // passed through: neither an exit nor a #VC
    mov %r10, %rdx
    mov %r11, %rcx
    xor %r10d, %r10d
    xor %r11d, %r11d
    jmp *%r14

// Setup pool. In: r15 = the pool, r14 = entry of the guest.
// Takes the first free entry, calls the guest and gives the entry back.
// Changes rax, rbx, rbp, r10, r11, r12 and the flags before the guest starts.
    symbol sevdbg_pool_entry
    mov %rdx, %r10
    mov %rcx, %r11
    mov $POOL_ROUNDS, %ebp
.Lpool_round:
    xor %ebx, %ebx
.Lpool_try:
    lock bts %rbx, POOL_IN_USE(%r15)
    jnc .Lpool_taken
    inc %ebx
    cmp POOL_COUNT(%r15), %ebx
    jb .Lpool_try
    pause                               // all in use: another vCPU may return one
    dec %ebp
    jnz .Lpool_round
    mov $STUB_NO_GHCB, %eax
    jmp sevdbg_terminate

.Lpool_taken:                           // rbx = number of the entry
    mov %rbx, %r12
    shl $POOL_ENTRY_SHIFT, %r12
    lea POOL_ENTRIES(%r15, %r12), %r12
    mov LAUNCH_BLOCK(%rsp), %rbp
    mov POOL_ENTRY_GVA(%r12), %rax
    mov %rax, BLOCK_GHCB_GVA(%rbp)
    mov POOL_ENTRY_GPA(%r12), %rax
    mov %rax, BLOCK_GHCB_GPA(%rbp)
    ghcb_write_msr
    mov %r10, %rdx
    mov %r11, %rcx
    push %rbx                           // 8 mod 16 -> 0; the call makes it 8 again
    call *%r14

    pop %rbx
    xor %eax, %eax
    ghcb_write_msr                      // from here on the page is no longer this vCPU's
    mov LAUNCH_BLOCK(%rsp), %rbp
    mov BLOCK_GHCB_GVA(%rbp), %rdi
    mov %rax, BLOCK_GHCB_GPA(%rbp)
    mov $(4096 / 8), %ecx
    cld
    rep stosq                           // the next taker finds it as the host made it
    mov BLOCK_POOL(%rbp), %rbp
    lock btr %rbx, POOL_IN_USE(%rbp)
    ret                                 // to sevdbg_returned

// Where the guest's entry returns to. In: rsp as behind the return, so the block is found there.
    symbol sevdbg_returned
    cli
    mov (LAUNCH_BLOCK - 8)(%rsp), %rbx
    mov BLOCK_MAILBOX(%rbx), %rbx
    movl $MAILBOX_STATE_RETURNED, MAILBOX_STATE(%rbx)
    symbol sevdbg_returned_halt
    hlt
    jmp sevdbg_returned_halt

// Where a vCPU starts that is debugged through the stub: the first stop, before anything else.
    symbol sevdbg_debug_start
    int3
debug_started:                          // RIP of that #BP

// Ends the VM through the MSR protocol. In: eax = a STUB_ reason.
    symbol sevdbg_terminate
    shl $GHCB_MSR_TERM_REASON_SHIFT, %eax
    or $(GHCB_MSR_TERM_REQ | STUB_SET << GHCB_MSR_TERM_SET_SHIFT), %eax
    ghcb_write_msr
    vmgexit
1:  cli
    hlt                                 // a hypervisor that does not end it gets no further
    jmp 1b
