// hello: one line on the console by one exit.
//
// The shortest useful exchange, written out: the text goes into the shared buffer, the request into
// the fields, and VMGEXIT hands the page to the hypervisor. Nothing here raises #VC.

#include "guest.h"

    blob_begin hello
    symbol guest_code
    push %rbx
    ghcb_read_msr                       // the page that the setup has given this vCPU
    mov %rax, %rbx

    line_start
    append greeting
    ghcb_begin
    lea GHCB_SHARED_BUFFER(%rbx), %rdx
    ghcb_set GHCB_SW_SCRATCH, %rdx
    ghcb_send SVM_EXIT_IOIO, $IOIO_CONSOLE_STRING, $greeting_size
    ghcb_accept

    pop %rbx
    ret                                 // ends the vCPU

    text greeting, "hello from an SEV-ES guest\n"
    guest_routines
    blob_end hello
