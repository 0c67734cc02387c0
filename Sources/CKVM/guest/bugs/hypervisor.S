// bug-exitinfo1-kept, bug-second-ghcb: correct guests under a hypervisor that makes a mistake.
//
// Both run with a fault of the hypervisor: HypervisorFault.swift.

#include "bugs.h"

    blob_begin bug_hypervisor
// The hypervisor does what it is asked, and leaves SW_EXITINFO1 as the guest wrote it. Guests that
// look at it, as Linux does by now, take that for an error. Posted: cloud-hypervisor#6604.
    symbol exitinfo1_kept
    guest_enter
    line_start
    append asked_text
    call put_line
    guest_return

// The guest moves to another GHCB, and the hypervisor goes on with the one that it knows: it finds
// no request there, and the guest no answer in its own. Posted: cloud-hypervisor#6652.
    symbol second_ghcb
    guest_enter
    line_start
    append first_text
    call put_line
    lea second(%rip), %rbx
    ghcb_restore_msr
    line_start
    append second_text
    call put_line
    guest_return

    text asked_text, "done, says the console; SW_EXITINFO1 says otherwise"
    text first_text, "by the first GHCB"
    text second_text, "by the second GHCB"
    guest_routines
    shared_section
    symbol second
    .skip 4096
    blob_end bug_hypervisor
