#define _GNU_SOURCE
#include "attach.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

// What attach/stub.S has in numbers.
_Static_assert(offsetof(struct kvm_run, exit_reason) == 8, "exit_reason");
_Static_assert(offsetof(struct kvm_run, debug.arch.exception) == 32, "exception");
_Static_assert(offsetof(struct kvm_run, debug.arch.dr6) == 48, "dr6");
_Static_assert(offsetof(struct kvm_run, debug.arch.dr7) == 56, "dr7");
_Static_assert(offsetof(struct kvm_run, s.regs.regs.rip) == 432, "rip");

extern const uint8_t ckvm_stub_start[], ckvm_stub_call[], ckvm_stub_last_call[], ckvm_stub_run[],
    ckvm_stub_steps[], ckvm_stub_stepped[], ckvm_stub_told[], ckvm_stub_result[], ckvm_stub_data[];
extern const uint8_t ckvm_cave_start[], ckvm_cave_data[], ckvm_cave_end[];

struct ckvm_attach_layout ckvm_attach_layout(void)
{
    return (struct ckvm_attach_layout){
        .call = ckvm_stub_call - ckvm_stub_start,
        .last_call = ckvm_stub_last_call - ckvm_stub_start,
        .run = ckvm_stub_run - ckvm_stub_start,
        .steps = ckvm_stub_steps - ckvm_stub_start,
        .stepped = ckvm_stub_stepped - ckvm_stub_start,
        .told = ckvm_stub_told - ckvm_stub_start,
        .result = ckvm_stub_result - ckvm_stub_start,
        .data = ckvm_stub_data - ckvm_stub_start,
        .size = ckvm_cave_start - ckvm_stub_start,
        .cave_data = ckvm_cave_data - ckvm_cave_start,
        .cave_size = ckvm_cave_end - ckvm_cave_start,
    };
}

uint8_t ckvm_attach_code(size_t offset)
{
    return offset < (size_t)(ckvm_cave_end - ckvm_stub_start) ? ckvm_stub_start[offset] : 0;
}

static int result(long value)
{
    return value < 0 ? -errno : (int)value;
}

int ckvm_seize(pid_t thread)
{
    return result(ptrace(PTRACE_SEIZE, thread, 0, PTRACE_O_TRACESYSGOOD));
}

int ckvm_interrupt(pid_t thread)
{
    return result(ptrace(PTRACE_INTERRUPT, thread, 0, 0));
}

int ckvm_resume(pid_t thread, int signal)
{
    return result(ptrace(PTRACE_SYSCALL, thread, 0, signal));
}

int ckvm_continue(pid_t thread, int signal)
{
    return result(ptrace(PTRACE_CONT, thread, 0, signal));
}

int ckvm_listen(pid_t thread)
{
    return result(ptrace(PTRACE_LISTEN, thread, 0, 0));
}

int ckvm_detach(pid_t thread, int signal)
{
    return result(ptrace(PTRACE_DETACH, thread, 0, signal));
}

int ckvm_get_user(pid_t thread, struct user_regs_struct *registers)
{
    struct iovec place = {registers, sizeof *registers};
    return result(ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &place));
}

int ckvm_set_user(pid_t thread, const struct user_regs_struct *registers)
{
    struct iovec place = {(void *)registers, sizeof *registers};
    return result(ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &place));
}

int ckvm_get_mask(pid_t thread, uint64_t *mask)
{
    return result(ptrace(PTRACE_GETSIGMASK, thread, sizeof *mask, mask));
}

int ckvm_set_mask(pid_t thread, uint64_t mask)
{
    return result(ptrace(PTRACE_SETSIGMASK, thread, sizeof mask, &mask));
}

/// Whether a thread in a syscall stop enters the call or leaves it.
static enum ckvm_stop syscall_stop(pid_t thread)
{
    struct __ptrace_syscall_info info;
    long size = ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info);
    return size > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY ? ckvm_stop_entry : ckvm_stop_exit;
}

static enum ckvm_stop classify(pid_t thread, int status)
{
    int event = status >> 16, signal = WSTOPSIG(status);
    if (!WIFSTOPPED(status))
        return ckvm_stop_gone;
    if (signal == (SIGTRAP | 0x80))
        return syscall_stop(thread);
    if (event == PTRACE_EVENT_STOP)
        return signal == SIGTRAP ? ckvm_stop_interrupt : ckvm_stop_group;
    return event ? ckvm_stop_event : ckvm_stop_signal;
}

static int wait_for(pid_t which, int options, struct ckvm_thread_stop *found)
{
    int status;
    pid_t thread = waitpid(which, &status, __WALL | options);
    if (thread <= 0)
        return thread < 0 ? -errno : -EAGAIN;
    *found = (struct ckvm_thread_stop){
        thread, classify(thread, status), WIFSTOPPED(status) ? WSTOPSIG(status) : 0, status};
    return 0;
}

int ckvm_wait(struct ckvm_thread_stop *found)
{
    return wait_for(-1, WNOHANG, found);
}

int ckvm_wait_for(pid_t thread, struct ckvm_thread_stop *found)
{
    return wait_for(thread, 0, found);
}

int ckvm_pidfd_open(pid_t process)
{
    return result(syscall(SYS_pidfd_open, process, 0));
}

int ckvm_pidfd_getfd(int pidfd, int descriptor)
{
    return result(syscall(SYS_pidfd_getfd, pidfd, descriptor, 0));
}

struct kvm_run *ckvm_map_run(int vcpu, size_t size, bool is_writable)
{
    int protection = is_writable ? PROT_READ | PROT_WRITE : PROT_READ;
    struct kvm_run *run = mmap(0, size, protection, MAP_SHARED, vcpu, 0);
    return run == MAP_FAILED ? 0 : run;
}

void ckvm_unmap_run(struct kvm_run *run, size_t size)
{
    munmap(run, size);
}

/// All or nothing.
static int complete(ssize_t done, size_t count)
{
    if (done < 0)
        return -errno;
    return (size_t)done == count ? 0 : -EFAULT;
}

int ckvm_read_process(pid_t process, uint64_t address, void *buffer, size_t count)
{
    struct iovec here = {buffer, count}, there = {(void *)address, count};
    return complete(process_vm_readv(process, &here, 1, &there, 1, 0), count);
}

int ckvm_write_process(pid_t process, uint64_t address, const void *buffer, size_t count)
{
    struct iovec here = {(void *)buffer, count}, there = {(void *)address, count};
    return complete(process_vm_writev(process, &here, 1, &there, 1, 0), count);
}

int ckvm_open_memory(pid_t process)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/mem", process);
    return result(open(path, O_RDWR | O_CLOEXEC));
}

int ckvm_pread(int memory, uint64_t address, void *buffer, size_t count)
{
    return complete(pread(memory, buffer, count, (off_t)address), count);
}

int ckvm_pwrite(int memory, uint64_t address, const void *buffer, size_t count)
{
    return complete(pwrite(memory, buffer, count, (off_t)address), count);
}

struct ckvm_exit ckvm_run_exit(const struct kvm_run *run)
{
    struct ckvm_exit found = {.reason = run->exit_reason};
    switch (found.reason) {
    case KVM_EXIT_IO:
        found.is_write = run->io.direction == KVM_EXIT_IO_OUT;
        found.size = run->io.size;
        found.port = run->io.port;
        found.count = run->io.count;
        found.data_offset = run->io.data_offset;
        break;
    case KVM_EXIT_MMIO:
        found.address = run->mmio.phys_addr;
        found.length = run->mmio.len;
        found.is_write = run->mmio.is_write;
        memcpy(found.data, run->mmio.data, sizeof found.data);
        break;
    case KVM_EXIT_X86_RDMSR:
    case KVM_EXIT_X86_WRMSR:
        found.is_write = found.reason == KVM_EXIT_X86_WRMSR;
        found.msr = run->msr.index;
        found.value = run->msr.data;
        break;
    }
    return found;
}

struct kvm_regs ckvm_run_registers(const struct kvm_run *run)
{
    return run->s.regs.regs;
}

void ckvm_set_run_registers(struct kvm_run *run, const struct kvm_regs *registers)
{
    run->s.regs.regs = *registers;
}

uint8_t ckvm_run_byte(const struct kvm_run *run, size_t size, uint64_t offset)
{
    return offset < size ? ((const uint8_t *)run)[offset] : 0;
}

static int spawn(const char *program, int channel)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, channel, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    char *arguments[] = {"sevdbg", "attach-tracer", NULL};
    pid_t child;
    int error = posix_spawn(&child, program, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

int ckvm_start_tracer(const char *program)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    int error = spawn(program, pair[1]);
    close(pair[1]);
    if (error < 0)
        close(pair[0]);
    return error < 0 ? error : pair[0];
}

int ckvm_send(int channel, const void *bytes, size_t count)
{
    return result(send(channel, bytes, count, MSG_NOSIGNAL));
}

int ckvm_receive(int channel, void *bytes, size_t capacity)
{
    ssize_t count;
    do
        count = recv(channel, bytes, capacity, 0);
    while (count < 0 && errno == EINTR);
    return result(count);
}

int ckvm_poll(int first, int second, int milliseconds)
{
    struct pollfd entries[] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
    if (poll(entries, 2, milliseconds) <= 0)
        return 0;
    return (entries[0].revents ? 1 : 0) | (entries[1].revents ? 2 : 0);
}

int ckvm_open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_SETMASK, &set, NULL);
    return result(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int ckvm_take_signal(int signals)
{
    struct signalfd_siginfo information;
    ssize_t size = read(signals, &information, sizeof information);
    return size == sizeof information ? (int)information.ssi_signo : 0;
}
