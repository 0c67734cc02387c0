/* What the guests that bring their own tables share: GDT, IDT and TSS, a #VC handler that does
 * CPUID, IN, OUT and the MSRs through the GHCB, and page tables to edit. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include "guest.h"

enum selector { KERNEL_CODE = 0x08, KERNEL_DATA = 0x10, USER_DATA = 0x1b, USER_CODE = 0x23,
                TASK = 0x28, ABSENT_CODE = 0x38 };
enum { VECTOR_VC = 29, VECTOR_SYSTEM_CALL = 0x80 };

/* The registers as vectors.S pushes them, the error code (0 where there is none) and what the
 * CPU pushed. What a handler changes here is what the interrupted code goes on with. */
struct frame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    u64 vector, error, rip, cs, rflags, rsp, ss;
};

/* Loads own GDT, TSS and IDT. Needs the GHCB's address in its MSR, as at the entry. */
void load_tables(void);
/* Gate flags: present, DPL and the number of an IST stack (0 = none, 1 or 2). */
void set_gate(u32 vector, int present, u32 privilege, u32 stack);
/* Whether an address lies in an IST stack, 1 or 2. */
int on_stack(u32 stack, u64 address);
/* The program's part: every exception but the #VC that system.c answers. */
void on_exception(struct frame *frame);

u64 read_msr(u32 number);
void write_msr(u32 number, u64 value);
enum { MSR_EFER = 0xc0000080, MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082,
       MSR_SFMASK = 0xc0000084, MSR_FS_BASE = 0xc0000100, MSR_GHCB = 0xc0010130 };

/* One exchange by the MSR protocol; the answer's value. */
u64 msr_protocol(u64 request);

/* One exchange by the page: begin, fields by their offset in the page, then the exit, which
 * returns the low half of SW_EXITINFO1. */
enum ghcb_field { GHCB_RAX = 0x1f8, GHCB_RCX = 0x308, GHCB_RDX = 0x310, GHCB_RBX = 0x318,
                  GHCB_CODE = 0x390, GHCB_INFO1 = 0x398, GHCB_INFO2 = 0x3a0,
                  GHCB_SCRATCH = 0x3a8, GHCB_XCR0 = 0x3e8, GHCB_BUFFER = 0x800 };
void ghcb_begin(void);
void ghcb_set(enum ghcb_field field, u64 value);
u64 ghcb_get(enum ghcb_field field);
u32 ghcb_exit(u64 code, u64 info1, u64 info2);
/* The page's guest physical address, which is its virtual one too. */
u64 ghcb_address(void);

/* Page-table entries. The C-bit is asked of the hypervisor once. */
enum page_flags { PRESENT = 1, WRITABLE = 2, USER = 4, ACCESSED = 0x20, DIRTY = 0x40, LARGE = 0x80 };
#define NO_EXECUTE (1ul << 63)
u64 private_bit(void);
/* The top-level entry of an address. */
u64 *top_entry(u64 address);
/* The last-level entry of an address, tables made where they are missing; 4 KiB pages. */
u64 *page_entry(u64 address);
/* The same for a 2 MiB page. */
u64 *large_entry(u64 address);
void forget_page(u64 address);
/* Lets user mode use the pages of a range as they are mapped now. */
void open_to_user(u64 start, u64 end);

#endif
