/* Page faults and their repair: the guest edits its own tables, with the C-bit, from inside the
 * #PF handler, and the faulting instruction runs again. */
#include "system.h"

enum { READ_ONLY, MISSING, FORBIDDEN_CODE, RESERVED, SECOND_MISSING } repair;

#define WINDOW 0x8000000000ul /* the second entry of the top table, which nothing else uses */

static u8 pages[4][4096] __attribute__((aligned(4096)));

static u64 map(const u8 *page, u64 flags) { return (u64)page | private_bit() | flags; }

void on_exception(struct frame *frame)
{
    u64 address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    print_string("vector ");
    print_decimal((i64)frame->vector);
    print_string(" error ");
    print_hex(frame->error);
    print_value(" offset", address - WINDOW);
    switch (repair) {
    case MISSING: *page_entry(address) = map(pages[0], PRESENT | NO_EXECUTE); break;
    case READ_ONLY: *page_entry(address) |= WRITABLE; break;
    case FORBIDDEN_CODE: *page_entry(address) &= ~NO_EXECUTE; break;
    case RESERVED: *top_entry(address) &= ~(u64)LARGE; break;
    case SECOND_MISSING:
        print_value("count", frame->rcx);
        print_value("before the edge", *(volatile u32 *)(WINDOW + 0xffc));
        *page_entry(address) = map(pages[1], WRITABLE | PRESENT);
        break;
    }
    forget_page(address);
}

#define WRITE_PROTECT 0x10000ul

static u64 read_cr0(void)
{
    u64 value;
    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static void write_cr0(u64 value) { __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory"); }

static u64 accessed_and_dirty(u64 address) { return *page_entry(address) & (ACCESSED | DIRTY); }

static void one_page(void)
{
    volatile u64 *window = (volatile u64 *)WINDOW;
    *(u64 *)pages[0] = 0x1122334455667788;
    repair = MISSING;
    print_value("read", window[0]);
    print_value("bits", accessed_and_dirty(WINDOW));
    repair = READ_ONLY;
    window[1] = 99;
    print_value("written", *(u64 *)(pages[0] + 8));
    print_value("bits", accessed_and_dirty(WINDOW));

    /* A compare that fails writes too, and so wants permission. */
    *page_entry(WINDOW) &= ~(u64)(WRITABLE | DIRTY);
    forget_page(WINDOW);
    print_value("swapped", __sync_bool_compare_and_swap(window, 1, 2));
    print_value("bits", accessed_and_dirty(WINDOW));

    *page_entry(WINDOW) &= ~(u64)WRITABLE;
    forget_page(WINDOW);
    write_cr0(read_cr0() & ~WRITE_PROTECT);
    window[2] = 7;
    write_cr0(read_cr0() | WRITE_PROTECT);
    print_value("without WP", *(u64 *)(pages[0] + 16));
}

static void code_page(void)
{
    static const u8 code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
    memcpy(pages[0] + 0x100, code, sizeof code);
    repair = FORBIDDEN_CODE;
    print_value("called", (u64)((int (*)(void))(WINDOW + 0x100))());
    pages[0][0x101] = 43;
    print_value("rewritten", (u64)((int (*)(void))(WINDOW + 0x100))());
    repair = RESERVED;
    *top_entry(WINDOW) |= LARGE; /* must be zero in the top table */
    forget_page(WINDOW);
    print_value("read", *(volatile u64 *)WINDOW);
}

static void two_pages(void)
{
    *page_entry(WINDOW) = map(pages[0], WRITABLE | PRESENT);
    *page_entry(WINDOW + 0x1000) = 0;
    forget_page(WINDOW);
    forget_page(WINDOW + 0x1000);
    *(u32 *)(pages[0] + 0xffc) = 0xaaaaaaaa;
    repair = SECOND_MISSING;
    u64 value = 0x8877665544332211, count = 5;
    __asm__ volatile("mov %0, (%1)" : : "r"(value), "r"(WINDOW + 0xffd), "c"(count) : "memory");
    print_value("first", *(u32 *)(pages[0] + 0xffc));
    print_value("second", *(u64 *)pages[1]);

    *page_entry(WINDOW + 0x1000) = 0;
    forget_page(WINDOW + 0x1000);
    void *to = (void *)(WINDOW + 0xff0);
    const void *from = "a text of more than sixteen bytes";
    count = 33;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    print_value("moved", !memcmp(pages[0] + 0xff0, "a text of more t", 16)
                             && !memcmp(pages[1], "han sixteen bytes", 17));
}

/* A 2 MiB page over the RAM at 4 MiB, seen again through the identity mapping. */
static void large_page(void)
{
    u64 window = WINDOW + (1ul << 30);
    *large_entry(window) = 0x400000 | private_bit() | LARGE | WRITABLE | PRESENT;
    *(volatile u64 *)(window + 0x123458) = 0x5eed;
    print_value("large", *(volatile u64 *)0x523458);
    print_value("bits", *large_entry(window) & (ACCESSED | DIRTY));
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    load_tables();
    write_msr(MSR_EFER, read_msr(MSR_EFER) | 0x800); /* NXE */
    write_cr0(read_cr0() | WRITE_PROTECT);
    u32 eax = 0x8000001f, ebx, ecx = 0, edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    print_value("c-bit agrees", private_bit() == 1ul << (ebx & 63));
    one_page();
    code_page();
    two_pages();
    large_page();
}
