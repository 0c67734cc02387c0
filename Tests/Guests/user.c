/* User mode: in by IRETQ, out by SYSCALL and back by SYSRETQ; what each keeps and what CPL 3
 * may not do; a #VC that comes from user mode. */
#include "system.h"

void enter_user(void (*code)(void), u64 stack);
void leave_user(void) __attribute__((noreturn));
void system_call_entry(void);

/* What system_call_entry pushes. */
struct call {
    u64 number, argument, r11, rcx, flags, rsp;
};

__asm__(".globl enter_user, leave_user, system_call_entry\n"
        "enter_user:\n"
        "    push %rbx\n    push %rbp\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    mov %rsp, kernel_stack(%rip)\n"
        "    pushq $0x1b\n"
        "    push %rsi\n"
        "    pushq $0x202\n" /* interrupts on: none come */
        "    pushq $0x23\n"
        "    push %rdi\n"
        "    iretq\n"
        "leave_user:\n"
        "    mov kernel_stack(%rip), %rsp\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbp\n    pop %rbx\n"
        "    ret\n"
        "system_call_entry:\n"
        "    mov %rsp, user_stack(%rip)\n"
        "    mov kernel_stack(%rip), %rsp\n"
        "    pushq user_stack(%rip)\n"
        "    pushfq\n    push %rcx\n    push %r11\n    push %rdi\n    push %rax\n"
        "    mov %rsp, %rdi\n"
        "    sub $8, %rsp\n"
        "    call handle_system_call\n"
        "    add $16, %rsp\n"
        "    pop %rdi\n    pop %r11\n    pop %rcx\n    add $8, %rsp\n    pop %rsp\n"
        "    sysretq\n");

/* One vCPU, so two words hold the stacks that SYSCALL leaves to the kernel. */
__attribute__((used)) static u64 kernel_stack, user_stack;
static u8 user_memory[8192] __attribute__((aligned(4096)));
static u8 kernel_page[4096] __attribute__((aligned(4096)));
#define KERNEL_WINDOW 0x8000000000ul /* where only the kernel may see it */
static u64 fault_rip, resume_rip;
static const char *trying = "?";

enum call_number { SAY = 1, STATE, ADD, EXIT };

__attribute__((used)) u64 handle_system_call(struct call *call);

static u64 kernel_state(const struct call *call)
{
    u16 cs, ss;
    __asm__ volatile("mov %%cs, %0\n\tmov %%ss, %1" : "=r"(cs), "=r"(ss));
    print_value("kernel cs", cs);
    print_value("kernel ss", ss);
    print_value("kernel DF and IF", call->flags & 0x600);
    print_value("kernel CF", call->flags & 1);
    print_value("saved flags", call->r11 & 0x601);
    print_value("rcx behind the call", call->rcx == call->argument);
    return 0;
}

u64 handle_system_call(struct call *call)
{
    switch ((enum call_number)call->number) {
    case SAY: print_string((const char *)call->argument); return 0;
    case STATE: return kernel_state(call);
    case ADD: return call->argument + 1000;
    case EXIT: leave_user();
    }
    return 0;
}

static u64 system_call(u64 number, u64 argument)
{
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(argument)
                     : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory");
    return number;
}

void on_exception(struct frame *frame)
{
    if (frame->vector == VECTOR_SYSTEM_CALL) {
        frame->rax *= 3;
        return;
    }
    print_string(trying);
    print_string(": vector ");
    print_decimal((i64)frame->vector);
    print_string(" error ");
    print_hex(frame->error);
    print_string(frame->rip == fault_rip ? " at it" : frame->rip == resume_rip ? " behind it" : " astray");
    print_string(frame->cs == USER_CODE && frame->ss == USER_DATA ? ", user\n" : ", kernel\n");
    frame->rip = resume_rip;
}

/* As in exceptions.c, at CPL 3. */
#define TRY(name, before, instruction)                                                       \
    do {                                                                                     \
        trying = name;                                                                       \
        __asm__ volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, %0\n\t"                         \
                         "lea 2f(%%rip), %%rax\n\tmov %%rax, %1\n\t" before "\n"             \
                         "1:\n\t" instruction "\n2:"                                         \
                         : "=m"(fault_rip), "=m"(resume_rip)                                 \
                         : "S"(KERNEL_WINDOW)                                                 \
                         : "rax", "rbx", "rcx", "rdx", "cc", "memory");                      \
    } while (0)

static void try_forbidden(void)
{
    TRY("cli", "", "cli");
    TRY("hlt", "", "hlt");
    TRY("in", "", "in $0x80, %%al");
    TRY("out", "mov $0x3f8, %%edx", "out %%al, %%dx");
    TRY("rdmsr", "mov $0xc0000080, %%ecx", "rdmsr");
    TRY("mov from cr3", "", "mov %%cr3, %%rax");
    TRY("lidt", "", "lidt (%%rsp)");
    TRY("swapgs", "", "swapgs");
    TRY("sysret", "", "sysretq");
    TRY("invlpg", "", "invlpg (%%rsp)");
    TRY("wbinvd", "", "wbinvd");
    TRY("int with a kernel gate", "", "int $0x0d");
    TRY("int 3", "", "int3");
    TRY("kernel data segment", "mov $0x10, %%ecx", "mov %%ecx, %%ds");
    TRY("load of a kernel page", "", "mov 8(%%rsi), %%eax");
    TRY("store to a kernel page", "", "mov %%eax, 16(%%rsi)");
    TRY("call of a kernel page", "", "jmp *%%rsi");
    TRY("divide by zero", "xor %%ecx, %%ecx", "div %%ecx");
}

static void say_value(const char *name, u64 value)
{
    char line[64];
    u32 length = (u32)strlen(name), digits = 1;
    memcpy(line, name, length);
    line[length++] = ' ';
    while (digits < 16 && value >> 4 * digits)
        digits++;
    while (digits--)
        line[length++] = "0123456789abcdef"[value >> 4 * digits & 15];
    line[length++] = '\n';
    line[length] = 0;
    system_call(SAY, (u64)line);
}

static void user_code(void)
{
    u16 cs, ss;
    u64 flags, result = 7, number = STATE;
    system_call(SAY, (u64) "in user mode\n");
    __asm__ volatile("mov %%cs, %0\n\tmov %%ss, %1" : "=r"(cs), "=r"(ss));
    say_value("user cs", cs);
    say_value("user ss", ss);
    __asm__ volatile("lea 1f(%%rip), %%rdi\n\tstd\n\tstc\n\tsyscall\n1:\n\tpushfq\n\tcld\n\tpop %0"
                     : "=r"(flags), "+a"(number)
                     :
                     : "rdi", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "cc", "memory");
    say_value("flags again", flags & 0x601);
    __asm__ volatile("pushq $0x3003\n\tpopfq\n\tpushfq\n\tpop %0" : "=r"(flags) : : "cc", "memory");
    say_value("popf leaves IF and IOPL", flags & 0x3201);
    for (u32 i = 0; i < 100; i++)
        result = system_call(ADD, result);
    say_value("hundred calls", result);
    __asm__ volatile("int $0x80" : "+a"(result));
    say_value("int 80", result);
    u32 eax = 0, ebx, ecx = 0, edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    say_value("cpuid", ebx);
    try_forbidden();
    system_call(EXIT, 0);
}

void guest_code(u64 first, u64 second)
{
    extern u8 __executable_start[], end[];
    (void)first, (void)second;
    load_tables();
    set_gate(3, 1, 3, 0);
    open_to_user((u64)__executable_start, (u64)end);
    *page_entry(KERNEL_WINDOW) = (u64)kernel_page | private_bit() | WRITABLE | PRESENT;
    write_msr(MSR_EFER, read_msr(MSR_EFER) | 0x801); /* NXE and SCE */
    write_msr(MSR_STAR, (u64)KERNEL_DATA << 48 | (u64)KERNEL_CODE << 32);
    write_msr(MSR_LSTAR, (u64)system_call_entry);
    write_msr(MSR_SFMASK, 0x700);
    enter_user(user_code, (u64)user_memory + sizeof user_memory - 8);
    print_string("back in the kernel\n");
}
