// The table of events (EVENT_ in handler.h has its columns), and the handlers of those that neither
// move data through ports nor memory.

#define OPCODE_INVD 0x0f08
#define OPCODE_WBINVD 0x0f09
#define OPCODE_MONITOR 0x0f01c8
#define OPCODE_MWAIT 0x0f01c9
#define OPCODE_VMMCALL 0x0f01d9
#define OPCODE_READ_DR 0x0f21
#define OPCODE_WRITE_DR 0x0f23
#define OPCODE_WRMSR 0x0f30
#define OPCODE_RDMSR 0x0f32
#define OPCODE_RDPMC 0x0f33
#define OPCODE_CPUID 0x0fa2

    .macro event code, opcode, handler
    .long \code, \opcode, \handler - vc_events
    .endm

    .balign 4
    part vc_events
    event SVM_EXIT_READ_DR7, OPCODE_READ_DR, vc_read_dr7
    event SVM_EXIT_WRITE_DR7, OPCODE_WRITE_DR, vc_write_dr7
    event SVM_EXIT_RDPMC, OPCODE_RDPMC, vc_rdpmc
    event SVM_EXIT_CPUID, OPCODE_CPUID, vc_cpuid
    event SVM_EXIT_INVD, OPCODE_INVD, vc_invd
    event SVM_EXIT_IOIO, 0, vc_ioio
    event SVM_EXIT_MSR, 0, vc_msr
    event SVM_EXIT_VMMCALL, OPCODE_VMMCALL, vc_vmmcall
    event SVM_EXIT_WBINVD, OPCODE_WBINVD, vc_wbinvd
    event SVM_EXIT_MONITOR, OPCODE_MONITOR, vc_monitor
    event SVM_EXIT_MWAIT, OPCODE_MWAIT, vc_mwait
    event SVM_EXIT_NPF, 0, vc_mmio
vc_events_end:

    // Puts the lower 32 bits of a register of the guest into the page. Changes rax.
    .macro request_register32 frame, field
    mov \frame(%rbp), %eax
    ghcb_set \field, %rax
    .endm

    // Puts a register of the guest into the page. Changes rax.
    .macro request_register frame, field
    mov \frame(%rbp), %rax
    ghcb_set \field, %rax
    .endm

    // Takes the lower 32 bits of an answer into a register of the guest. Changes rax.
    .macro answer_register32 field, frame
    ghcb_get \field, %rax, vc_refused
    mov %eax, %eax
    mov %rax, \frame(%rbp)
    .endm

#define CR4_OSXSAVE_BIT 18

    part vc_cpuid
    call vc_request
    request_register32 FRAME_RAX, GHCB_RAX
    request_register32 FRAME_RCX, GHCB_RCX
    cmpl $0xd, FRAME_RAX(%rbp)
    jne 2f
    mov $1, %eax                        // XCR0 as it is when the guest cannot have changed it
    mov %cr4, %rdx
    bt $CR4_OSXSAVE_BIT, %edx
    jnc 1f
    xor %ecx, %ecx
    xgetbv
    shl $32, %rdx
    or %rdx, %rax
1:  ghcb_set GHCB_XCR0, %rax
    cmpw $2, BLOCK(BLOCK_VERSION)
    jb 2f
    mov $MSR_XSS, %ecx                  // every processor with SEV-ES has it; passed through
    rdmsr
    shl $32, %rdx
    or %rdx, %rax
    ghcb_set GHCB_XSS, %rax             // version 2 asks for it
2:  mov $SVM_EXIT_CPUID, %eax
    xor %ecx, %ecx
    xor %edx, %edx
    call vc_exchange
    answer_register32 GHCB_RAX, FRAME_RAX
    answer_register32 GHCB_RBX, FRAME_RBX
    answer_register32 GHCB_RCX, FRAME_RCX
    answer_register32 GHCB_RDX, FRAME_RDX
    jmp vc_advance

    part vc_msr
    call vc_request
    request_register32 FRAME_RCX, GHCB_RCX
    mov $SVM_EXIT_MSR, %eax
    xor %edx, %edx
    xor %ecx, %ecx                      // info 1: read
    cmp $OPCODE_RDMSR, %r12d
    je vc_exchange_rax_rdx
    cmp $OPCODE_WRMSR, %r12d
    jne vc_not_decoded
    request_register32 FRAME_RAX, GHCB_RAX
    request_register32 FRAME_RDX, GHCB_RDX
    mov $SVM_EXIT_MSR, %eax
    mov $1, %ecx                        // info 1: write
    call vc_exchange
    jmp vc_advance

    part vc_rdpmc
    call vc_request
    request_register32 FRAME_RCX, GHCB_RCX
    mov $SVM_EXIT_RDPMC, %eax
    xor %ecx, %ecx
    xor %edx, %edx
// For instructions that return 64 bits in edx:eax.
vc_exchange_rax_rdx:
    call vc_exchange
    answer_register32 GHCB_RAX, FRAME_RAX
    answer_register32 GHCB_RDX, FRAME_RDX
    jmp vc_advance

// The hypercall of KVM: number in rax, arguments in rbx, rcx, rdx and rsi, result in rax.
    part vc_vmmcall
    call vc_request
    request_register FRAME_RAX, GHCB_RAX
    request_register FRAME_RBX, GHCB_RBX
    request_register FRAME_RCX, GHCB_RCX
    request_register FRAME_RDX, GHCB_RDX
    request_register FRAME_RSI, GHCB_RSI
    mov FRAME_CS(%rbp), %al
    and $3, %al
    mov %al, GHCB_CPL(%rbx)
    ghcb_mark GHCB_CPL
    mov $SVM_EXIT_VMMCALL, %eax
    xor %ecx, %ecx
    xor %edx, %edx
    call vc_exchange
    ghcb_get GHCB_RAX, %rax, vc_refused
    mov %rax, FRAME_RAX(%rbp)
    jmp vc_advance

    part vc_monitor
    call vc_request
    mov FRAME_RAX(%rbp), %rdi
    call vc_linear                      // identity-mapped: the GPA that the event wants
    ghcb_set GHCB_RAX, %rdi
    request_register32 FRAME_RCX, GHCB_RCX
    request_register32 FRAME_RDX, GHCB_RDX
    mov $SVM_EXIT_MONITOR, %eax
    jmp vc_exchange_nothing

    part vc_mwait
    call vc_request
    request_register32 FRAME_RAX, GHCB_RAX
    request_register32 FRAME_RCX, GHCB_RCX
    mov $SVM_EXIT_MWAIT, %eax
    jmp vc_exchange_nothing

    part vc_invd
    call vc_request
    mov $SVM_EXIT_INVD, %eax
    jmp vc_exchange_nothing

    part vc_wbinvd
    call vc_request
    mov $SVM_EXIT_WBINVD, %eax
// For events without information words and without an answer. In: eax = exit code.
vc_exchange_nothing:
    xor %ecx, %ecx
    xor %edx, %edx
    call vc_exchange
    jmp vc_advance

#define DR7_RESERVED_ZERO 0xdc00        /* bits 10, 11, 12, 14 and 15; 10 is set again */
#define DR7_ALWAYS_ONE 0x400

// MOV from DR7: what the guest last wrote, as Linux answers it; the hypervisor is not asked.
    part vc_read_dr7
    call vc_debug_operand
    mov BLOCK(BLOCK_DR7), %rax
    mov %rax, (%rdx)
    jmp vc_advance

// MOV to DR7: the hypervisor hears of it (KVM does nothing), and the stub remembers it.
    part vc_write_dr7
    call vc_debug_operand
    mov (%rdx), %rdi
    mov %rdi, %rax
    shr $32, %rax
    jnz vc_exception                    // #GP(0)
    and $~DR7_RESERVED_ZERO, %edi
    or $DR7_ALWAYS_ONE, %edi
    call vc_request
    ghcb_set GHCB_RAX, %rdi
    mov $SVM_EXIT_WRITE_DR7, %eax
    xor %ecx, %ecx
    xor %edx, %edx
    call vc_exchange
    mov %rdi, BLOCK(BLOCK_DR7)
    jmp vc_advance

// Decodes the ModRM byte of MOV from or to a debug register: r/m is a general register, whatever
// mod says. Out: rsi behind it, rdx = the register's place in the frame. Changes rax, rcx and r10.
vc_debug_operand:
    movzbl (%rsi), %r10d
    inc %rsi
    and $7, %r10d
    mov %r14d, %ecx
    and $REX_B, %ecx
    lea (%r10, %rcx, 8), %r10d
    mov $8, %ecx
    jmp vc_register
