// IN, OUT, INS and OUTS (exit code 0x7B; information word: REFERENCE 3b).

#define OPCODE_STRING 0x6c              /* INS and OUTS: 6C to 6F */
#define OPCODE_PORT_IMMEDIATE 0xe4      /* IN and OUT: E4 to E7 */
#define OPCODE_PORT_DX 0xec             /* EC to EF */
#define OPCODE_OUTPUT 2                 /* the bit that tells OUT from IN in all of them */

    part vc_ioio
    call vc_operand_size
    cmp $4, %r8d
    jbe 1f
    mov $4, %r8d                        // REX.W makes no difference to 32 bits
1:  mov %r8d, %r9d                      // r9 = information word 1
    shl $IOIO_SIZE_SHIFT, %r9d
    test $OPCODE_OUTPUT, %r12d
    jnz 1f
    or $IOIO_IN, %r9d
1:  mov $IOIO_ADDRESS64, %eax
    test $PREFIX_ADDRESS32, %r13d
    jz 1f
    mov $IOIO_ADDRESS32, %eax
1:  or %eax, %r9d
    mov %r12d, %eax
    and $~3, %eax
    movzwl FRAME_RDX(%rbp), %ecx        // the port
    cmp $OPCODE_PORT_DX, %eax
    je .Lport_single
    cmp $OPCODE_STRING, %eax
    je .Lport_string
    cmp $OPCODE_PORT_IMMEDIATE, %eax
    jne vc_not_decoded
    movzbl (%rsi), %ecx
    inc %rsi

.Lport_single:
    shl $IOIO_PORT_SHIFT, %ecx
    or %ecx, %r9d
    call vc_request
    test $OPCODE_OUTPUT, %r12d
    jz 1f
    mov FRAME_RAX(%rbp), %rax
    call vc_truncate                    // the rest of rax is nobody's business
    ghcb_set GHCB_RAX, %rax
1:  mov $SVM_EXIT_IOIO, %eax
    mov %r9, %rcx
    xor %edx, %edx
    call vc_exchange
    test $OPCODE_OUTPUT, %r12d
    jnz vc_advance
    ghcb_get GHCB_RAX, %rax, vc_refused
    xor %r10d, %r10d                    // register 0: AL and AX keep the rest of rax
    mov %r8d, %r9d
    call vc_write_register
    jmp vc_advance

// As many elements as fit into the shared buffer go in one exit.
.Lport_string:
    shl $IOIO_PORT_SHIFT, %ecx
    lea IOIO_STRING(%r9, %rcx), %r9d
    mov $1, %r10d                       // r10 = elements
    test $PREFIX_REPEAT, %r13d
    jz 1f
    or $IOIO_REP, %r9d
    mov FRAME_RCX(%rbp), %r10
    test $PREFIX_ADDRESS32, %r13d
    jz 1f
    mov %r10d, %r10d
1:  test %r10, %r10
    jz vc_advance
    mov $GHCB_SHARED_BUFFER_SIZE, %eax
    bsf %r8d, %ecx
    shr %cl, %eax
    cmp %rax, %r10
    cmova %rax, %r10
    xor %r11d, %r11d                    // r11 = from the end of one element to the next
    testl $RFLAGS_DF, FRAME_RFLAGS(%rbp)
    jz 1f
    imul $-2, %r8, %r11
1:  test $OPCODE_OUTPUT, %r12d
    mov %rsi, %r12                      // r12 = the next RIP
    jnz .Lport_outs

    mov $SEGMENT_ES, %r15d              // INS takes no other
    call .Lport_exchange
    mov FRAME_RDI(%rbp), %rdi
    call vc_linear
    lea GHCB_SHARED_BUFFER(%rbx), %rsi
    mov %r10, %rdx
1:  mov %r8d, %ecx
    rep movsb
    add %r11, %rdi
    dec %rdx
    jnz 1b
    lea FRAME_RDI(%rbp), %rdi
    jmp .Lport_string_done

.Lport_outs:
    mov FRAME_RSI(%rbp), %rdi
    call vc_linear
    mov %rdi, %rsi
    lea GHCB_SHARED_BUFFER(%rbx), %rdi
    mov %r10, %rdx
1:  mov %r8d, %ecx
    rep movsb
    add %r11, %rsi
    dec %rdx
    jnz 1b
    call .Lport_exchange
    lea FRAME_RSI(%rbp), %rdi
.Lport_string_done:
    call vc_step_pointer
    jmp vc_string_done

// Exchanges r10 elements through the shared buffer. Changes rax, rcx, rdx and r9.
.Lport_exchange:
    mov %r15d, %eax
    shl $IOIO_SEGMENT_SHIFT, %eax
    or %eax, %r9d
    call vc_request
    mov BLOCK(BLOCK_GHCB_GPA), %rax
    add $GHCB_SHARED_BUFFER, %rax
    ghcb_set GHCB_SW_SCRATCH, %rax
    mov $SVM_EXIT_IOIO, %eax
    mov %r9, %rcx
    mov %r10, %rdx
    jmp vc_exchange
