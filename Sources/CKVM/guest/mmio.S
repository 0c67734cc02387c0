// mmio: memory where no RAM is, by the page and by #VC.
//
// At 0xfe000000 is the transmit register of a serial port; the rest of its page reads as all ones.

#include "guest.h"

#define TRANSMIT 0xfe000000
#define NOTHING 0xfe000100

    blob_begin mmio
    symbol guest_code
    guest_enter
    call write_by_page
    call read_by_page
    call write_by_instruction
    call read_by_instruction
    guest_return

// MMIO write: info 1 = GPA, info 2 = bytes, which are in the shared buffer.
    symbol write_by_page
    lea message(%rip), %rbp
    mov $message_size, %r12d
1:  movzbl (%rbp), %eax
    mov %al, GHCB_SHARED_BUFFER(%rbx)
    ghcb_begin
    lea GHCB_SHARED_BUFFER(%rbx), %rdx
    ghcb_set GHCB_SW_SCRATCH, %rdx
    ghcb_send SVM_VMGEXIT_MMIO_WRITE, $TRANSMIT, $1
    ghcb_accept
    inc %rbp
    dec %r12d
    jnz 1b
    ret

// MMIO read: the bytes come in the shared buffer.
    symbol read_by_page
    ghcb_begin
    lea GHCB_SHARED_BUFFER(%rbx), %rdx
    ghcb_set GHCB_SW_SCRATCH, %rdx
    ghcb_send SVM_VMGEXIT_MMIO_READ, $NOTHING, $4
    ghcb_accept
    mov GHCB_SHARED_BUFFER(%rbx), %r12d
    line_start
    append page_text
    append_hex %r12, 8
    jmp put_line

// Stores: each raises #VC 0x400, and its handler must find out what the instruction is.
    symbol write_by_instruction
    mov $TRANSMIT, %edi
    lea message(%rip), %rsi
    mov $message_size, %ecx
1:  lodsb
    mov %al, (%rdi)
    loop 1b
    mov $3, %ecx
    movb $'.', -3(%rdi, %rcx)           // an index, a displacement and an immediate
    movb $'\n', (%rdi)
    ret

// Loads in their sizes: into AL and AX the rest of rax stays.
    symbol read_by_instruction
    mov $NOTHING, %edx
    xor %eax, %eax
    mov (%rdx), %al
    mov %rax, %r12
    xor %eax, %eax
    mov 2(%rdx), %ax
    mov %rax, %r13
    mov 4(%rdx), %eax
    mov %rax, %r14
    mov 8(%rdx), %rbp
    line_start
    append instruction_text
    append_hex %r12, 16
    append comma
    append_hex %r13, 16
    append comma
    append_hex %r14, 16
    append comma
    append_hex %rbp, 16
    call put_line

    mov $NOTHING, %edx
    movzbl (%rdx), %r12d
    movsbq (%rdx), %r13
    movzwl (%rdx), %r14d
    movslq (%rdx), %rbp
    line_start
    append extended_text
    append_hex %r12, 16
    append comma
    append_hex %r13, 16
    append comma
    append_hex %r14, 16
    append comma
    append_hex %rbp, 16
    jmp put_line

    text message, "written to a serial port"
    text page_text, "\npage: "
    text instruction_text, "#VC:  "
    text extended_text, "#VC, extended: "
    text comma, ", "
    guest_routines
    blob_end mmio
