// The anchor of `make bench`: Unicorn runs the same code with a hook on every instruction, which
// is the mode that sees each instruction that SEV-ES intercepts.
//
// unicorn FILE ITERATIONS: FILE is position-independent code, entered at its first byte with the
// iterations in rdi, that ends by RET. Prints two lines: instructions and seconds of a run with a
// counting hook, then of a shorter one whose hook reads 18 registers.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unicorn/unicorn.h>

enum { CODE = 0x100000, STACK = 0x200000, STACK_SIZE = 0x10000, END = 0x300000 };

static int registers[18] = {
    UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP,
    UC_X86_REG_RBP, UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8,  UC_X86_REG_R9,
    UC_X86_REG_R10, UC_X86_REG_R11, UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14,
    UC_X86_REG_R15, UC_X86_REG_RIP, UC_X86_REG_EFLAGS,
};
static uint64_t values[18];
static void *pointers[18];
static uint64_t executed;

static void count(uc_engine *uc, uint64_t address, uint32_t size, void *data) {
    (void)uc, (void)address, (void)size, (void)data;
    executed++;
}

static void read_registers(uc_engine *uc, uint64_t address, uint32_t size, void *data) {
    (void)address, (void)size, (void)data;
    executed++;
    uc_reg_read_batch(uc, registers, pointers, 18);
}

static void check(uc_err error, const char *what) {
    if (error == UC_ERR_OK) return;
    fprintf(stderr, "unicorn: %s: %s\n", what, uc_strerror(error));
    exit(1);
}

static void measure(const uint8_t *code, size_t size, uint64_t iterations, uc_cb_hookcode_t hook) {
    uc_engine *uc;
    uc_hook handle;
    uint64_t rsp = STACK + STACK_SIZE - 8, end = END;
    check(uc_open(UC_ARCH_X86, UC_MODE_64, &uc), "open");
    check(uc_mem_map(uc, CODE, 0x100000, UC_PROT_ALL), "map code");
    check(uc_mem_map(uc, STACK, STACK_SIZE, UC_PROT_ALL), "map stack");
    check(uc_mem_map(uc, END, 0x1000, UC_PROT_ALL), "map end");
    check(uc_mem_write(uc, CODE, code, size), "write code");
    check(uc_mem_write(uc, rsp, &end, sizeof end), "write return address");
    check(uc_reg_write(uc, UC_X86_REG_RSP, &rsp), "set rsp");
    check(uc_reg_write(uc, UC_X86_REG_RDI, &iterations), "set rdi");
    check(uc_hook_add(uc, &handle, UC_HOOK_CODE, hook, NULL, 1, 0), "add hook");

    struct timespec from, to;
    executed = 0;
    clock_gettime(CLOCK_MONOTONIC, &from);
    check(uc_emu_start(uc, CODE, END, 0, 0), "run");
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%llu %.6f\n", (unsigned long long)executed,
           (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    uc_close(uc);
}

int main(int argc, char **argv) {
    static uint8_t code[0x10000];
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: unicorn FILE ITERATIONS\n");
        return 64;
    }
    size_t size = fread(code, 1, sizeof code, file);
    fclose(file);
    for (int i = 0; i < 18; i++) pointers[i] = &values[i];
    uint64_t iterations = strtoull(argv[2], NULL, 0);
    measure(code, size, iterations, count);
    measure(code, size, iterations / 10, read_registers);
    return 0;
}
