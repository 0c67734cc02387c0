// The handler of #VC (vector 29), on a stack of its own (IST1), for guests that have no IDT.
//
// It does through the GHCB what Linux's does: find out which instruction it was, ask the
// hypervisor, write the results to the guest's registers or memory, and go on behind the
// instruction.
//
// Register use, once a #VC is being handled:
//   rbp  the frame         rbx  the vCPU's GHCB page     rsi  the next byte of the instruction
//   r8   operand size      r9   size to be written, or bytes of the immediate
//   r12  opcode            r13  prefixes                 r14  REX     r15  segment
//
// Limits, each of which ends the VM in set STUB_SET: an exception that the hypervisor asks for
// cannot be raised, since the stub's IDT has no other vector; the memory operands of INS, OUTS and
// MOVS are reached with supervisor rights; a linear address of MMIO must be its GPA. A request that
// the guest itself is filling into the page when a #VC comes is lost: the page is the one that the
// guest uses.

// The frame: sixteen registers in their encoding order, then what the CPU pushed, then the block.
#define FRAME_RAX 0x00
#define FRAME_RCX 0x08
#define FRAME_RDX 0x10
#define FRAME_RBX 0x18
#define FRAME_GPR_RSP 0x20              /* copied to FRAME_RSP on the way out */
#define FRAME_RSI 0x30
#define FRAME_RDI 0x38
#define FRAME_ERROR 0x80                /* the exit code */
#define FRAME_RIP 0x88
#define FRAME_CS 0x90
#define FRAME_RFLAGS 0x98
#define FRAME_RSP 0xa0
#define FRAME_SS 0xa8
#define FRAME_BLOCK 0xb0                /* the stack starts right below the block */
#define FRAME_REGISTERS 16
#define BLOCK(field) (FRAME_BLOCK + field)(%rbp)

// A row of vc_events: the exit code, the opcode that it must come from (0: the handler looks), and
// the handler.
#define EVENT_EXIT_CODE 0
#define EVENT_OPCODE 4
#define EVENT_HANDLER 8                 /* relative to vc_events */
#define EVENT_SIZE 12

#define RFLAGS_TF 0x00100
#define RFLAGS_DF 0x00400
#define RFLAGS_RF 0x10000
#define RFLAGS_AC 0x40000

    // Makes a frame of what the CPU pushed, an error code included. Out: rbp = the frame.
    .macro push_frame
    push %r15
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push %rdi
    push %rsi
    push %rbp
    pushq (FRAME_RSP - 0x28)(%rsp)      // the slot of rsp: eleven registers are on the stack
    push %rbx
    push %rdx
    push %rcx
    push %rax
    mov %rsp, %rbp
    pushq $(RFLAGS_AC | 2)              // up, and past SMAP: the guest's memory may be the user's
    popfq
    .endm

handlers:
    symbol sevdbg_vc_handler
    push_frame
    cmpq $SVM_EXIT_DB, FRAME_ERROR(%rbp)
    je debug_trap
vc_enter:
    cmpb $0, BLOCK(BLOCK_IN_HANDLER)
    jne vc_nested
    movb $1, BLOCK(BLOCK_IN_HANDLER)
    ghcb_read_msr
    mov %rax, BLOCK(BLOCK_GUEST_MSR)
    mov BLOCK(BLOCK_GHCB_GVA), %rbx
    cmpq $0, BLOCK(BLOCK_GHCB_GPA)
    je vc_no_ghcb

// Finds the exit code's row, and goes to its handler if the instruction is the row's.
    mov FRAME_ERROR(%rbp), %rax
    lea vc_events(%rip), %rdi
    lea vc_events_end(%rip), %rdx
1:  cmp %rdx, %rdi
    je vc_unsupported
    mov EVENT_EXIT_CODE(%rdi), %ecx
    cmp %rcx, %rax
    je 2f
    add $EVENT_SIZE, %rdi
    jmp 1b
2:  mov %rdi, %r8
    call vc_decode
    mov EVENT_OPCODE(%r8), %ecx
    test %ecx, %ecx
    jz 3f
    cmp %ecx, %r12d                     // the hypervisor may have injected the #VC
    jne vc_not_decoded
3:  movslq EVENT_HANDLER(%r8), %rax
    lea vc_events(%rip), %rcx
    add %rcx, %rax
    jmp *%rax

// The instruction is done: the guest goes on at rsi.
    part vc_advance
    mov %rsi, FRAME_RIP(%rbp)
    andl $~RFLAGS_RF, FRAME_RFLAGS(%rbp)
// Back to the guest, at the RIP of the frame.
    part vc_leave
    ghcb_clear                          // the page is as empty as the guest may expect it
    mov BLOCK(BLOCK_GUEST_MSR), %rax
    ghcb_write_msr
    movb $0, BLOCK(BLOCK_IN_HANDLER)
    cmpb $0, BLOCK(BLOCK_STEPPING)
    jne debug_stepped                   // what is emulated raises no trap, and is a step all the same
    jmp frame_leave

// Starts a request in the page. Changes rax.
    part vc_request
    ghcb_clear
    mov BLOCK(BLOCK_VERSION), %ax
    mov %ax, GHCB_PROTOCOL_VERSION(%rbx)
    movl $0, GHCB_USAGE(%rbx)
    ret

// Sends the request in the page. In: eax = exit code, rcx = info 1, rdx = info 2.
// Returns when the hypervisor did what it was asked. Changes rax, rcx and rdx.
    part vc_exchange
    ghcb_set GHCB_SW_EXITCODE, %rax
    ghcb_set GHCB_SW_EXITINFO1, %rcx
    ghcb_set GHCB_SW_EXITINFO2, %rdx
    mov BLOCK(BLOCK_GHCB_GPA), %rax
    ghcb_write_msr                      // the guest may have used the MSR protocol since
    cmpb $0, BLOCK(BLOCK_DEBUGGED)
    jne debug_exchange
    vmgexit
vc_answered:
    mov GHCB_SW_EXITINFO1(%rbx), %eax
    cmp $1, %eax
    je vc_exception
    ja vc_refused
    ret

// The ways to give up: the mailbox says on what.
vc_unsupported:
    mov $STUB_UNSUPPORTED, %eax
    jmp vc_give_up
vc_exception:
    mov $STUB_EXCEPTION, %eax
    jmp vc_give_up
vc_refused:
    mov $STUB_REFUSED, %eax
    jmp vc_give_up
vc_not_decoded:
    mov $STUB_NOT_DECODED, %eax
    jmp vc_give_up
vc_no_ghcb:
    mov $STUB_NO_GHCB, %eax
    jmp vc_give_up
vc_nested:
    mov $STUB_NESTED, %eax
    jmp vc_give_up
vc_not_mmio:
    mov $STUB_NOT_MMIO, %eax
    part vc_give_up
    mov BLOCK(BLOCK_MAILBOX), %rdi
    mov %eax, MAILBOX_REASON(%rdi)
    mov FRAME_ERROR(%rbp), %rcx
    mov %rcx, MAILBOX_EXIT_CODE(%rdi)
    mov FRAME_RIP(%rbp), %rcx
    mov %rcx, MAILBOX_RIP(%rdi)
    movl $MAILBOX_STATE_TERMINATED, MAILBOX_STATE(%rdi)
    jmp sevdbg_terminate
