// ioio: ports, by the page and by #VC: IN and OUT in their sizes, strings in both directions.

#include "guest.h"

#define LINE_STATUS_PORT 0x3fd
#define NO_PORT 0x80                    /* reads all ones, and drops what is written */
#define GREATER 0x3e
#define NEWLINE 0x0a

    // OUT and IN of so many bytes at a port, as information word 1.
    .macro ioio_send direction, size, port
    ghcb_send SVM_EXIT_IOIO, \
        $(\direction | \size << IOIO_SIZE_SHIFT | IOIO_ADDRESS64 | \port << IOIO_PORT_SHIFT), $0
    ghcb_accept
    .endm

    // IN by the page. Out: `register`, zero-extended: a #VC handler would merge it into rax.
    .macro in_by_page size, port, register
    ghcb_begin
    ioio_send IOIO_IN, \size, \port
    ghcb_get GHCB_RAX, \register, guest_refused
    .endm

    // OUT by the page: only the bytes that are written are the hypervisor's to see.
    .macro out_by_page size, port, value
    ghcb_begin
    mov $\value, %eax
    ghcb_set GHCB_RAX, %rax
    ioio_send 0, \size, \port
    .endm

    blob_begin ioio
    symbol guest_code
    guest_enter
    call by_page
    call by_instruction
    call strings
    guest_return

    symbol by_page
    out_by_page 1, CONSOLE_PORT, GREATER
    out_by_page 1, CONSOLE_PORT, NEWLINE
    out_by_page 2, NO_PORT, 0x1234
    out_by_page 4, NO_PORT, 0x12345678
    in_by_page 1, LINE_STATUS_PORT, %r12
    in_by_page 2, NO_PORT, %r13
    in_by_page 4, NO_PORT, %r14
    line_start
    append page_text
    jmp put_values

// The same by instructions. What IN does not write stays: AL in front of 0x1122334455667700, and so
// on.
    symbol by_instruction
    mov $GREATER, %al
    mov $CONSOLE_PORT, %edx
    out %al, %dx
    mov $NEWLINE, %al
    out %al, %dx
    movabs $0x1122334455667788, %rax
    out %ax, $NO_PORT
    out %eax, $NO_PORT
    mov $LINE_STATUS_PORT, %edx
    in %dx, %al
    mov %rax, %r12
    movabs $0x1122334455667788, %rax
    in $NO_PORT, %ax
    mov %rax, %r13
    in $NO_PORT, %eax
    mov %rax, %r14
    line_start
    append instruction_text
// Ends a line with r12, r13 and r14.
put_values:
    append_hex %r12, 16
    append comma
    append_hex %r13, 16
    append comma
    append_hex %r14, 16
    jmp put_line

    symbol strings
    lea forward(%rip), %rsi
    mov $forward_size, %ecx
    mov $CONSOLE_PORT, %edx
    rep outsb
    lea (backward + backward_size - 1)(%rip), %rsi
    mov $backward_size, %ecx
    std
    rep outsb                           // from the last byte to the first
    cld
    sub $24, %rsp
    mov %rsp, %rdi
    mov $2, %ecx
    mov $NO_PORT, %edx
    rep insl
    mov (%rsp), %r12
    add $24, %rsp
    line_start
    append string_text
    append_hex %r12, 16
    jmp put_line

    text page_text, "page: in "
    text instruction_text, "#VC:  in "
    text string_text, "#VC:  ins "
    text comma, ", "
    text forward, "outs, forward\n"
    text backward, "\ndrawkcab ,stuo"
    guest_routines
    blob_end ioio
