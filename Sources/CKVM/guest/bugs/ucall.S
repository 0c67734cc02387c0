// bug-ucall-falls-through: behind the SEV-ES form of a ucall runs the plain one, too.
//
// ucall_arch_do_ucall() sends the pointer by a string OUT through the GHCB, and then falls into the
// IN with the pointer in RDI, which is for hosts that can read RDI. It seems to work, because the
// host does not run a guest on that has said that it is done.
// Posted: 6/6 of "Add initial GHCB support for SEV-ES selftests", 9 April 2024; review:
// ZihJOorvMU8GpUBN@google.com.

#include "bugs.h"

#define UCALL_PORT 0x1000
#define UCALL_SYNC 1
#define UCALL_DONE 4
#define UCALL_CMD 0x00                  /* u64 */
#define UCALL_STAGE 0x10                /* the second of seven u64: the stage of UCALL_SYNC */
#define UCALL_SIZE 0x448

#define IOIO_UCALL \
    (IOIO_STRING | IOIO_REP | 1 << IOIO_SIZE_SHIFT | IOIO_ADDRESS64 | IOIO_DS \
     | UCALL_PORT << IOIO_PORT_SHIFT)

    blob_begin bug_ucall
    symbol guest_code
    guest_enter
    lea ucall(%rip), %rbp
    movq $UCALL_SYNC, UCALL_CMD(%rbp)
    movq $1, UCALL_STAGE(%rbp)
    call do_ucall
    movq $UCALL_DONE, UCALL_CMD(%rbp)
    call do_ucall
    guest_return

    symbol do_ucall
    mov %rbp, GHCB_SHARED_BUFFER(%rbx)
    ghcb_begin
    lea GHCB_SHARED_BUFFER(%rbx), %rdx
    ghcb_set GHCB_SW_SCRATCH, %rdx
    ghcb_send SVM_EXIT_IOIO, $IOIO_UCALL, $8
    ghcb_accept                         // and the return is missing
    mov %rbp, %rdi
    mov $UCALL_PORT, %edx
    in %dx, %al
    ret

    guest_routines
    shared_section
    symbol ucall
    .skip UCALL_SIZE
    blob_end bug_ucall
