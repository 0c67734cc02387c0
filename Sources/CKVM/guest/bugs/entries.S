// bug-unaligned-kill, bug-unaligned-features, bug-unaligned-terminate: the entries of the pool have
// 4112 bytes, so all but the first are not page-aligned.
//
// An entry is the GHCB, its guest physical and its host address. The low 12 bits of the address of
// entry n are 16 * n, and the hypervisor takes them for a request of the MSR protocol: of entry 1 for
// 0x010 (the preferred GHCB, which ends an SEV-ES VM), of entry 8 for 0x080 (hypervisor features), of
// entry 16 for 0x100 (termination). Posted: "Add initial GHCB support for SEV-ES selftests",
// 9 April 2024; mended by "Align GHCB entry struct to page size", RFC v2 08/35.
//
// In: rdi = the entry that is free: so many vCPUs have taken one before.

#include "bugs.h"

#define ENTRY_SIZE (4096 + 8 + 8)
#define ENTRIES 17

    blob_begin bug_entries
    symbol guest_code
    guest_enter
    imul $ENTRY_SIZE, %rdi, %rdi
    lea ghcbs(%rip), %rbx
    add %rdi, %rbx
    ghcb_restore_msr
    ghcb_begin
    request_cpuid
    ghcb_accept
    guest_return

    guest_routines
    shared_section
    symbol ghcbs
    .skip ENTRIES * ENTRY_SIZE
    blob_end bug_entries
