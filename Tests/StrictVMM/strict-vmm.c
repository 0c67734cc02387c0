// A VMM that checks itself: every exit, every answer, every register, every return of KVM_RUN.
//
//     strict-vmm [--tick MILLISECONDS | --busy | --debug | --break | --turns | --alternate | --asleep
//                | --seccomp | --two-vms]
//
// Two vCPUs, each on a thread of its own. A guest folds all its registers, a word of memory, its flags
// as PUSHF and IRETQ have them, and what the VMM answers into a sum, and gives it out with each round;
// the VMM computes the same sum. Runs until SIGTERM, then prints a line of totals and exits with 0, or
// with 1 after an irregularity. SIGUSR1 prints the totals and goes on. With --tick both vCPU threads
// get a signal every so often: each has to arrive, and only such a signal may make KVM_RUN return EINTR.
// With --debug it makes a step of its own every so often, which has to end in KVM_EXIT_DEBUG; with --break
// a breakpoint of its own, which is always set, has to be met in each round. With --turns one thread runs
// both vCPUs, round by round; with --alternate two do, and each waits for the other; with --asleep they wait
// for SIGUSR2 before the first round, and with the next one again. With --two-vms each vCPU is number 0 of
// a VM of its own. With --busy its threads compute, and run no vCPU.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { VCPUS = 2, RAM = 2 << 20, CODE = 0x10000, TABLES = 0x1000, MMIO = 0x10000000, BREAK = CODE + 0x42 };

// rbx: sum; r8…r15, rbp, rsi, rdi: constants; rsp: a word of memory of the vCPU's own.
static const uint8_t guest[] = {
    0xb9, 0x08, 0x00, 0x00, 0x00,              // round: mov $8, %ecx
    0x48, 0x6b, 0xdb, 0x1f,                    // fold:  imul $31, %rbx, %rbx
    0x4c, 0x01, 0xc3,                          //        add %r8, %rbx
    0x4c, 0x31, 0xcb,                          //        xor %r9, %rbx
    0x4c, 0x01, 0xd3,                          //        add %r10, %rbx
    0x4c, 0x31, 0xdb,                          //        xor %r11, %rbx
    0x4c, 0x01, 0xe3,                          //        add %r12, %rbx
    0x4c, 0x31, 0xeb,                          //        xor %r13, %rbx
    0x4c, 0x01, 0xf3,                          //        add %r14, %rbx
    0x4c, 0x31, 0xfb,                          //        xor %r15, %rbx
    0x48, 0x01, 0xeb,                          //        add %rbp, %rbx
    0x48, 0x31, 0xf3,                          //        xor %rsi, %rbx
    0x48, 0x01, 0xfb,                          //        add %rdi, %rbx
    0x48, 0xff, 0x04, 0x24,                    //        incq (%rsp)
    0x48, 0x03, 0x1c, 0x24,                    //        add (%rsp), %rbx
    0xff, 0xc9,                                //        dec %ecx
    0x75, 0xcf,                                //        jnz fold
    0xba, 0x00, 0x01, 0x00, 0x00,              //        mov $0x100, %edx
    0x89, 0xd8,                                //        mov %ebx, %eax
    0xef,                                      //        out %eax, %dx
    0xed,                                      //        in %dx, %eax
    0x48, 0x01, 0xc3,                          //        add %rax, %rbx
    0xb8, 0x00, 0x00, 0x00, 0x10,              //        mov $0x10000000, %eax
    0x89, 0x18,                                //        mov %ebx, (%rax)
    0x8b, 0x10,                                //        mov (%rax), %edx
    0x48, 0x31, 0xd3,                          //        xor %rdx, %rbx
    0xb9, 0x80, 0x00, 0x00, 0xc0,              //        mov $0xc0000080, %ecx
    0x0f, 0x32,                                //        rdmsr
    0x29, 0xc0,                                //        sub %eax, %eax
    0x9c,                                      //        pushfq
    0x48, 0x03, 0x1c, 0x24,                    //        add (%rsp), %rbx
    0x9d,                                      //        popfq
    0x48, 0x89, 0xe0,                          //        mov %rsp, %rax
    0x6a, 0x10,                                //        push $16
    0x50,                                      //        push %rax
    0x9c,                                      //        pushfq
    0x6a, 0x08,                                //        push $8
    0x48, 0x8d, 0x05, 0x03, 0x00, 0x00, 0x00,  //        lea back(%rip), %rax
    0x50,                                      //        push %rax
    0x48, 0xcf,                                //        iretq
    0x9c,                                      // back:  pushfq
    0x58,                                      //        pop %rax
    0x48, 0x01, 0xc3,                          //        add %rax, %rbx
    0xeb, 0x89,                                //        jmp round
};
// What PUSHF gives there: ZF, PF, and the bit that is always set. A TF of someone else's would show.
enum { FLAGS = 0x46 };

struct vcpu {
    int number, fd;
    struct kvm_run *run;
    pthread_t thread;
    // What the guest must have.
    uint64_t sum, word, constants[11];
    uint64_t rounds, unasked, irregular;
    _Atomic uint64_t signalled;
};

static struct vcpu vcpus[VCPUS];
static atomic_int stopping;
static int busy, debugs, breaks, turns, alternates, sleeps;
static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_change = PTHREAD_COND_INITIALIZER;
static int turn, asleep;
static _Thread_local struct vcpu *self;

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static void on_signal(int number) {
    (void)number;
    if (!self) return;
    atomic_fetch_add(&self->signalled, 1);
    if (atomic_load(&stopping)) self->run->immediate_exit = 1;
}

static void irregular(struct vcpu *v, const char *what) {
    v->irregular++;
    fprintf(stderr, "vcpu %d, round %llu: %s (exit %u)\n", v->number, (unsigned long long)v->rounds,
            what, v->run->exit_reason);
}

static void fold(struct vcpu *v) {
    for (int i = 0; i < 8; i++) {
        v->sum *= 31;
        for (int c = 0; c < 11; c++) v->sum = c % 2 ? v->sum ^ v->constants[c] : v->sum + v->constants[c];
        v->sum += ++v->word;
    }
}

// Runs to the next exit, which must be the one that is expected.
static int next_exit(struct vcpu *v, unsigned reason) {
    for (;;) {
        // Before `stopping`: the signal that follows it must not pass for an EINTR without one.
        uint64_t signalled = atomic_load(&v->signalled);
        if (atomic_load(&stopping)) return 0;
        int result = ioctl(v->fd, KVM_RUN, 0);
        if (result == 0) {
            if (v->run->exit_reason == reason) return 1;
            irregular(v, "another exit");
            return 0;
        }
        if (errno != EINTR) {
            irregular(v, strerror(errno));
            return 0;
        }
        if (atomic_load(&v->signalled) == signalled) v->unasked++;
    }
}

static void check_registers(struct vcpu *v) {
    struct kvm_regs r;
    if (ioctl(v->fd, KVM_GET_REGS, &r)) return irregular(v, "KVM_GET_REGS");
    uint64_t found[11] = {r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rbp, r.rsi, r.rdi};
    if (memcmp(found, v->constants, sizeof found)) irregular(v, "a register has changed");
    if (r.rflags & 0x100) irregular(v, "TF is set");
}

static void set_debug(struct vcpu *v, unsigned control) {
    struct kvm_guest_debug debug = {.control = control};
    if (ioctl(v->fd, KVM_SET_GUEST_DEBUG, &debug)) irregular(v, "KVM_SET_GUEST_DEBUG");
}

static void set_breakpoint(struct vcpu *v) {
    struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP};
    debug.arch.debugreg[0] = BREAK;
    debug.arch.debugreg[7] = 0x402;
    if (ioctl(v->fd, KVM_SET_GUEST_DEBUG, &debug)) irregular(v, "KVM_SET_GUEST_DEBUG");
}

static int step(struct vcpu *v) {
    set_debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP);
    int done = next_exit(v, KVM_EXIT_DEBUG);
    set_debug(v, 0);
    return done;
}

// Its own breakpoint, and the step off it.
static int meet_breakpoint(struct vcpu *v) {
    if (!next_exit(v, KVM_EXIT_DEBUG)) return 0;
    if (v->run->debug.arch.pc != BREAK || !(v->run->debug.arch.dr6 & 1)) irregular(v, "a wrong breakpoint");
    int done = step(v);
    set_breakpoint(v);
    return done;
}

static int round_trip(struct vcpu *v) {
    struct kvm_run *run = v->run;
    fold(v);
    if (!next_exit(v, KVM_EXIT_IO)) return 0;
    uint32_t *data = (uint32_t *)((char *)run + run->io.data_offset);
    if (run->io.direction != KVM_EXIT_IO_OUT || run->io.port != 0x100 || *data != (uint32_t)v->sum)
        irregular(v, "a wrong OUT");
    if (!next_exit(v, KVM_EXIT_IO)) return 0;
    if (run->io.direction != KVM_EXIT_IO_IN || run->io.port != 0x100) irregular(v, "a wrong IN");
    *data = (uint32_t)(v->rounds * 2654435761u);
    v->sum += *data;
    if (breaks && !meet_breakpoint(v)) return 0;
    if (!next_exit(v, KVM_EXIT_MMIO)) return 0;
    uint32_t value;
    memcpy(&value, run->mmio.data, 4);
    if (!run->mmio.is_write || run->mmio.phys_addr != MMIO || value != (uint32_t)v->sum)
        irregular(v, "a wrong write");
    if (!next_exit(v, KVM_EXIT_MMIO)) return 0;
    if (run->mmio.is_write || run->mmio.phys_addr != MMIO) irregular(v, "a wrong read");
    value = (uint32_t)(v->rounds ^ 0x5a5a5a5a);
    memcpy(run->mmio.data, &value, 4);
    v->sum ^= value;
    v->sum += 2 * FLAGS;
    if (v->rounds % 64 == 0) check_registers(v);
    v->rounds++;
    return v->rounds % 16 || !debugs || step(v);
}

static void await_turn(struct vcpu *v) {
    pthread_mutex_lock(&turn_lock);
    while ((asleep || (alternates && turn != v->number)) && !atomic_load(&stopping))
        pthread_cond_wait(&turn_change, &turn_lock);
    pthread_mutex_unlock(&turn_lock);
}

static void change_turn(int *what, int value) {
    pthread_mutex_lock(&turn_lock);
    *what = value;
    pthread_cond_broadcast(&turn_change);
    pthread_mutex_unlock(&turn_lock);
}

static void *serve(void *argument) {
    struct vcpu *v = self = argument;
    while (busy && !atomic_load(&stopping)) continue;
    while (!atomic_load(&stopping) && v->irregular < 10) {
        if (alternates || sleeps) await_turn(v);
        if (!round_trip(v)) break;
        if (alternates) change_turn(&turn, (v->number + 1) % VCPUS);
        if (turns) v = self = &vcpus[(v->number + 1) % VCPUS];
    }
    return 0;
}

// A guest in long mode needs a processor that has it: kvm_amd refuses the registers otherwise.
static void set_cpuid(int kvm, int vcpu) {
    enum { MOST = 256 };
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + MOST * sizeof *cpuid->entries);
    cpuid->nent = MOST;
    if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid)) fail("KVM_GET_SUPPORTED_CPUID");
    if (ioctl(vcpu, KVM_SET_CPUID2, cpuid)) fail("KVM_SET_CPUID2");
    free(cpuid);
}

static void make_vcpu(int kvm, int vm, int number, int id) {
    size_t run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct vcpu *v = &vcpus[number];
    v->number = number;
    if ((v->fd = ioctl(vm, KVM_CREATE_VCPU, id)) < 0) fail("KVM_CREATE_VCPU");
    set_cpuid(kvm, v->fd);
    v->run = mmap(0, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    if (v->run == MAP_FAILED) fail("mmap of the vCPU");
    struct kvm_sregs s;
    if (ioctl(v->fd, KVM_GET_SREGS, &s)) fail("KVM_GET_SREGS");
    struct kvm_segment code = {.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data = {.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    s.cs = code;
    s.ds = s.es = s.ss = s.fs = s.gs = data;
    s.gdt.base = TABLES + 0x3000;
    s.gdt.limit = 23;
    s.cr3 = TABLES;
    s.cr4 = 0x20;
    s.cr0 = 0x80000011;
    s.efer = 0x500;
    if (ioctl(v->fd, KVM_SET_SREGS, &s)) fail("KVM_SET_SREGS");
    struct kvm_regs r = {.rip = CODE, .rflags = 2, .rsp = 0x8000 + 64 * number};
    for (int i = 0; i < 11; i++) v->constants[i] = 0x9e3779b97f4a7c15u * (i + 1) ^ number;
    uint64_t *c = v->constants;
    r.r8 = c[0], r.r9 = c[1], r.r10 = c[2], r.r11 = c[3], r.r12 = c[4], r.r13 = c[5], r.r14 = c[6];
    r.r15 = c[7], r.rbp = c[8], r.rsi = c[9], r.rdi = c[10];
    if (ioctl(v->fd, KVM_SET_REGS, &r)) fail("KVM_SET_REGS");
}

static int make_vm(int kvm) {
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0) fail("KVM_CREATE_VM");
    uint8_t *ram = mmap(0, RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = {.memory_size = RAM, .userspace_addr = (uintptr_t)ram};
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region)) fail("KVM_SET_USER_MEMORY_REGION");
    uint64_t *tables = (uint64_t *)(ram + TABLES);
    tables[0] = (TABLES + 0x1000) | 3;
    tables[512] = (TABLES + 0x2000) | 3;
    for (int i = 0; i < 512; i++) tables[1024 + i] = (uint64_t)i << 21 | 0x83;
    tables[1537] = 0x00af9b000000ffff;
    tables[1538] = 0x00cf93000000ffff;
    memcpy(ram + CODE, guest, sizeof guest);
    return vm;
}

static void make_vms(int count) {
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm = -1;
    if (kvm < 0) fail("/dev/kvm");
    for (int i = 0; i < VCPUS; i++) {
        if (i < count) vm = make_vm(kvm);
        make_vcpu(kvm, vm, i, i % (VCPUS / count));
    }
}

static int report(uint64_t ticks) {
    uint64_t unasked = 0, wrong = 0, signalled = 0;
    for (int i = 0; i < VCPUS; i++) {
        unasked += vcpus[i].unasked;
        wrong += vcpus[i].irregular;
        signalled += atomic_load(&vcpus[i].signalled);
    }
    printf("rounds %llu %llu irregular %llu unasked %llu ticks %llu signals %llu\n",
           (unsigned long long)vcpus[0].rounds, (unsigned long long)vcpus[1].rounds,
           (unsigned long long)wrong, (unsigned long long)unasked, (unsigned long long)ticks,
           (unsigned long long)signalled);
    fflush(stdout);
    return wrong ? 1 : 0;
}

// Real-time signals are queued: none of them may be lost.
static void signal_all(void) {
    union sigval none = {0};
    for (int i = 0; i < VCPUS; i++)
        if (pthread_sigqueue(vcpus[i].thread, SIGRTMIN, none) && !atomic_load(&stopping))
            fail("pthread_sigqueue");
}

// A filter that allows everything: who looks sees only that there is one.
static void enter_seccomp(void) {
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        fail("seccomp");
}

int main(int count, char **arguments) {
    long tick = count == 3 && !strcmp(arguments[1], "--tick") ? atol(arguments[2]) : 0;
    debugs = count == 2 && !strcmp(arguments[1], "--debug");
    busy = count == 2 && !strcmp(arguments[1], "--busy");
    breaks = count == 2 && !strcmp(arguments[1], "--break");
    turns = count == 2 && !strcmp(arguments[1], "--turns");
    alternates = count == 2 && !strcmp(arguments[1], "--alternate");
    asleep = sleeps = count == 2 && !strcmp(arguments[1], "--asleep");
    if (count == 2 && !strcmp(arguments[1], "--seccomp")) enter_seccomp();
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGRTMIN, &action, 0);
    sigset_t waited;
    sigemptyset(&waited);
    sigaddset(&waited, SIGTERM);
    sigaddset(&waited, SIGUSR1);
    sigaddset(&waited, SIGUSR2);
    sigprocmask(SIG_SETMASK, &waited, 0);
    make_vms(count == 2 && !strcmp(arguments[1], "--two-vms") ? 2 : 1);
    for (int i = 0; i < VCPUS; i++) {
        if (breaks) set_breakpoint(&vcpus[i]);
        if (turns && i) vcpus[i].thread = vcpus[0].thread;
        else pthread_create(&vcpus[i].thread, 0, serve, &vcpus[i]);
    }
    printf("running\n");
    fflush(stdout);
    struct timespec pause = {tick / 1000, tick % 1000 * 1000000};
    uint64_t ticks = 0;
    for (;;) {
        int number = tick ? sigtimedwait(&waited, 0, &pause) : sigwaitinfo(&waited, 0);
        if (number == SIGTERM) break;
        if (number == SIGUSR1) report(ticks);
        if (number == SIGUSR2) change_turn(&asleep, !asleep);
        if (number < 0 && errno == EAGAIN) {
            ticks++;
            signal_all();
        }
    }
    atomic_store(&stopping, 1);
    change_turn(&asleep, 0);
    signal_all();
    for (int i = 0; i < VCPUS; i++)
        if (!turns || !i) pthread_join(vcpus[i].thread, 0);
    return report(ticks);
}
