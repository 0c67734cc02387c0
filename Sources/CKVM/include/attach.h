/// What attaching to a foreign VMM needs of Linux: ptrace, /proc/PID/mem, pidfds, one typed function each.
///
/// Functions return 0 or a value ≥ 0, and -errno where the kernel refuses.
#ifndef CKVM_ATTACH_H
#define CKVM_ATTACH_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/// The data of the code in attach/stub.S; its fields are described there.
struct ckvm_attach_stub {
    uint64_t after, rflags, rdi, rsi, rdx, r10, r8, r9, rbx, rbp, r12, r13, r14, r15;
    uint64_t kvm_run, valid_regs, mask, wanted;
    uint32_t interrupting, debugging, completing, owner;
    uint64_t scratch, pushed, signal;
    struct kvm_regs registers;
};

/// The pages of code that a run of steps may stay in; the one that is looked for first comes first.
struct ckvm_attach_pages {
    uint64_t count;
    struct {
        uint64_t address;
        /// A bit for each address at which the steps have to end.
        uint8_t ends[512];
    } pages[15];
};

/// The data of the code for the first system call.
struct ckvm_attach_cave {
    uint64_t again, rax, rdi, rsi, rdx, r10, r8, r9;
};

/// Offsets in the stub, and the sizes of both pieces of code, in bytes.
struct ckvm_attach_layout {
    size_t call, last_call, run, steps, stepped, told, result, data, size;
    size_t cave_data, cave_size;
};

struct ckvm_attach_layout ckvm_attach_layout(void);
/// One byte of the stub, or of the cave's code behind it; 0 behind the end.
uint8_t ckvm_attach_code(size_t offset);

/// Where a stopped thread stands.
enum ckvm_stop {
    ckvm_stop_entry,
    ckvm_stop_exit,
    /// A signal is to be delivered: `signal`.
    ckvm_stop_signal,
    /// PTRACE_EVENT_STOP without a group stop: the interrupt.
    ckvm_stop_interrupt,
    /// A group stop, SIGSTOP and the like: `signal`.
    ckvm_stop_group,
    /// Another ptrace event.
    ckvm_stop_event,
    /// The thread has ended.
    ckvm_stop_gone,
};

struct ckvm_thread_stop {
    pid_t thread;
    enum ckvm_stop stop;
    int signal;
    /// As wait(2) gives it.
    int status;
};

/// PTRACE_SEIZE with PTRACE_O_TRACESYSGOOD: the thread runs on.
int ckvm_seize(pid_t thread);
int ckvm_interrupt(pid_t thread);
/// PTRACE_SYSCALL: runs to the next entry or exit of a system call, delivering `signal` if it is not 0.
int ckvm_resume(pid_t thread, int signal);
/// PTRACE_CONT: the same without stops at system calls.
int ckvm_continue(pid_t thread, int signal);
/// PTRACE_LISTEN: leaves the thread in its group stop.
int ckvm_listen(pid_t thread);
int ckvm_detach(pid_t thread, int signal);
int ckvm_get_user(pid_t thread, struct user_regs_struct *registers);
int ckvm_set_user(pid_t thread, const struct user_regs_struct *registers);
/// The signals that the thread blocks.
int ckvm_get_mask(pid_t thread, uint64_t *mask);
int ckvm_set_mask(pid_t thread, uint64_t mask);
/// The next change of any traced thread; -EAGAIN when there is none, -ECHILD when none is traced.
int ckvm_wait(struct ckvm_thread_stop *result);
/// The next change of one thread, waited for.
int ckvm_wait_for(pid_t thread, struct ckvm_thread_stop *result);

int ckvm_pidfd_open(pid_t process);
/// A duplicate of a descriptor of another process.
int ckvm_pidfd_getfd(int pidfd, int descriptor);
/// Maps `struct kvm_run` of a vCPU, read-only or not; NULL where that fails.
struct kvm_run *ckvm_map_run(int vcpu, size_t size, bool is_writable);
void ckvm_unmap_run(struct kvm_run *run, size_t size);
/// process_vm_readv: -EFAULT unless all bytes are read.
int ckvm_read_process(pid_t process, uint64_t address, void *buffer, size_t count);
int ckvm_write_process(pid_t process, uint64_t address, const void *buffer, size_t count);
/// /proc/PID/mem, which also reaches read-only pages.
int ckvm_open_memory(pid_t process);
int ckvm_pread(int memory, uint64_t address, void *buffer, size_t count);
int ckvm_pwrite(int memory, uint64_t address, const void *buffer, size_t count);

/// What an exit says, of whatever kind it is; the rest is 0.
struct ckvm_exit {
    uint32_t reason;
    /// KVM_EXIT_MMIO, and the data of KVM_EXIT_X86_RDMSR and _WRMSR.
    uint64_t address, value;
    uint32_t length, msr;
    uint8_t data[8];
    /// KVM_EXIT_IO; the data lies in the mapping.
    uint64_t data_offset;
    uint32_t count;
    uint16_t port;
    uint8_t size, is_write;
};

struct ckvm_exit ckvm_run_exit(const struct kvm_run *run);
struct kvm_regs ckvm_run_registers(const struct kvm_run *run);
void ckvm_set_run_registers(struct kvm_run *run, const struct kvm_regs *registers);
/// One byte of the mapping; 0 behind its end.
uint8_t ckvm_run_byte(const struct kvm_run *run, size_t size, uint64_t offset);

/// The numbers of the vCPU ioctls that are injected.
static const uint64_t ckvm_request_run = KVM_RUN;
static const uint64_t ckvm_request_get_regs = KVM_GET_REGS;
static const uint64_t ckvm_request_set_regs = KVM_SET_REGS;
static const uint64_t ckvm_request_get_sregs = KVM_GET_SREGS;
static const uint64_t ckvm_request_set_sregs = KVM_SET_SREGS;
static const uint64_t ckvm_request_get_msrs = KVM_GET_MSRS;
static const uint64_t ckvm_request_set_msrs = KVM_SET_MSRS;
static const uint64_t ckvm_request_get_xcrs = KVM_GET_XCRS;
static const uint64_t ckvm_request_get_debug_registers = KVM_GET_DEBUGREGS;
static const uint64_t ckvm_request_translate = KVM_TRANSLATE;
static const uint64_t ckvm_request_set_guest_debug = KVM_SET_GUEST_DEBUG;

/// struct kvm_msrs with one entry.
struct ckvm_one_msr {
    uint32_t count, pad;
    struct kvm_msr_entry entry;
};

/// Starts `program attach-tracer` in a session of its own, with one end of a socket pair of packets
/// for its standard input and nothing else; returns the other end.
int ckvm_start_tracer(const char *program);
/// Sends one packet; never raises SIGPIPE.
int ckvm_send(int channel, const void *bytes, size_t count);
/// Takes one packet, and waits for it; 0 when the other end is gone.
int ckvm_receive(int channel, void *bytes, size_t capacity);
/// Waits until one of two descriptors is readable; returns 1, 2 or 3, and 0 when the time is over.
int ckvm_poll(int first, int second, int milliseconds);
/// Makes SIGTERM, SIGINT, SIGHUP and SIGCHLD readable instead of delivering them, and ignores SIGPIPE.
int ckvm_open_signals(void);
/// The next signal that came; 0 when there is none.
int ckvm_take_signal(int signals);

#endif
