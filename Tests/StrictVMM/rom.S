// A guest for QEMU as its BIOS, 64 KiB: goes to long mode and gives out 0, 1, 2 … at port 0xe9, for ever.
    .code16
    .text
start:
    cli
    xor     %ax, %ax
    mov     %ax, %ds
    movl    $0x2003, 0x1000             // identity map of the first 2 MiB
    movl    $0, 0x1004
    movl    $0x3003, 0x2000
    movl    $0, 0x2004
    movl    $0x83, 0x3000
    movl    $0, 0x3004
    mov     $0x20, %eax                 // PAE
    mov     %eax, %cr4
    mov     $0x1000, %eax
    mov     %eax, %cr3
    mov     $0xc0000080, %ecx           // EFER.LME
    rdmsr
    or      $0x100, %eax
    wrmsr
    lgdtl   %cs:table_pointer
    mov     $0x80000011, %eax           // PG, ET, PE
    mov     %eax, %cr0
    ljmpl   $8, $0xf0000 + long_mode

    .balign 8
table:
    .quad   0
    .quad   0x00af9b000000ffff
    .quad   0x00cf93000000ffff
table_pointer:
    .word   23
    .long   0xf0000 + table

    .code64
long_mode:
    mov     $16, %eax
    mov     %eax, %ss
    mov     $0x8000, %esp
    xor     %ebx, %ebx
next:
    mov     %ebx, %eax
    out     %al, $0xe9
    inc     %rbx
    mov     %rbx, (%rsp)
    jmp     next

    .org    0xfff0
    .code16
    ljmp    $0xf000, $start
    .org    0x10000
