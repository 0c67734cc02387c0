// Memory accesses where no RAM is (exit code 0x400, which becomes an MMIO read or write event).
//
// The linear address is taken for the GPA, as sevdbg maps memory. One element of a string at a
// time.

    part vc_mmio
    call vc_operand_size
    xor %r9d, %r9d                      // no immediate behind the operand
    mov %r12d, %eax
    and $~1, %eax                       // without the bit that tells bytes from the rest
    cmp $0x88, %eax
    je .Lmmio_store
    cmp $0x8a, %eax
    je .Lmmio_load
    cmp $0xc6, %eax
    je .Lmmio_store_immediate
    cmp $0xa0, %eax
    je .Lmmio_load_offset
    cmp $0xa2, %eax
    je .Lmmio_store_offset
    cmp $0xa4, %eax
    je .Lmmio_movs
    cmp $0xaa, %eax
    je .Lmmio_stos
    cmp $0x0fb6, %eax
    je .Lmmio_movzx
    cmp $0x0fbe, %eax
    je .Lmmio_movsx
    cmp $0x63, %r12d
    je .Lmmio_movsxd
    jmp vc_not_decoded

// MOV to memory: from a register, an immediate, or rax at an absolute address.
.Lmmio_store:
    call vc_modrm
    mov %r8d, %ecx
    call vc_register
    mov (%rdx), %rax
    jmp .Lmmio_write
.Lmmio_store_immediate:
    mov %r8d, %r9d
    mov $4, %eax
    cmp %eax, %r9d
    cmova %eax, %r9d                    // 64 bits have an immediate of 32
    call vc_modrm
    test %r10d, %r10d
    jnz vc_not_decoded                  // C6 and C7 are MOV only with register number 0
    movsbq (%rsi), %rax
    cmp $2, %r9d
    jb 1f
    movswq (%rsi), %rax
    je 1f
    movslq (%rsi), %rax
1:  add %r9, %rsi
    jmp .Lmmio_write
.Lmmio_store_offset:
    call vc_absolute
    mov FRAME_RAX(%rbp), %rax
.Lmmio_write:
    call vc_truncate
    mov %rax, GHCB_SHARED_BUFFER(%rbx)
    mov $SVM_VMGEXIT_MMIO_WRITE, %eax
    call vc_mmio_exchange
    jmp vc_advance

// MOV from memory; MOVZX, MOVSX and MOVSXD, where r8 is the size of the source.
.Lmmio_load:
    call vc_modrm
    mov %r8d, %r9d
    jmp .Lmmio_read
.Lmmio_load_offset:
    call vc_absolute
    xor %r10d, %r10d
    mov %r8d, %r9d
.Lmmio_read:
    call vc_mmio_value
    call vc_write_register
    jmp vc_advance
.Lmmio_movzx:
    call .Lmmio_extend
    call vc_mmio_value
    call vc_write_extended
    jmp vc_advance
.Lmmio_movsx:
    call .Lmmio_extend
    call vc_mmio_value
    movsbq %al, %rcx
    cmp $1, %r8d
    je 1f
    movswq %ax, %rcx
1:  mov %rcx, %rax
    call vc_write_extended
    jmp vc_advance
.Lmmio_movsxd:
    call vc_modrm
    call vc_wide_operand_size
    mov %r8d, %r9d
    mov $4, %eax
    cmp %eax, %r8d
    cmova %eax, %r8d
    call vc_mmio_value
    movslq %eax, %rax
    call vc_write_register
    jmp vc_advance

// Decodes the operands of MOVZX and MOVSX. Out: r8d = 1 or 2, rdi = address, r10 = register.
.Lmmio_extend:
    call vc_modrm
    mov %r12d, %r8d
    and $1, %r8d
    inc %r8d
    ret

// Writes rax to register r10 in the operand size of an instruction that has no byte form.
vc_write_extended:
    call vc_wide_operand_size
    mov %r8d, %r9d
    jmp vc_write_register

.Lmmio_stos:
    mov FRAME_RAX(%rbp), %rax
    call vc_truncate
    mov %rax, GHCB_SHARED_BUFFER(%rbx)
    mov %rsi, %r12
    jmp .Lmmio_store_element
.Lmmio_movs:
    mov %rsi, %r12                      // r12 = the next RIP
    mov FRAME_RSI(%rbp), %rdi
    call vc_linear
    call vc_mmio_fetch
    mov $1, %r10d
    lea FRAME_RSI(%rbp), %rdi
    call vc_step_pointer
.Lmmio_store_element:
    mov $SEGMENT_ES, %r15d
    mov FRAME_RDI(%rbp), %rdi
    call vc_linear
    call vc_mmio_deposit
    mov $1, %r10d
    lea FRAME_RDI(%rbp), %rdi
    call vc_step_pointer
    jmp vc_string_done

// Moves r8 bytes from rdi, RAM or not, to the shared buffer. Changes rax, rcx, rdx, rsi and rdi.
vc_mmio_fetch:
    mov $SVM_VMGEXIT_MMIO_READ, %eax
    cmp BLOCK(BLOCK_RAM_END), %rdi
    jae vc_mmio_exchange
    mov %rdi, %rsi
    lea GHCB_SHARED_BUFFER(%rbx), %rdi
    mov %r8d, %ecx
    rep movsb
    ret

// Moves r8 bytes from the shared buffer to rdi, RAM or not. Changes rax, rcx, rdx, rsi and rdi.
vc_mmio_deposit:
    mov $SVM_VMGEXIT_MMIO_WRITE, %eax
    cmp BLOCK(BLOCK_RAM_END), %rdi
    jae vc_mmio_exchange
    lea GHCB_SHARED_BUFFER(%rbx), %rsi
    mov %r8d, %ecx
    rep movsb
    ret

// The address in the instruction itself (A0 to A3). Out: rdi = linear address, rsi behind it.
vc_absolute:
    test $PREFIX_ADDRESS32, %r13d
    jnz 1f
    mov (%rsi), %rdi
    add $8, %rsi
    jmp vc_linear
1:  mov (%rsi), %edi
    add $4, %rsi
    jmp vc_linear

// Out: rax = the r8 bytes at rdi, zero-extended. Changes rcx and rdx.
vc_mmio_value:
    mov $SVM_VMGEXIT_MMIO_READ, %eax
    call vc_mmio_exchange
    mov GHCB_SHARED_BUFFER(%rbx), %rax
    jmp vc_truncate

// Asks for r8 bytes at GPA rdi through the shared buffer. In: eax = exit code.
// Changes rax, rcx and rdx.
    part vc_mmio_exchange
    cmp BLOCK(BLOCK_RAM_END), %rdi
    jb vc_not_mmio
    mov %eax, %edx
    call vc_request
    mov BLOCK(BLOCK_GHCB_GPA), %rax
    add $GHCB_SHARED_BUFFER, %rax
    ghcb_set GHCB_SW_SCRATCH, %rax
    mov %edx, %eax
    mov %rdi, %rcx
    mov %r8, %rdx
    jmp vc_exchange
