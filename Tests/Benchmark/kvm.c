// The anchor of `make bench` for the machine kvm: the least that single-stepping a vCPU of KVM with
// its registers takes, KVM_RUN and KVM_SYNC_X86_REGS in a loop.
//
// kvm FILE STEPS: FILE is position-independent code, entered at its first byte with a count in rdi
// that outlasts the steps. Prints a line: steps and seconds. With 0 steps the vCPU runs free, for ever,
// for a debugger to attach to. Exits with 77 where KVM is not there.
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

enum { TABLES = 0x1000, CODE = 0x100000, STACK = 0x200000, SIZE = 0x400000, NO_KVM = 77 };

static int check(int result, const char *what) {
    if (result >= 0) return result;
    perror(what);
    exit(1);
}

// Long mode, the first 2 MiB pages mapped to themselves.
static void set_state(int vcpu, uint8_t *memory, uint64_t count) {
    uint64_t tables[] = {(TABLES + 0x1000) | 3, (TABLES + 0x2000) | 3};
    memcpy(memory + TABLES, &tables[0], 8);
    memcpy(memory + TABLES + 0x1000, &tables[1], 8);
    for (uint64_t page = 0; page < 4; page++) {
        uint64_t entry = page << 21 | 0x83;
        memcpy(memory + TABLES + 0x2000 + page * 8, &entry, 8);
    }
    struct kvm_sregs system;
    check(ioctl(vcpu, KVM_GET_SREGS, &system), "KVM_GET_SREGS");
    struct kvm_segment code = {.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data = {.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    system.cs = code;
    system.ds = system.es = system.fs = system.gs = system.ss = data;
    system.cr0 = 0x80010033, system.cr3 = TABLES, system.cr4 = 0x620, system.efer = 0xd00;
    check(ioctl(vcpu, KVM_SET_SREGS, &system), "KVM_SET_SREGS");
    struct kvm_regs registers = {.rip = CODE, .rsp = STACK, .rdi = count, .rflags = 2};
    check(ioctl(vcpu, KVM_SET_REGS, &registers), "KVM_SET_REGS");
}

int main(int argc, char **argv) {
    int system = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (system < 0) return NO_KVM;
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: kvm FILE STEPS\n");
        return 64;
    }
    uint64_t steps = strtoull(argv[2], NULL, 0), sum = 0;
    int vm = check(ioctl(system, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    uint8_t *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    size_t size = fread(memory + CODE, 1, STACK - CODE, file);
    fclose(file);
    struct kvm_userspace_memory_region region = {.memory_size = SIZE, .userspace_addr = (uintptr_t)memory};
    check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
    int vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
    int length = check(ioctl(system, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
    struct kvm_run *run = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED || size == 0) return 1;
    set_state(vcpu, memory, steps ? steps : UINT64_MAX);
    while (!steps) check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
    struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP};
    check(ioctl(vcpu, KVM_SET_GUEST_DEBUG, &debug), "KVM_SET_GUEST_DEBUG");
    run->kvm_valid_regs = KVM_SYNC_X86_REGS;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (uint64_t step = 0; step < steps; step++) {
        check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
        if (run->exit_reason != KVM_EXIT_DEBUG) return 1;
        sum += run->s.regs.regs.rip;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (sum < steps * CODE) return 1;
    printf("%llu %.6f\n", (unsigned long long)steps,
           (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    return 0;
}
