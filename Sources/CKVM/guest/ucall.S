// ucall: how the kernel's KVM selftests reach their host: string OUT of a pointer to a struct
// ucall.
//
// The struct lies in a shared page, so that the host can read it. There is one for all vCPUs, and a
// lock; only the pointer goes through the GHCB (struct ucall: selftests' ucall_common.h).

#include "guest.h"

#define UCALL_PORT 0x1000
#define UCALL_PRINTF 3
#define UCALL_DONE 4
#define UCALL_CMD 0x00                  /* u64 */
#define UCALL_ARGS 0x08                 /* seven u64 */
#define UCALL_BUFFER 0x40               /* 1024 bytes: the text of UCALL_PRINTF */
#define UCALL_SIZE 0x448                /* with a pointer of the host's at the end */

#define IOIO_UCALL \
    (IOIO_STRING | IOIO_REP | 1 << IOIO_SIZE_SHIFT | IOIO_ADDRESS64 | IOIO_DS \
     | UCALL_PORT << IOIO_PORT_SHIFT)

    blob_begin ucall
    symbol guest_code
    guest_enter
    lea ucall(%rip), %rbp
1:  lock btsl $0, lock(%rip)
    jnc 2f
    pause
    jmp 1b
2:  movq $UCALL_PRINTF, UCALL_CMD(%rbp)
    lea UCALL_BUFFER(%rbp), %rdi
    append message
    movb $0, (%rdi)
    call send_ucall
    movq $UCALL_DONE, UCALL_CMD(%rbp)
    call send_ucall
    movl $0, lock(%rip)
    guest_return

// Eight bytes through the shared buffer: the address of the struct.
    symbol send_ucall
    mov %rbp, GHCB_SHARED_BUFFER(%rbx)
    ghcb_begin
    lea GHCB_SHARED_BUFFER(%rbx), %rdx
    ghcb_set GHCB_SW_SCRATCH, %rdx
    ghcb_send SVM_EXIT_IOIO, $IOIO_UCALL, $8
    ghcb_accept
    ret

    text message, "a ucall with a text\n"
    .balign 4
lock:
    .long 0
    guest_routines
    shared_section
    symbol ucall
    .skip UCALL_SIZE
    blob_end ucall
