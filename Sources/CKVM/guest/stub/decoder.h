// Decoding, as far as the handler needs it (APM volume 3, sections 1.2 to 1.4). 64-bit code only.

#define PREFIX_OPERAND16 1
#define PREFIX_ADDRESS32 2
#define PREFIX_REPEAT 4

#define REX_B 1
#define REX_X 2
#define REX_R 4
#define REX_W 8

#define SEGMENT_ES 0
#define SEGMENT_DS 3
#define SEGMENT_FS 4

// Decodes prefixes and opcode of the instruction at the frame's RIP.
// Out: rsi behind the opcode, r12d = opcode (0x0f.. and 0x0f01.. for those of two and three bytes),
// r13d = PREFIX_ flags, r14d = REX or 0, r15d = segment of a memory operand. Changes rax and rcx.
    part vc_decode
    mov FRAME_RIP(%rbp), %rsi
    xor %r13d, %r13d
    mov $SEGMENT_DS, %r15d
.Lafter_prefix:
    xor %r14d, %r14d                    // REX counts only right before the opcode
.Lnext_byte:
    mov %rsi, %rax
    sub FRAME_RIP(%rbp), %rax
    cmp $15, %rax                       // the longest instruction there is
    jae vc_not_decoded
    movzbl (%rsi), %eax
    inc %rsi
    mov %eax, %ecx
    and $0xf0, %ecx
    cmp $0x40, %ecx
    je .Lrex
    cmp $0x66, %eax
    je .Loperand16
    cmp $0x67, %eax
    je .Laddress32
    cmp $0xf0, %eax
    je .Lafter_prefix                   // LOCK
    mov %eax, %ecx
    and $0xfe, %ecx
    cmp $0xf2, %ecx
    je .Lrepeat
    cmp $0x64, %ecx
    je .Lfs_gs
    mov %eax, %ecx
    and $0xe7, %ecx
    cmp $0x26, %ecx
    je .Lafter_prefix                   // ES, CS, SS, DS: base 0 in 64-bit code

    mov %eax, %r12d
    cmp $0x0f, %eax
    jne 1f
    movzbl (%rsi), %r12d
    inc %rsi
    or $0x0f00, %r12d
    cmp $0x0f01, %r12d                  // the third byte says which of a group it is
    jne 1f
    shl $8, %r12d
    movzbl (%rsi), %eax
    inc %rsi
    or %eax, %r12d
1:  ret

.Lrex:
    mov %eax, %r14d
    jmp .Lnext_byte
.Loperand16:
    or $PREFIX_OPERAND16, %r13d
    jmp .Lafter_prefix
.Laddress32:
    or $PREFIX_ADDRESS32, %r13d
    jmp .Lafter_prefix
.Lrepeat:
    or $PREFIX_REPEAT, %r13d
    jmp .Lafter_prefix
.Lfs_gs:
    mov %eax, %r15d
    sub $(0x64 - SEGMENT_FS), %r15d
    jmp .Lafter_prefix

// Out: r8d = operand size in bytes, of an opcode whose lowest bit tells bytes from the rest.
vc_operand_size:
    mov $1, %r8d
    test $1, %r12d
    jz 1f
// Out: r8d = operand size in bytes, of an opcode that has no byte form.
vc_wide_operand_size:
    mov $8, %r8d
    test $REX_W, %r14d
    jnz 1f
    mov $2, %r8d
    test $PREFIX_OPERAND16, %r13d
    jnz 1f
    mov $4, %r8d
1:  ret

// Decodes ModRM, SIB and displacement. In: rsi at ModRM, r9 = bytes of the immediate behind them.
// Out: rsi behind them, rdi = linear address of the memory operand, r10 = number of the register
// operand. Changes rax, rcx, rdx and r11.
    part vc_modrm
    movzbl (%rsi), %eax
    inc %rsi
    mov %eax, %r11d
    shr $6, %r11d                       // mod
    cmp $3, %r11d
    je vc_not_decoded                   // no memory operand
    mov %eax, %r10d
    shr $3, %r10d
    and $7, %r10d
    mov %r14d, %ecx
    and $REX_R, %ecx
    lea (%r10, %rcx, 2), %r10d          // REX.R is bit 3 of the number
    and $7, %eax                        // r/m
    cmp $4, %eax
    je .Lsib
    cmp $5, %eax
    jne .Lbase
    test %r11d, %r11d
    jnz .Lbase
    movslq (%rsi), %rdi                 // relative to the next instruction
    add $4, %rsi
    add %rsi, %rdi
    add %r9, %rdi
    jmp vc_linear

.Lsib:
    movzbl (%rsi), %edx
    inc %rsi
    xor %edi, %edi
    mov %edx, %eax
    shr $3, %eax
    and $7, %eax
    mov %r14d, %ecx
    and $REX_X, %ecx
    lea (%rax, %rcx, 4), %eax           // index
    cmp $4, %eax
    je 1f                               // none
    mov (%rbp, %rax, 8), %rdi
    mov %edx, %ecx
    shr $6, %ecx
    shl %cl, %rdi
1:  mov %edx, %eax
    and $7, %eax
    cmp $5, %eax
    jne .Ladd_base
    test %r11d, %r11d
    jnz .Ladd_base
    movslq (%rsi), %rax                 // a displacement instead of a base
    add $4, %rsi
    add %rax, %rdi
    jmp vc_linear

.Lbase:
    xor %edi, %edi
.Ladd_base:
    mov %r14d, %ecx
    and $REX_B, %ecx
    lea (%rax, %rcx, 8), %eax
    add (%rbp, %rax, 8), %rdi
    cmp $1, %r11d
    jb vc_linear                        // no displacement
    je 1f
    movslq (%rsi), %rax
    add $4, %rsi
    add %rax, %rdi
    jmp vc_linear
1:  movsbq (%rsi), %rax
    inc %rsi
    add %rax, %rdi
// Makes the offset rdi in segment r15 a linear address. Changes rax, rcx and rdx.
    part vc_linear
    test $PREFIX_ADDRESS32, %r13d
    jz 1f
    mov %edi, %edi
1:  cmp $SEGMENT_FS, %r15d
    jb 2f
    mov $(MSR_FS_BASE - SEGMENT_FS), %ecx
    add %r15d, %ecx
    rdmsr                               // passed through
    shl $32, %rdx
    add %rdx, %rdi
    add %rax, %rdi
2:  ret

// Out: rdx = the place in the frame of register r10 as an operand of ecx bytes.
    part vc_register
    lea (%rbp, %r10, 8), %rdx
    cmp $1, %ecx
    jne 1f
    test %r14d, %r14d
    jnz 1f
    cmp $4, %r10d
    jb 1f
    sub $(4 * 8 - 1), %rdx              // without REX, 4 to 7 are AH, CH, DH and BH
1:  ret

// Cuts rax to r8d bytes.
    part vc_truncate
    cmp $2, %r8d
    ja 2f
    je 1f
    movzbl %al, %eax
    ret
1:  movzwl %ax, %eax
    ret
2:  cmp $4, %r8d
    ja 3f
    mov %eax, %eax
3:  ret

// Writes rax to register r10 as an operand of r9d bytes. Changes rcx and rdx.
    part vc_write_register
    mov %r9d, %ecx
    call vc_register
    cmp $2, %r9d
    ja 2f
    je 1f
    mov %al, (%rdx)
    ret
1:  mov %ax, (%rdx)
    ret
2:  cmp $4, %r9d
    ja 3f
    mov %eax, %eax                      // the upper half becomes zero
3:  mov %rax, (%rdx)
    ret

// String instructions: adds r10 elements of r8 bytes to the register at rdi, in the direction of
// DF. Changes rax.
vc_step_pointer:
    mov %r10, %rax
    imul %r8, %rax
    testl $RFLAGS_DF, FRAME_RFLAGS(%rbp)
    jz vc_step_register
    neg %rax
// Adds rax to the register at rdi; 32 bits of it with an address-size prefix. Out: rax = the sum.
vc_step_register:
    add (%rdi), %rax
    test $PREFIX_ADDRESS32, %r13d
    jz 1f
    mov %eax, %eax
1:  mov %rax, (%rdi)
    ret

// The end of a string instruction that did r10 elements; r12 = the next RIP. With REP, and elements
// left, the guest executes it again, as after an interrupt.
    part vc_string_done
    test $PREFIX_REPEAT, %r13d
    jz 1f
    mov %r10, %rax
    neg %rax
    lea FRAME_RCX(%rbp), %rdi
    call vc_step_register
    test %rax, %rax
    jnz vc_leave
1:  mov %r12, %rsi
    jmp vc_advance
