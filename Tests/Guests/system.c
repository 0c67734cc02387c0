/* Tables, the #VC handler and page-table access; see system.h. */
#include "system.h"

struct __attribute__((packed)) table_register {
    u16 limit;
    u64 base;
};

struct __attribute__((packed)) task_state {
    u32 reserved;
    u64 rsp[3], none, ist[7], nothing;
    u16 unused, io_map;
};

struct gate {
    u16 low, selector;
    u8 stack, type;
    u16 middle;
    u32 high, reserved;
};

enum { STACK = 8192 };

extern u8 vector_stubs[];
static u8 stacks[3][STACK] __attribute__((aligned(16)));
static struct task_state task;
static struct gate gates[256];
static u64 segments[] = {
    0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0, 0,
    0x00af1b000000ffff,
};
static volatile u8 *ghcb;

void set_gate(u32 vector, int present, u32 privilege, u32 stack)
{
    u64 address = (u64)vector_stubs + vector * 16;
    gates[vector] = (struct gate){
        (u16)address, KERNEL_CODE, (u8)stack, (u8)(0x0e | privilege << 5 | (present ? 0x80 : 0)),
        (u16)(address >> 16), (u32)(address >> 32), 0,
    };
}

int on_stack(u32 stack, u64 address) { return address - (u64)stacks[stack] < STACK; }

static void fill_tables(void)
{
    u64 base = (u64)&task;
    task.rsp[0] = (u64)stacks[0] + STACK;
    task.ist[0] = (u64)stacks[1] + STACK;
    task.ist[1] = (u64)stacks[2] + STACK;
    task.io_map = sizeof task;
    segments[TASK / 8] = (sizeof task - 1) | (base & 0xffffff) << 16 | 0x89ul << 40
        | (base >> 24 & 0xff) << 56;
    segments[TASK / 8 + 1] = base >> 32;
    for (u32 vector = 0; vector < 32; vector++)
        set_gate(vector, 1, 0, 0);
    set_gate(VECTOR_SYSTEM_CALL, 1, 3, 0);
}

void load_tables(void)
{
    ghcb = (volatile u8 *)read_msr(MSR_GHCB);
    fill_tables();
    struct table_register gdt = {sizeof segments - 1, (u64)segments};
    struct table_register idt = {sizeof gates - 1, (u64)gates};
    u64 scratch;
    __asm__ volatile("lgdt %1\n\t"
                     "pushq %3\n\t"
                     "lea 1f(%%rip), %0\n\t"
                     "pushq %0\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "mov %4, %%ds\n\tmov %4, %%es\n\tmov %4, %%ss\n\t"
                     "ltr %w5\n\t"
                     "lidt %2"
                     : "=&r"(scratch)
                     : "m"(gdt), "m"(idt), "i"(KERNEL_CODE), "r"(KERNEL_DATA), "r"(TASK)
                     : "memory");
}

u64 read_msr(u32 number)
{
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (u64)high << 32 | low;
}

void write_msr(u32 number, u64 value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(number), "a"((u32)value), "d"((u32)(value >> 32))
                     : "memory");
}

u64 msr_protocol(u64 request)
{
    u64 held = read_msr(MSR_GHCB);
    write_msr(MSR_GHCB, request);
    __asm__ volatile("rep; vmmcall" : : : "memory");
    u64 answer = read_msr(MSR_GHCB);
    write_msr(MSR_GHCB, held);
    return answer;
}

enum { GHCB_BITMAP = 0x3f0, GHCB_VERSION = 0xffa };

static volatile u64 *field_at(enum ghcb_field field) { return (volatile u64 *)(ghcb + field); }

u64 ghcb_address(void) { return (u64)ghcb; }

void ghcb_begin(void)
{
    *(volatile u64 *)(ghcb + GHCB_BITMAP) = 0;
    *(volatile u64 *)(ghcb + GHCB_BITMAP + 8) = 0;
    *(volatile u16 *)(ghcb + GHCB_VERSION) = 1;
}

void ghcb_set(enum ghcb_field field, u64 value)
{
    *field_at(field) = value;
    ghcb[GHCB_BITMAP + field / 64] |= (u8)(1 << (field / 8 & 7));
}

u64 ghcb_get(enum ghcb_field field) { return *field_at(field); }

u32 ghcb_exit(u64 code, u64 info1, u64 info2)
{
    ghcb_set(GHCB_CODE, code);
    ghcb_set(GHCB_INFO1, info1);
    ghcb_set(GHCB_INFO2, info2);
    write_msr(MSR_GHCB, (u64)ghcb);
    __asm__ volatile("rep; vmmcall" : : : "memory");
    return (u32)ghcb_get(GHCB_INFO1);
}

static u32 answer_cpuid(struct frame *frame)
{
    ghcb_begin();
    ghcb_set(GHCB_RAX, frame->rax);
    ghcb_set(GHCB_RCX, frame->rcx);
    if ((u32)frame->rax == 0xd)
        ghcb_set(GHCB_XCR0, 1);
    u32 refused = ghcb_exit(0x72, 0, 0);
    frame->rax = (u32)ghcb_get(GHCB_RAX);
    frame->rbx = (u32)ghcb_get(GHCB_RBX);
    frame->rcx = (u32)ghcb_get(GHCB_RCX);
    frame->rdx = (u32)ghcb_get(GHCB_RDX);
    frame->rip += 2;
    return refused;
}

/* IN and OUT through DX, EC to EF: bit 0 of the opcode is the width, bit 1 the direction. */
static u32 answer_port(struct frame *frame)
{
    u8 opcode = *(const u8 *)frame->rip;
    u64 is_in = !(opcode & 2), mask = opcode & 1 ? 0xffffffff : 0xff;
    ghcb_begin();
    if (!is_in)
        ghcb_set(GHCB_RAX, frame->rax & mask);
    u64 width = opcode & 1 ? 0x40 : 0x10;
    u32 refused = ghcb_exit(0x7b, (frame->rdx & 0xffff) << 16 | 0x200 | width | is_in, 0);
    if (is_in)
        frame->rax = (opcode & 1 ? 0 : frame->rax & ~mask) | (ghcb_get(GHCB_RAX) & mask);
    frame->rip += 1;
    return refused;
}

static u32 answer_msr(struct frame *frame)
{
    u64 is_write = ((const u8 *)frame->rip)[1] == 0x30;
    ghcb_begin();
    ghcb_set(GHCB_RCX, frame->rcx);
    if (is_write) {
        ghcb_set(GHCB_RAX, (u32)frame->rax);
        ghcb_set(GHCB_RDX, (u32)frame->rdx);
    }
    u32 refused = ghcb_exit(0x7c, is_write, 0);
    if (refused)
        return refused;
    if (!is_write) {
        frame->rax = (u32)ghcb_get(GHCB_RAX);
        frame->rdx = (u32)ghcb_get(GHCB_RDX);
    }
    frame->rip += 2;
    return 0;
}

/* Called by vectors.S. */
void handle_exception(struct frame *frame)
{
    u32 refused;
    if (frame->vector == VECTOR_VC && frame->error == 0x72)
        refused = answer_cpuid(frame);
    else if (frame->vector == VECTOR_VC && frame->error == 0x7b)
        refused = answer_port(frame);
    else if (frame->vector == VECTOR_VC && frame->error == 0x7c)
        refused = answer_msr(frame);
    else
        refused = 3;
    if (refused == 1) { /* the hypervisor asks for an exception */
        u64 injected = ghcb_get(GHCB_INFO2);
        frame->vector = injected & 0xff;
        frame->error = injected >> 32;
    }
    if (refused)
        on_exception(frame);
}

static u64 tables[24][512] __attribute__((aligned(4096)));
static u32 tables_used;

u64 private_bit(void)
{
    static u64 bit;
    if (!bit)
        bit = 1ul << (msr_protocol(2) >> 24 & 0xff);
    return bit;
}

static u64 *step_down(u64 *table, u64 address, u32 shift)
{
    u64 *entry = &table[address >> shift & 511];
    if (!(*entry & PRESENT))
        *entry = (u64)tables[tables_used++] | private_bit() | USER | WRITABLE | PRESENT;
    return (u64 *)(*entry & 0x000ffffffffff000 & ~private_bit());
}

static u64 *root_table(void)
{
    u64 cr3;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return (u64 *)(cr3 & 0x000ffffffffff000 & ~private_bit());
}

u64 *top_entry(u64 address) { return &root_table()[address >> 39 & 511]; }

u64 *large_entry(u64 address)
{
    u64 *directory = step_down(step_down(root_table(), address, 39), address, 30);
    return &directory[address >> 21 & 511];
}

u64 *page_entry(u64 address)
{
    u64 *directory = step_down(step_down(root_table(), address, 39), address, 30);
    return &step_down(directory, address, 21)[address >> 12 & 511];
}

void forget_page(u64 address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }

void open_to_user(u64 start, u64 end)
{
    u64 *table, *entry;
    for (u64 page = start & ~0xffful; page < end; page += 4096) {
        table = root_table();
        for (u32 shift = 39;; shift -= 9) {
            entry = &table[page >> shift & 511];
            *entry |= USER;
            if (shift == 12 || *entry & (shift < 39 ? LARGE : 0))
                break;
            table = (u64 *)(*entry & 0x000ffffffffff000 & ~private_bit());
        }
        forget_page(page);
    }
}
