/* Exceptions through own tables: which vector, which error code, at or behind the instruction,
 * on which stack; a #DF; single steps, which SEV-ES delivers as #VC 0x41. */
#include "system.h"

static u64 fault_rip, resume_rip;
static const char *trying;

/* Runs `instruction`, after `before`; the handler goes on behind it, at `after`. */
#define TRY(name, before, instruction, after)                                                \
    do {                                                                                     \
        trying = name;                                                                       \
        __asm__ volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, %0\n\t"                         \
                         "lea 2f(%%rip), %%rax\n\tmov %%rax, %1\n\t" before "\n"             \
                         "1:\n\t" instruction "\n2:\n\t" after                               \
                         : "=m"(fault_rip), "=m"(resume_rip)                                 \
                         :                                                                   \
                         : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "cc", "memory");        \
    } while (0)

void on_exception(struct frame *frame)
{
    print_string(trying);
    print_string(": vector ");
    print_decimal((i64)frame->vector);
    print_string(" error ");
    print_hex(frame->error);
    print_string(frame->rip == fault_rip ? " at it" : frame->rip == resume_rip ? " behind it" : " astray");
    if (on_stack(1, (u64)frame))
        print_string(", first stack");
    if (on_stack(2, (u64)frame))
        print_string(", second stack");
    print_string((u64)(frame + 1) & 15 ? ", frame askew\n" : "\n");
    frame->rip = resume_rip;
    frame->rflags &= ~0x100ul;
}

static void plain_faults(void)
{
    TRY("divide by zero", "xor %%ecx, %%ecx", "div %%ecx", "");
    TRY("divide overflow", "mov $0x80000000, %%eax\n\tcltd\n\tmov $-1, %%ecx", "idiv %%ecx", "");
    TRY("wide divide overflow", "mov $5, %%edx\n\tmov $5, %%ecx", "divq %%rcx", "");
    TRY("ud2", "", "ud2", "");
    TRY("into", "", ".byte 0xce", "");
    TRY("lea of a register", "", ".byte 0x8d, 0xc0", "");
    TRY("locked nop", "", ".byte 0xf0, 0x90", "");
    TRY("locked load", "", ".byte 0xf0, 0x8b, 0x04, 0x24", "");
    TRY("askew stack", "mov %%rsp, %%rbx\n\tsub $0x10d, %%rsp", "ud2", "mov %%rbx, %%rsp");
    TRY("breakpoint", "", "int3", "");
    TRY("int 3", "", ".byte 0xcd, 3", "");
}

static void memory_faults(void)
{
    TRY("non-canonical load", "mov $0x800000000000, %%rbx", "mov (%%rbx), %%eax", "");
    TRY("non-canonical store", "mov $0x800000000000, %%rbx", "incq -8(%%rbx,%%rbx)", "");
    TRY("non-canonical stack", "mov %%rbp, %%rbx\n\tmov $0x800000000000, %%rbp",
        "mov 8(%%rbp), %%rax", "mov %%rbx, %%rbp");
    TRY("non-canonical jump", "mov $0x900000000000, %%rbx", "jmp *%%rbx", "");
    TRY("askew movaps", "lea -256(%%rsp), %%rbx\n\tand $-16, %%rbx", "movaps 8(%%rbx), %%xmm0", "");
    TRY("askew cmpxchg16b", "lea -256(%%rsp), %%rbx\n\tand $-16, %%rbx", "cmpxchg16b 8(%%rbx)", "");
}

static void system_faults(void)
{
    TRY("reserved bit of CR4", "mov %%cr4, %%rax\n\tbts $63, %%rax", "mov %%rax, %%cr4", "");
    TRY("paging without protection", "mov %%cr0, %%rax\n\tand $-2, %%rax", "mov %%rax, %%cr0", "");
    TRY("selector beyond the table", "mov $0xfff8, %%ecx", "mov %%ecx, %%ds", "");
    TRY("code as stack", "mov $0x08, %%ecx", "mov %%ecx, %%ss", "");
    TRY("absent code", "mov %%rsp, %%rbx\n\tpushq $0x38\n\tpushq $0", "lretq", "mov %%rbx, %%rsp");
    TRY("data as code", "mov %%rsp, %%rbx\n\tpushq $0x10\n\tpushq $0", "lretq", "mov %%rbx, %%rsp");
    TRY("busy task", "mov $0x28, %%ecx", "ltr %%cx", "");
    TRY("iret to nowhere",
        "mov %%rsp, %%rbx\n\tpushq $0x10\n\tpushq %%rbx\n\tpushq $2\n\tpushq $0x48\n\tpushq $0",
        "iretq", "mov %%rbx, %%rsp");
    TRY("no gate", "", "int $0x81", "");
    TRY("absent gate", "", "int $0x20", "");
    TRY("non-canonical base", "mov $0xc0000100, %%ecx\n\tmov $0x8000, %%edx\n\txor %%eax, %%eax",
        "wrmsr", "");
    TRY("reserved bit of EFER", "mov $0xc0000080, %%ecx\n\trdmsr\n\tbts $30, %%eax", "wrmsr", "");
    TRY("unknown MSR", "mov $0x4b564dff, %%ecx", "rdmsr", "");
    u64 efer = read_msr(MSR_EFER);
    write_msr(MSR_EFER, efer & ~1ul);
    TRY("syscall switched off", "", "syscall", "");
    write_msr(MSR_EFER, efer);
}

static void traps(void)
{
    TRY("single step", "pushfq\n\torl $0x100, (%%rsp)\n\tpopfq", "nop", "");
    TRY("step over a jump", "pushfq\n\torl $0x100, (%%rsp)\n\tpopfq", "jmp 2f\n\tud2", "");
    TRY("icebp", "", ".byte 0xf1", "");
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    load_tables();
    set_gate(3, 1, 0, 1);
    set_gate(8, 1, 0, 2);
    set_gate(0x20, 0, 0, 0);
    plain_faults();
    memory_faults();
    system_faults();
    traps();
    set_gate(13, 0, 0, 0);
    TRY("double fault", "mov $0x800000000000, %%rbx", "mov (%%rbx), %%eax", "");
    set_gate(13, 1, 0, 0);
    TRY("and back", "mov $0x800000000000, %%rbx", "mov (%%rbx), %%eax", "");
}
