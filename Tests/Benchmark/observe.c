// What `sevdbg attach --observe` costs a VMM: its exits in a second of its own processor time, with and
// without the observer, in turns. The worst case: a guest that does nothing but IN and OUT, and a VMM
// that does nothing but answer.
//
//     observe SEVDBG [TURNS]
//
// Processor time rather than the clock's: other programs on the machine then hardly matter. Prints a
// line with the medians.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_TURNS = 1000, WINDOW = 1000, RAM = 0x10000, CODE = 0x1000 };

static const uint8_t guest[] = {
    0xba, 0x00, 0x10, // again: mov $0x1000, %dx
    0xed,             //        in %dx, %ax
    0xef,             //        out %ax, %dx
    0xeb, 0xf9,       //        jmp again
};

static pid_t vmm;
static volatile uint64_t *exits;

static void fail(const char *what)
{
    perror(what);
    if (vmm > 0) kill(vmm, SIGKILL);
    exit(2);
}

/// Runs the guest for ever.
static void run_vmm(void)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm = ioctl(kvm, KVM_CREATE_VM, 0);
    uint8_t *ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = {.memory_size = RAM, .userspace_addr = (uintptr_t)ram};
    struct kvm_regs registers = {.rip = CODE, .rflags = 2};
    struct kvm_sregs segments;

    memcpy(ram + CODE, guest, sizeof(guest));
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region)) fail("KVM_SET_USER_MEMORY_REGION");
    int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    struct kvm_run *run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
        MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED || ioctl(vcpu, KVM_GET_SREGS, &segments)) fail("KVM_CREATE_VCPU");
    segments.cs.base = segments.cs.selector = 0;
    if (ioctl(vcpu, KVM_SET_SREGS, &segments) || ioctl(vcpu, KVM_SET_REGS, &registers))
        fail("KVM_SET_REGS");
    while (!ioctl(vcpu, KVM_RUN, 0) && run->exit_reason == KVM_EXIT_IO) ++*exits;
    fail("KVM_RUN");
}

/// Nanoseconds of processor time that the VMM has used.
static double used(void)
{
    struct timespec time;
    clockid_t clock;

    if (clock_getcpuclockid(vmm, &clock) || clock_gettime(clock, &time)) fail("the VMM's clock");
    return time.tv_sec * 1e9 + time.tv_nsec;
}

/// Exits in a second of the VMM's time, over a whole second: the observer times exits in a part of each.
static double rate(void)
{
    uint64_t before = *exits;
    double time = used();

    // On a busy machine the VMM needs longer for its share.
    do usleep(WINDOW * 1000);
    while (used() - time < WINDOW * 1e6 / 4);
    return (*exits - before) * 1e9 / (used() - time);
}

static double observed_rate(char *sevdbg)
{
    char process[16], line[8192];
    char *arguments[] = {sevdbg, "attach", process, "--observe", "--json", NULL};
    int ends[2];

    snprintf(process, sizeof(process), "%d", vmm);
    if (pipe2(ends, O_CLOEXEC)) fail("pipe");
    pid_t observer = fork();
    if (observer == 0) {
        dup2(ends[1], 1);
        execv(sevdbg, arguments);
        _exit(127);
    }
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    // The first record comes when all programs are attached.
    if (!fgets(line, sizeof(line), output) || !strstr(line, "\"by\":\"bpf\"")) fail("no BPF");
    double found = rate();
    kill(observer, SIGINT);
    while (fgets(line, sizeof(line), output)) continue;
    fclose(output);
    waitpid(observer, NULL, 0);
    return found;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

int main(int count, char **arguments)
{
    int turns = count > 2 ? atoi(arguments[2]) : 21;
    double ratios[MOST_TURNS], rates[MOST_TURNS];

    if (count < 2 || turns < 1 || turns > MOST_TURNS) {
        fprintf(stderr, "usage: observe SEVDBG [TURNS]\n");
        return 64;
    }
    exits = mmap(NULL, sizeof(*exits), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if ((vmm = fork()) == 0) run_vmm();
    rate();
    double before = rate();
    for (int turn = 0; turn < turns; turn++) {
        double with = observed_rate(arguments[1]), after = rate();
        rates[turn] = (before + after) / 2;
        ratios[turn] = with / rates[turn];
        before = after;
    }
    kill(vmm, SIGKILL);
    qsort(ratios, turns, sizeof(*ratios), compare);
    qsort(rates, turns, sizeof(*rates), compare);
    printf("observed VMM: %.0f exits/s alone, %.3f x of that while observed (quartiles %.3f %.3f, %d turns)\n",
        rates[turns / 2], ratios[turns / 2], ratios[turns / 4], ratios[3 * turns / 4], turns);
    return 0;
}
