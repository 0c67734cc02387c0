// The debug stub: stops, steps and memory, for a host that sees nothing of the guest.
//
// It stops by HLT, which needs no GHCB, with the vCPU's frame in the mailbox. The host resumes it
// behind the HLT with a command. A step is RFLAGS.TF in the frame: the trap arrives as #VC with the
// exit code of #DB, or with DebugSwap as #DB. Breakpoints are INT3, and NMIs stop a vCPU that runs.
// #VC, #DB and #BP share a stack (IST1), as none of them comes while another is handled; the NMI
// handler has its own (IST2), which ends one block above it.
//
// Limits: a guest with an IDT of its own is out of reach; TF that the guest sets itself is not told
// from the step's; the host must not plant an INT3 in the handlers.

#define CR0_WP_BIT 16
#define DR6_BS_BIT 14
#define FRAME_QUADS (FRAME_BLOCK / 8)

// A trap of TF: the end of a step, or the guest's own, which has no handler.
    part debug_trap
    cmpb $0, BLOCK(BLOCK_STEPPING)
    je vc_enter
    mov %dr6, %rax
    btr $DR6_BS_BIT, %rax               // set by a step or not, it was not there for the guest
    mov %rax, %dr6
    part debug_stepped
    mov $STOP_STEP, %eax
    jmp debug_stop

// Vector 1: with DebugSwap #DB is not intercepted, and means the same.
    symbol sevdbg_db_handler
    pushq $SVM_EXIT_DB
    jmp sevdbg_vc_handler

    symbol sevdbg_bp_handler
    pushq $0                            // where other exceptions have an error code
    push_frame
    mov $STOP_BREAKPOINT, %eax
    lea debug_started(%rip), %rcx
    cmp %rcx, FRAME_RIP(%rbp)
    jne debug_stop
    mov BLOCK(BLOCK_START), %rcx
    mov %rcx, FRAME_RIP(%rbp)
    mov $STOP_ENTRY, %eax
    jmp debug_stop

// NMI. In the guest it is a stop; inside the handlers a note, which the way out looks at.
#define NMI_RIP 0x08                    /* from rsp, with rax saved */
#define NMI_RSP 0x20
#define NMI_BLOCK(field) (field + 0x30 - BLOCK_SIZE)(%rsp)

    symbol sevdbg_nmi_handler
    push %rax
    movb $1, NMI_BLOCK(BLOCK_NMI)
    lea handlers(%rip), %rax
    cmp %rax, NMI_RIP(%rsp)
    jb 1f
    lea handlers_end(%rip), %rax
    cmp %rax, NMI_RIP(%rsp)
    jb .Lnmi_inside
1:  .irp offset, 0, 8, 16, 24, 32       // the frame goes to the other stack, whose top is a block lower
    mov (NMI_RIP + \offset)(%rsp), %rax
    mov %rax, (NMI_RIP + \offset - BLOCK_SIZE)(%rsp)
    .endr
    movq $0, -BLOCK_SIZE(%rsp)          // in the place of an error code
    pop %rax
    lea (-8 - BLOCK_SIZE)(%rsp), %rsp
    push_frame
    mov $STOP_INTERRUPT, %eax
    jmp debug_stop

.Lnmi_inside:
    movb $1, NMI_BLOCK(BLOCK_INTERRUPTED)
    lea frame_leave(%rip), %rax
    cmp %rax, NMI_RIP(%rsp)
    jb 1f
    lea frame_leave_end(%rip), %rax
    cmp %rax, NMI_RIP(%rsp)
    jae 1f
    lea frame_leave_again(%rip), %rax   // registers are popped already, but the frame is still there
    mov %rax, NMI_RIP(%rsp)
    lea NMI_BLOCK(-FRAME_BLOCK), %rax
    mov %rax, NMI_RSP(%rsp)
1:  pop %rax
    iretq

// Back to what the frame says.
    part frame_leave_again
    mov %rsp, %rbp
    part frame_leave
    cmpb $0, BLOCK(BLOCK_DEBUGGED)
    je 1f
    cmpb $0, BLOCK(BLOCK_NMI)
    jne debug_nmi_complete
    mov $STOP_INTERRUPT, %eax
    cmpb $0, BLOCK(BLOCK_INTERRUPTED)
    jne debug_stop
    mov BLOCK(BLOCK_MAILBOX), %rbx
    mov $STOP_REQUESTED, %eax
    cmpl $0, MAILBOX_STOP_REQUEST(%rbx)
    jne debug_stop
1:  mov FRAME_GPR_RSP(%rbp), %rax
    mov %rax, FRAME_RSP(%rbp)
    pop %rax
    pop %rcx
    pop %rdx
    pop %rbx
    add $8, %rsp                        // rsp comes from what the CPU pushed
    pop %rbp
    pop %rsi
    pop %rdi
    pop %r8
    pop %r9
    pop %r10
    pop %r11
    pop %r12
    pop %r13
    pop %r14
    pop %r15
    add $8, %rsp                        // the error code
    iretq
frame_leave_end:

// KVM cannot see the IRET of an SEV-ES guest, and holds NMIs back until it is told of it. The guest
// may be filling its page: this goes through a page of the stub's own.
    part debug_nmi_complete
    movb $0, BLOCK(BLOCK_NMI)
    ghcb_read_msr
    mov %rax, %rdi
    mov BLOCK(BLOCK_MAILBOX), %rbx
    add $MAILBOX_OWN_GHCB, %rbx
    call vc_request
    mov $SVM_VMGEXIT_NMI_COMPLETE, %eax
    ghcb_set GHCB_SW_EXITCODE, %rax
    xor %eax, %eax
    ghcb_set GHCB_SW_EXITINFO1, %rax
    ghcb_set GHCB_SW_EXITINFO2, %rax
    mov %rbx, %rax                      // identity-mapped: also the GPA
    ghcb_write_msr
    vmgexit
    mov %rdi, %rax
    ghcb_write_msr
    jmp frame_leave

// The #VC handler's VMGEXIT, with a copy of the request for a host that comes when KVM has wiped it,
// and a halt behind it for one that KVM tells nothing: most exchanges never leave the kernel.
    part debug_exchange
    push %rsi
    push %rdi
    mov BLOCK(BLOCK_MAILBOX), %rdi
    mov BLOCK(BLOCK_GHCB_GPA), %rax
    mov %rax, MAILBOX_GHCB(%rdi)
    movl $MAILBOX_STATE_EXCHANGING, MAILBOX_STATE(%rdi)
    add $MAILBOX_SHADOW, %rdi
    mov %rbx, %rsi
    mov $(4096 / 8), %ecx
    rep movsq
    pop %rdi
    pop %rsi
    symbol sevdbg_debug_vmgexit
    vmgexit
    mov BLOCK(BLOCK_MAILBOX), %rax
    cmpl $0, MAILBOX_TRACE(%rax)
    je 1f
    incl MAILBOX_SEQUENCE(%rax)
    movl $MAILBOX_STATE_ANSWERED, MAILBOX_STATE(%rax)
    hlt
1:  movl $MAILBOX_STATE_RUNNING, MAILBOX_STATE(%rax)
    jmp vc_answered

    // Puts a register into the mailbox at rbx. Changes rax.
    .macro report_register register, field
    mov \register, %rax
    mov %rax, \field(%rbx)
    .endm

    // Puts an MSR into the mailbox at rbx. Changes rax, rcx and rdx.
    .macro report_msr number, field
    mov $\number, %ecx
    rdmsr
    mov %eax, \field(%rbx)
    mov %edx, (\field + 4)(%rbx)
    .endm

    // Puts a segment register into the mailbox at rbx. Changes rax and rcx.
    .macro report_segment register, number
    mov \register, %ecx
    mov %cx, (MAILBOX_SELECTORS + 2 * \number)(%rbx)
    xor %eax, %eax
    lar %cx, %eax                       // leaves eax alone for a selector that is null
    mov %eax, (MAILBOX_RIGHTS + 4 * \number)(%rbx)
    .endm

// Stops the vCPU whose frame is at rbp and rsp. In: eax = a STOP_ value.
    part debug_stop
    mov BLOCK(BLOCK_MAILBOX), %rbx
    mov %eax, MAILBOX_STOP(%rbx)
    sidt BLOCK(BLOCK_GUEST_IDTR)
    lidt BLOCK(BLOCK_STOP_IDTR)
    movb $0, BLOCK(BLOCK_STEPPING)
    movb $0, BLOCK(BLOCK_INTERRUPTED)
    movl $0, MAILBOX_STOP_REQUEST(%rbx)
    movl $COMMAND_NONE, MAILBOX_COMMAND(%rbx)
    lea MAILBOX_FRAME(%rbx), %rdi
    mov %rbp, %rsi
    mov $FRAME_QUADS, %ecx
    rep movsq
    report_register %cr0, MAILBOX_CR0
    report_register %cr2, MAILBOX_CR2
    report_register %cr3, MAILBOX_CR3
    report_register %cr4, MAILBOX_CR4
    report_register %cr8, MAILBOX_CR8
    report_register %dr6, MAILBOX_DR6
    report_register BLOCK(BLOCK_DR7), MAILBOX_DR7
    report_msr MSR_EFER, MAILBOX_EFER
    report_msr MSR_LSTAR, MAILBOX_LSTAR
    report_msr MSR_GHCB, MAILBOX_GHCB
    report_msr MSR_FS_BASE, MAILBOX_FS_BASE
    report_msr (MSR_FS_BASE + 1), MAILBOX_GS_BASE
    movq $1, MAILBOX_XCR0(%rbx)
    mov MAILBOX_CR4(%rbx), %rax
    bt $CR4_OSXSAVE_BIT, %eax
    jnc 1f
    xor %ecx, %ecx
    xgetbv
    mov %eax, MAILBOX_XCR0(%rbx)
    mov %edx, (MAILBOX_XCR0 + 4)(%rbx)
1:  sgdt MAILBOX_GDTR(%rbx)
    lea MAILBOX_IDTR(%rbx), %rdi
    lea BLOCK(BLOCK_GUEST_IDTR), %rsi
    mov $10, %ecx
    rep movsb
    report_segment %es, 0
    report_segment FRAME_CS(%rbp), 1
    report_segment FRAME_SS(%rbp), 2
    report_segment %ds, 3
    report_segment %fs, 4
    report_segment %gs, 5
    sldt (MAILBOX_SELECTORS + 12)(%rbx)
    str (MAILBOX_SELECTORS + 14)(%rbx)

    movq $0, MAILBOX_CODE_SIZE(%rbx)    // as much code as there is, to the end of its page or beyond
    lea debug_report(%rip), %rax
    mov %rax, BLOCK(BLOCK_FIXUP)
    mov FRAME_RIP(%rbp), %rsi
    mov (%rsi), %rax
    mov %rax, MAILBOX_CODE(%rbx)
    movq $8, MAILBOX_CODE_SIZE(%rbx)
    mov 8(%rsi), %rax
    mov %rax, (MAILBOX_CODE + 8)(%rbx)
    movq $16, MAILBOX_CODE_SIZE(%rbx)
    part debug_report
    incl MAILBOX_SEQUENCE(%rbx)
    movl $MAILBOX_STATE_STOPPED, MAILBOX_STATE(%rbx)
    symbol sevdbg_debug_halt
    hlt
    mov MAILBOX_COMMAND(%rbx), %eax
    movl $COMMAND_NONE, MAILBOX_COMMAND(%rbx)
    test %eax, %eax
    jz sevdbg_debug_halt                // an NMI woke it, and the host has not spoken yet
    cmp $COMMAND_STEP, %eax
    jbe .Ldebug_resume
    mov MAILBOX_ADDRESS(%rbx), %rdx
    mov MAILBOX_COUNT(%rbx), %rcx
    movl $RESULT_REFUSED, MAILBOX_RESULT(%rbx)
    cmp $MAILBOX_DATA_SIZE, %rcx
    ja debug_report
    cmp $COMMAND_READ, %eax
    je .Ldebug_read
    cmp $COMMAND_WRITE, %eax
    jne debug_report

    mov %cr0, %r8
    mov %r8, %rax
    btr $CR0_WP_BIT, %rax               // code is not writable, and breakpoints are written into it
    mov %rax, %cr0
    lea .Ldebug_write_fault(%rip), %rax
    mov %rax, BLOCK(BLOCK_FIXUP)
    lea MAILBOX_DATA(%rbx), %rsi
    mov %rdx, %rdi
    rep movsb
    mov %r8, %cr0
    jmp .Ldebug_done
.Ldebug_write_fault:
    mov %r8, %cr0
.Ldebug_fault:
    movl $RESULT_FAULT, MAILBOX_RESULT(%rbx)
    jmp debug_report

.Ldebug_read:
    lea .Ldebug_fault(%rip), %rax
    mov %rax, BLOCK(BLOCK_FIXUP)
    lea MAILBOX_DATA(%rbx), %rdi
    mov %rdx, %rsi
    rep movsb
.Ldebug_done:
    movl $RESULT_OK, MAILBOX_RESULT(%rbx)
    jmp debug_report

// Takes the registers, which the host may have changed, and goes on. In: eax = the command.
.Ldebug_resume:
    lea MAILBOX_FRAME(%rbx), %rsi
    mov %rbp, %rdi
    mov $FRAME_REGISTERS, %ecx
    rep movsq
    mov (MAILBOX_FRAME + FRAME_RIP)(%rbx), %rcx
    mov %rcx, FRAME_RIP(%rbp)
    mov (MAILBOX_FRAME + FRAME_RFLAGS)(%rbx), %rcx
    mov %rcx, FRAME_RFLAGS(%rbp)
    cmp $COMMAND_STEP, %eax
    jne 1f
    movb $1, BLOCK(BLOCK_STEPPING)
    orl $RFLAGS_TF, FRAME_RFLAGS(%rbp)
1:  mov $MAILBOX_STATE_RUNNING, %eax
    lea sevdbg_returned_halt(%rip), %rcx
    cmp %rcx, FRAME_RIP(%rbp)
    jne 2f
    mov $MAILBOX_STATE_RETURNED, %eax   // it has said so before, and the stop wrote over it
2:  mov %eax, MAILBOX_STATE(%rbx)
    lidt BLOCK(BLOCK_GUEST_IDTR)
    jmp frame_leave

// The handlers of the IDT that is loaded while the stub stands still: rbp is the frame, and the
// stack in use is its own. Faults that have an error code, #VC among them, come from a command.
    symbol sevdbg_debug_fault
    add $8, %rsp                        // the error code
    mov MAILBOX_CR2(%rbx), %rax         // the guest's, as no fault of its own came since
    mov %rax, %cr2
    mov BLOCK(BLOCK_FIXUP), %rax
    mov %rax, (%rsp)
    iretq

    symbol sevdbg_debug_nmi
    movb $1, BLOCK(BLOCK_NMI)
    iretq
handlers_end:
