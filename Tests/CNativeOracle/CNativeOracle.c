#define _GNU_SOURCE
#include "CNativeOracle.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum { RFLAGS_DEFAULT = 0x202, TRAP_PAGE_FAULT = 14, TRAP_BREAKPOINT = 3, FETCH = 1 << 4 };

// What the assembly works on: the state before and after the instruction, and the way back.
__attribute__((visibility("hidden"))) struct oracle_state oracle_current;
__attribute__((visibility("hidden"))) uint64_t oracle_host_rsp;

static struct oracle_fault fault;
static volatile sig_atomic_t active;
static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER;
static uint8_t *code, *data;
static _Alignas(64) uint8_t signal_stack[1 << 16];
static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
enum { SIGNALS = sizeof signals / sizeof signals[0] };
static struct sigaction previous[SIGNALS];

void oracle_enter(void);
void oracle_leave(void);
void oracle_resume(void);

// IRETQ enters the instruction: it loads RIP, RSP and RFLAGS at once, and serializes, so that code
// written through the other mapping is seen.
__asm__(
    ".text\n"
    ".hidden oracle_enter\n.globl oracle_enter\n.type oracle_enter,@function\n"
    "oracle_enter:\n"
    "  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, oracle_host_rsp(%rip)\n"
    "  fxrstor64 oracle_current+144(%rip)\n"
    "  mov %ss, %eax\n  push %rax\n"
    "  push oracle_current+32(%rip)\n"
    "  push oracle_current+136(%rip)\n"
    "  mov %cs, %eax\n  push %rax\n"
    "  push oracle_current+128(%rip)\n"
    "  mov oracle_current+0(%rip), %rax\n  mov oracle_current+8(%rip), %rcx\n"
    "  mov oracle_current+16(%rip), %rdx\n  mov oracle_current+24(%rip), %rbx\n"
    "  mov oracle_current+40(%rip), %rbp\n  mov oracle_current+48(%rip), %rsi\n"
    "  mov oracle_current+56(%rip), %rdi\n  mov oracle_current+64(%rip), %r8\n"
    "  mov oracle_current+72(%rip), %r9\n  mov oracle_current+80(%rip), %r10\n"
    "  mov oracle_current+88(%rip), %r11\n  mov oracle_current+96(%rip), %r12\n"
    "  mov oracle_current+104(%rip), %r13\n  mov oracle_current+112(%rip), %r14\n"
    "  mov oracle_current+120(%rip), %r15\n"
    "  iretq\n"
    // Here the exit behind an instruction jumps to; nothing but MOV may come before the flags.
    ".hidden oracle_leave\n.globl oracle_leave\n.type oracle_leave,@function\n"
    "oracle_leave:\n"
    "  mov %rax, oracle_current+0(%rip)\n  mov %rcx, oracle_current+8(%rip)\n"
    "  mov %rdx, oracle_current+16(%rip)\n  mov %rbx, oracle_current+24(%rip)\n"
    "  mov %rsp, oracle_current+32(%rip)\n  mov %rbp, oracle_current+40(%rip)\n"
    "  mov %rsi, oracle_current+48(%rip)\n  mov %rdi, oracle_current+56(%rip)\n"
    "  mov %r8, oracle_current+64(%rip)\n  mov %r9, oracle_current+72(%rip)\n"
    "  mov %r10, oracle_current+80(%rip)\n  mov %r11, oracle_current+88(%rip)\n"
    "  mov %r12, oracle_current+96(%rip)\n  mov %r13, oracle_current+104(%rip)\n"
    "  mov %r14, oracle_current+112(%rip)\n  mov %r15, oracle_current+120(%rip)\n"
    "  mov oracle_host_rsp(%rip), %rsp\n"
    "  pushfq\n  pop oracle_current+136(%rip)\n"
    "  fxsave64 oracle_current+144(%rip)\n"
    // Here the signal handler resumes.
    ".hidden oracle_resume\n.globl oracle_resume\n.type oracle_resume,@function\n"
    "oracle_resume:\n"
    "  pushq $0x202\n  popfq\n"
    "  fninit\n"
    "  pushq $0x1f80\n  ldmxcsr (%rsp)\n  pop %rax\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbp\n  pop %rbx\n"
    "  ret\n");

_Static_assert(offsetof(struct oracle_state, rip) == 128, "used by the assembly");
_Static_assert(offsetof(struct oracle_state, rflags) == 136, "used by the assembly");
_Static_assert(offsetof(struct oracle_state, fx) == 144, "used by the assembly");

/// The numbers of the general registers in a signal frame, in encoding order.
static const int general[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static void on_signal(int number, siginfo_t *info, void *context) {
    (void)info;
    ucontext_t *frame = context;
    greg_t *registers = frame->uc_mcontext.gregs;
    if (!active) {
        // Not ours: the instruction is tried again under the handler that was there before.
        for (int i = 0; i < SIGNALS; i++)
            if (signals[i] == number) sigaction(number, &previous[i], NULL);
        return;
    }
    uint64_t start = oracle_current.rip;
    for (int i = 0; i < 16; i++) oracle_current.gpr[i] = (uint64_t)registers[general[i]];
    oracle_current.rip = (uint64_t)registers[REG_RIP];
    oracle_current.rflags = (uint64_t)registers[REG_EFL];
    memcpy(oracle_current.fx, frame->uc_mcontext.fpregs, 512);
    fault.vector = (int32_t)registers[REG_TRAPNO];
    fault.error_code = (uint64_t)registers[REG_ERR];
    fault.cr2 = (uint64_t)registers[REG_CR2];
    if (fault.vector == TRAP_BREAKPOINT) {
        // The filling behind the instruction: a trap, whose RIP is behind the INT3.
        oracle_current.rip -= 1;
        fault.vector = -1;
    } else if (fault.vector == TRAP_PAGE_FAULT && fault.error_code & FETCH &&
               oracle_current.rip != start) {
        // The instruction went to where there is no code.
        fault.vector = -1;
    }
    registers[REG_RIP] = (greg_t)(uintptr_t)oracle_resume;
    registers[REG_RSP] = (greg_t)oracle_host_rsp;
    registers[REG_EFL] = RFLAGS_DEFAULT;
}

/// Maps a file at a fixed address and, writable, anywhere else.
static uint8_t *map_twice(uint64_t address, size_t size, int protection) {
    int file = memfd_create("oracle", MFD_CLOEXEC);
    if (file < 0) return NULL;
    void *writable = MAP_FAILED;
    if (ftruncate(file, (off_t)size) == 0 &&
        mmap((void *)address, size, protection, MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0) ==
            (void *)address)
        writable = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return writable == MAP_FAILED ? NULL : writable;
}

static bool map_pages(void) {
    if (code) return true;
    uint64_t *private = mmap(
        (void *)ORACLE_PRIVATE, 4096, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (private != (void *)ORACLE_PRIVATE) return false;
    *private = (uint64_t)(uintptr_t)oracle_leave;
    data = map_twice(ORACLE_DATA, ORACLE_DATA_SIZE, PROT_READ | PROT_WRITE);
    if (!data || munmap((void *)ORACLE_HOLE, 4096) != 0 ||
        mprotect((void *)ORACLE_READONLY, 4096, PROT_READ) != 0)
        return false;
    code = map_twice(ORACLE_CODE, ORACLE_CODE_SIZE, PROT_READ | PROT_EXEC);
    if (!code) return false;
    memset(code, 0xcc, ORACLE_CODE_SIZE);
    // A page that is not there yet would make page faults of the kernel's own, without the P bit.
    const volatile uint8_t *page = (const uint8_t *)ORACLE_READONLY;
    for (uint64_t offset = 0; offset < ORACLE_CODE_SIZE; offset += 4096)
        (void)((const volatile uint8_t *)ORACLE_CODE)[offset];
    return *page == 0;
}

static bool install_handlers(void) {
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    if (sigaltstack(&stack, NULL) != 0) return false;
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        if (sigaction(signals[i], &action, &previous[i]) != 0) return false;
    return true;
}

bool oracle_is_supported(void) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx) || ebx != signature_INTEL_ebx) return false;
    const unsigned bmi1 = 1 << 3, bmi2 = 1 << 8, adx = 1 << 19;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
           (ebx & (bmi1 | bmi2 | adx)) == (bmi1 | bmi2 | adx);
}

bool oracle_open(void) {
    pthread_mutex_lock(&in_use);
    if (map_pages() && install_handlers()) return true;
    pthread_mutex_unlock(&in_use);
    return false;
}

void oracle_close(void) {
    for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &previous[i], NULL);
    stack_t stack = {.ss_flags = SS_DISABLE};
    sigaltstack(&stack, NULL);
    pthread_mutex_unlock(&in_use);
}

uint8_t *oracle_code(void) { return code; }
uint8_t *oracle_data(void) { return data; }

void oracle_exit_code(uint8_t *bytes) {
    // jmp *[ORACLE_PRIVATE], with an absolute address of 32 bits
    const uint32_t address = ORACLE_PRIVATE;
    bytes[0] = 0xff;
    bytes[1] = 0x24;
    bytes[2] = 0x25;
    memcpy(bytes + 3, &address, sizeof address);
}

struct oracle_fault oracle_run(struct oracle_state *state, unsigned length, bool falls_through) {
    uint64_t next = state->rip + length;
    oracle_current = *state;
    fault = (struct oracle_fault){.vector = -1};
    active = 1;
    oracle_enter();
    active = 0;
    // Through the exit code nobody set RIP.
    if (falls_through && fault.vector < 0 && oracle_current.rip == state->rip)
        oracle_current.rip = next;
    *state = oracle_current;
    return fault;
}

#else

bool oracle_is_supported(void) { return false; }
bool oracle_open(void) { return false; }
void oracle_close(void) {}
uint8_t *oracle_code(void) { return (uint8_t *)1; }
uint8_t *oracle_data(void) { return (uint8_t *)1; }
void oracle_exit_code(uint8_t *bytes) { (void)bytes; }
struct oracle_fault oracle_run(struct oracle_state *state, unsigned length, bool falls_through) {
    (void)state, (void)length, (void)falls_through;
    return (struct oracle_fault){.vector = -1};
}

#endif
