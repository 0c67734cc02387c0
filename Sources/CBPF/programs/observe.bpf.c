// What a VMM's vCPUs do, while they do it: counters for exits, records for VMGEXITs.
//
// The programs run in the vCPU's thread and cost it time, so exits are counted in an array whose
// entry only that thread writes, and one in 32 of a kind is timed. `leave_guest` and
// `enter_userspace` are all that counting needs; those that see the end of an exit, and what it
// reached for, can come and go.
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kvm.h"
#include "observe.h"

#include "constants.h"

char LICENSE[] SEC("license") = "GPL";

#define KVM_ISA_VMX 1
#define KVM_ISA_SVM 2
#define SVM_EXIT_VMGEXIT 0x403
#define TIMED_ONE_IN 32
#define MOST_PROBES 8
#define PAGE_SHIFT 12
// A reader that waits is woken when this many bytes are there, else it looks by itself.
#define WAKEUP_BYTES (1 << 20)

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, struct observe_counters);
} threads SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 22);
} records SEC(".maps");

// MARK: Counters

/// The counters of the thread that runs; none for the threads of other processes.
static __always_inline struct observe_counters *counters(void)
{
    __u64 thread = bpf_get_current_pid_tgid();
    __u32 tid = thread;

    if (thread >> 32 != constants.tgid) return NULL;
    for (__u32 probe = 0; probe < MOST_PROBES; probe++) {
        __u32 index = (tid + probe) & constants.thread_mask;
        struct observe_counters *counters = bpf_map_lookup_elem(&threads, &index);
        if (!counters) return NULL;
        if (counters->tid == tid) return counters;
        if (!counters->tid && !__sync_val_compare_and_swap(&counters->tid, 0, tid)) return counters;
    }
    return NULL;
}

/// Counts; says whether this one is to be timed.
static __always_inline int is_timed(struct observe_count *count)
{
    return (count->count++ & (TIMED_ONE_IN - 1)) == 0;
}

static __always_inline void finish(struct observe_count *count, __u64 since)
{
    __u64 nanoseconds = bpf_ktime_get_ns() - since;

    count->timed++;
    count->nanoseconds += nanoseconds;
    if (nanoseconds > count->longest) count->longest = nanoseconds;
}

static __always_inline void count_place(__u64 kind, __u64 is_write, __u64 address)
{
    __u64 key = kind << 60 | is_write << 59 | (address & ~0ULL >> 5);
    __u32 hash = address ^ address >> 12 ^ is_write << 5 ^ kind << 3;
    struct observe_counters *counts = counters();

    if (!counts) return;
    for (__u32 probe = 0; probe < MOST_PROBES; probe++) {
        struct observe_place *place = &counts->places[(hash + probe) & (OBSERVE_PLACES - 1)];
        if (!place->key) place->key = key;
        if (place->key == key) {
            place->count++;
            return;
        }
    }
    counts->other_places++;
}

// MARK: Exits

static __always_inline __u64 exit_code(struct kvm_vcpu *vcpu, __u32 isa)
{
    if (isa == KVM_ISA_SVM && has_vmcb()) return BPF_CORE_READ(vmcb_of(vcpu), control.exit_code);
    if (isa == KVM_ISA_VMX && bpf_core_field_exists(((struct vcpu_vmx *)0)->exit_reason))
        return BPF_CORE_READ((struct vcpu_vmx *)vcpu, exit_reason.full) & 0xffff;
    if (isa == KVM_ISA_VMX && bpf_core_field_exists(((struct vcpu_vmx___vt *)0)->vt))
        return BPF_CORE_READ((struct vcpu_vmx___vt *)vcpu, vt.exit_reason.full) & 0xffff;
    return ~0ULL >> 1;
}

static __always_inline __u32 reason_of(__u64 code)
{
    __u32 reason = OBSERVE_REASON_OTHER;

    if (code < OBSERVE_REASONS_400) reason = code;
    if (code >= 0x400 && code < 0x410) reason = OBSERVE_REASONS_400 + (code - 0x400);
    // The verifier has to see a bound that the compiler knows.
    barrier_var(reason);
    return reason < OBSERVE_REASONS ? reason : OBSERVE_REASON_OTHER;
}

SEC("raw_tp/kvm_exit")
int leave_guest(struct bpf_raw_tracepoint_args *ctx)
{
    struct kvm_vcpu *vcpu = (void *)ctx->args[0];
    struct observe_counters *counts = counters();
    __u64 code;
    __u32 reason;

    if (!counts) return 0;
    code = exit_code(vcpu, ctx->args[1]);
    reason = reason_of(code);
    if (!counts->isa) {
        counts->isa = ctx->args[1];
        counts->vcpu = BPF_CORE_READ(vcpu, vcpu_id);
    }
    if (code == SVM_EXIT_VMGEXIT && has_vmcb()) {
        counts->vcpu_address = (__u64)vcpu;
        counts->msr = BPF_CORE_READ(vmcb_of(vcpu), control.ghcb_gpa);
    }
    counts->timing = 0;
    if (is_timed(&counts->reasons[reason])) {
        counts->timing = reason + 1;
        counts->since = bpf_ktime_get_ns();
    }
    return 0;
}

SEC("raw_tp/kvm_entry")
int enter_guest(struct bpf_raw_tracepoint_args *ctx)
{
    struct observe_counters *counts = counters();
    __u32 reason;

    (void)ctx;
    if (!counts || !counts->timing) return 0;
    reason = counts->timing - 1;
    counts->timing = 0;
    if (reason < OBSERVE_REASONS) finish(&counts->reasons[reason], counts->since);
    return 0;
}

SEC("raw_tp/kvm_userspace_exit")
int enter_userspace(struct bpf_raw_tracepoint_args *ctx)
{
    struct observe_counters *counts = counters();
    __u32 reason = ctx->args[0];
    int error = ctx->args[1];

    if (!counts) return 0;
    if (error < 0) counts->failed++;
    if (reason >= OBSERVE_USERSPACE) reason = OBSERVE_USERSPACE - 1;
    counts->userspace_timing = 0;
    if (is_timed(&counts->userspace[reason])) {
        counts->userspace_timing = reason + 1;
        counts->userspace_since = bpf_ktime_get_ns();
    }
    return 0;
}

/// KVM loads the guest's FPU first thing in KVM_RUN: userspace has answered.
SEC("raw_tp/kvm_fpu")
int leave_userspace(struct bpf_raw_tracepoint_args *ctx)
{
    struct observe_counters *counts;
    __u32 reason;

    if (!ctx->args[0]) return 0;
    counts = counters();
    if (!counts || !counts->userspace_timing) return 0;
    reason = counts->userspace_timing - 1;
    counts->userspace_timing = 0;
    if (reason < OBSERVE_USERSPACE) finish(&counts->userspace[reason], counts->userspace_since);
    return 0;
}

// MARK: Places

SEC("raw_tp/kvm_pio")
int access_port(struct bpf_raw_tracepoint_args *ctx)
{
    count_place(observe_place_port, ctx->args[0] & 1, (__u16)ctx->args[1]);
    return 0;
}

/// KVM_TRACE_MMIO_READ_UNSATISFIED is 0, _READ 1, _WRITE 2: a read is seen when it is answered too.
SEC("raw_tp/kvm_mmio")
int access_mmio(struct bpf_raw_tracepoint_args *ctx)
{
    if (ctx->args[0]) count_place(observe_place_mmio, ctx->args[0] == 2, ctx->args[2]);
    return 0;
}

SEC("raw_tp/kvm_msr")
int access_msr(struct bpf_raw_tracepoint_args *ctx)
{
    count_place(observe_place_msr, ctx->args[0] & 1, (__u32)ctx->args[1]);
    return 0;
}

// MARK: VMGEXITs

static __always_inline void fill(
    struct observe_exchange *record, __u32 kind, __u32 vcpu, struct observe_counters *counts)
{
    __builtin_memset(record, 0, sizeof(*record));
    record->kind = kind;
    record->vcpu = vcpu;
    record->tid = counts->tid;
    record->msr = counts->msr;
}

static __always_inline __u64 wakeup(void)
{
    return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) < WAKEUP_BYTES ? BPF_RB_NO_WAKEUP
                                                                        : BPF_RB_FORCE_WAKEUP;
}

/// KVM writes RAX, RCX, RDX and RBX of its cache into the page, but only behind the tracepoint.
static __always_inline void read_registers(struct observe_exchange *record, __u64 address)
{
    struct kvm_vcpu *vcpu = (void *)address;

    if (!vcpu) return;
    record->has_registers = 1;
    record->registers[0] = BPF_CORE_READ(vcpu, arch.regs[0]);
    record->registers[1] = BPF_CORE_READ(vcpu, arch.regs[3]);
    record->registers[2] = BPF_CORE_READ(vcpu, arch.regs[1]);
    record->registers[3] = BPF_CORE_READ(vcpu, arch.regs[2]);
}

static __always_inline void write_page(
    __u32 kind, __u32 vcpu, const void *ghcb, struct observe_counters *counts)
{
    struct observe_page *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

    if (!record) {
        counts->lost++;
        return;
    }
    fill(&record->exchange, kind, vcpu, counts);
    if (kind == observe_kind_page_response) read_registers(&record->exchange, counts->vcpu_address);
    if (bpf_probe_read_kernel(record->page, sizeof(record->page), ghcb)) {
        counts->lost++;
        bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
        return;
    }
    bpf_ringbuf_submit(record, wakeup());
}

static __always_inline void write_msr(
    __u32 kind, __u32 vcpu, __u64 msr, struct observe_counters *counts)
{
    struct observe_exchange *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

    if (!record) {
        counts->lost++;
        return;
    }
    fill(record, kind, vcpu, counts);
    record->msr = msr;
    bpf_ringbuf_submit(record, wakeup());
}

SEC("raw_tp/kvm_vmgexit_enter")
int request_page(struct bpf_raw_tracepoint_args *ctx)
{
    struct observe_counters *counts = counters();

    if (!counts) return 0;
    write_page(observe_kind_page_request, ctx->args[0], (void *)ctx->args[1], counts);
    return 0;
}

SEC("raw_tp/kvm_vmgexit_exit")
int answer_page(struct bpf_raw_tracepoint_args *ctx)
{
    struct observe_counters *counts = counters();

    if (!counts) return 0;
    write_page(observe_kind_page_response, ctx->args[0], (void *)ctx->args[1], counts);
    return 0;
}

SEC("raw_tp/kvm_vmgexit_msr_protocol_enter")
int request_msr(struct bpf_raw_tracepoint_args *ctx)
{
    struct observe_counters *counts = counters();

    if (!counts) return 0;
    write_msr(observe_kind_msr_request, ctx->args[0], ctx->args[1], counts);
    return 0;
}

SEC("raw_tp/kvm_vmgexit_msr_protocol_exit")
int answer_msr(struct bpf_raw_tracepoint_args *ctx)
{
    struct observe_counters *counts = counters();

    if (!counts) return 0;
    write_msr(observe_kind_msr_response, ctx->args[0], ctx->args[1], counts);
    return 0;
}

// MARK: A VM of sevdbg's own

/// Ends the KVM_RUN of the thread behind an answer, so that no exchange passes unseen.
static __always_inline int interrupt(void)
{
    if (counters()) bpf_send_signal_thread(constants.signal);
    return 0;
}

SEC("raw_tp/kvm_vmgexit_exit")
int stop_answered_page(struct bpf_raw_tracepoint_args *ctx)
{
    (void)ctx;
    return interrupt();
}

SEC("raw_tp/kvm_vmgexit_msr_protocol_exit")
int stop_answered_msr(struct bpf_raw_tracepoint_args *ctx)
{
    (void)ctx;
    return interrupt();
}
