// bug-c-bit-tlb, bug-c-bit-ciphertext, bug-gpa-as-gva: the guest's page tables and its GHCB do not go
// together.
//
// sevdbg's page tables are identity-mapped with leaves of 4 KiB; the guest finds an entry by walking
// from CR3. The position of the C-bit is in the answer to the MSR request SEV_INFO.

#include "bugs.h"

#define ENTRY_ADDRESS 0x000ffffffffff000
#define SEV_INFO_C_BIT_SHIFT 24

    blob_begin bug_mappings
// The C-bit is cleared in the entry of a page that is in the TLB, and the TLB is not flushed: the
// request is written as private memory, and the hypervisor finds ciphertext.
// Posted: coconut-svsm#1188.
    symbol c_bit_tlb
    guest_enter
    call find_c_bit
    lea page(%rip), %rbx
    call clear_page
    mov %rbx, %rdi
    call find_entry
    not %r13
    and %r13, (%rax)                    // invlpg (%rbx) has to follow
    call use_page
    guest_return

// The page is cleared, then its C-bit is, and the TLB is flushed. The zeros were private memory: what
// the hypervisor finds, and now the guest, is their ciphertext. Posted: project-oak/oak#3844.
    symbol c_bit_ciphertext
    guest_enter
    call find_c_bit
    lea page(%rip), %rbx
    call clear_page                     // has to come last
    movw $1, GHCB_PROTOCOL_VERSION(%rbx)
    mov %rbx, %rdi
    call find_entry
    not %r13
    and %r13, (%rax)
    invlpg (%rbx)
    ghcb_restore_msr
    ghcb_clear
    request_cpuid
    ghcb_accept
    guest_return

// The host says where the GHCB is in guest physical memory, and the guest uses that as an address of
// its own, where its page tables have another page. Posted: the trampoline's sketch passes the
// physical address only (ZihZOygvuDs1wIrh@google.com).
    symbol gpa_as_gva
    guest_enter
    call find_c_bit
    mov %rbx, %rdi                      // this guest's tables: the address leads to `page`
    call find_entry
    lea page(%rip), %rdx
    or %r13, %rdx
    mov (%rax), %rcx
    and $0xfff, %ecx
    or %rcx, %rdx
    mov %rdx, (%rax)
    invlpg (%rbx)
    ghcb_restore_msr                    // right: the MSR takes the physical address
    ghcb_begin                          // wrong: that is another page
    request_cpuid
    ghcb_accept
    guest_return

// Makes the page at rbx the GHCB and sends a correct request.
use_page:
    ghcb_restore_msr
    ghcb_begin
    request_cpuid
    ghcb_accept
    ret

// Clears the page at rbx. Changes rax, rcx and rdi.
clear_page:
    mov %rbx, %rdi
    mov $(4096 / 8), %ecx
    xor %eax, %eax
    rep stosq
    ret

// Out: r13 = the C-bit as a mask. Changes rax, rcx and rdx; the MSR names the page at rbx again.
find_c_bit:
    mov $GHCB_MSR_SEV_INFO_REQ, %eax
    ghcb_call_msr
    shr $SEV_INFO_C_BIT_SHIFT, %rax
    xor %r13d, %r13d
    and $63, %eax
    bts %rax, %r13
    ghcb_restore_msr
    ret

// In: rdi = an address, r13 = the C-bit. Out: rax = where its page-table entry is.
// Changes rcx, rdx and rsi.
    symbol find_entry
    movabs $ENTRY_ADDRESS, %rsi
    mov %r13, %rdx
    not %rdx
    and %rdx, %rsi                      // the C-bit may be one of these
    mov %cr3, %rax
    mov $39, %ecx                       // the level: the shift of its index
1:  and %rsi, %rax
    mov %rdi, %rdx
    shr %cl, %rdx
    and $511, %edx
    lea (%rax, %rdx, 8), %rax
    cmp $12, %ecx
    je 2f
    mov (%rax), %rax
    sub $9, %ecx
    jmp 1b
2:  ret

    guest_routines
    .balign 4096
    symbol page
    .skip 4096
    blob_end bug_mappings
