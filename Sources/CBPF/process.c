#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <linux/kvm.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CBPF.h"

int cbpf_has_svm(void)
{
    unsigned eax, ebx, ecx = 0, edx;

    return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (ecx & 1 << 2);
}

int cbpf_c_bit(void)
{
    unsigned eax = 0, ebx = 0, ecx, edx;

    return __get_cpuid(0x8000001f, &eax, &ebx, &ecx, &edx) && (eax & 1 << 1) ? (int)(ebx & 0x3f) : 0;
}

int cbpf_open_process(pid_t process)
{
    int descriptor = syscall(SYS_pidfd_open, process, 0);

    return descriptor < 0 ? -errno : descriptor;
}

const void *cbpf_map_run(int process, int vcpu)
{
    int descriptor = syscall(SYS_pidfd_getfd, process, vcpu, 0);
    if (descriptor < 0) return NULL;

    void *run = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, descriptor, 0);
    int error = errno;
    close(descriptor);
    errno = error;
    return run == MAP_FAILED ? NULL : run;
}

void cbpf_unmap_run(const void *run)
{
    munmap((void *)run, sysconf(_SC_PAGESIZE));
}

uint32_t cbpf_exit_reason(const void *run)
{
    return __atomic_load_n(&((const struct kvm_run *)run)->exit_reason, __ATOMIC_RELAXED);
}
