// Breakpoints on exits: a vCPU's thread is sent a signal at the moment of an exit that is wanted.
//
// Only a thread that is traced gets one, and its tracer takes it away: without the tracer the VMM
// runs on as if nothing were attached.
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kvm.h"
#include "observe.h"

#include "constants.h"

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} records SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, observe_filter_kinds);
    __type(key, __u32);
    __type(value, struct observe_filter);
} filters SEC(".maps");

/// The filter for events of this kind, where one is set and the thread is held by a tracer.
static __always_inline struct observe_filter *filter(__u32 kind)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    struct observe_filter *filter = bpf_map_lookup_elem(&filters, &kind);

    if (!filter || !filter->is_set) return NULL;
    if (bpf_get_current_pid_tgid() >> 32 != constants.tgid) return NULL;
    return BPF_CORE_READ(task, ptrace) ? filter : NULL;
}

/// Sends the signal, and says why, or does neither.
static __always_inline void stop(void *record)
{
    if (bpf_send_signal_thread(constants.signal))
        bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
    else
        bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

static __always_inline void fill(struct observe_exchange *record, __u32 kind, __u32 vcpu, __u64 msr)
{
    __builtin_memset(record, 0, sizeof(*record));
    record->kind = kind;
    record->vcpu = vcpu;
    record->tid = bpf_get_current_pid_tgid();
    record->msr = msr;
}

SEC("raw_tp/kvm_vmgexit_enter")
int stop_page(struct bpf_raw_tracepoint_args *ctx)
{
    struct ghcb *ghcb = (void *)ctx->args[1];
    struct observe_filter *wanted = filter(observe_filter_page);
    struct observe_page *record;

    if (!wanted) return 0;
    if ((BPF_CORE_READ(ghcb, save.sw_exit_code) & wanted->code_mask) != wanted->code) return 0;
    if ((BPF_CORE_READ(ghcb, save.sw_exit_info_1) & wanted->info1_mask) != wanted->info1) return 0;
    if ((BPF_CORE_READ(ghcb, save.rcx) & wanted->rcx_mask) != wanted->rcx) return 0;
    record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) return 0;
    // Who takes the record knows the MSR of a vCPU that stands still.
    fill(&record->exchange, observe_kind_page_request, ctx->args[0], 0);
    if (bpf_probe_read_kernel(record->page, sizeof(record->page), ghcb))
        bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
    else
        stop(record);
    return 0;
}

SEC("raw_tp/kvm_vmgexit_msr_protocol_enter")
int stop_msr(struct bpf_raw_tracepoint_args *ctx)
{
    struct observe_filter *wanted = filter(observe_filter_msr);
    struct observe_exchange *record;

    if (!wanted || (ctx->args[1] & wanted->code_mask) != wanted->code) return 0;
    record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) return 0;
    fill(record, observe_kind_msr_request, ctx->args[0], ctx->args[1]);
    stop(record);
    return 0;
}

static __always_inline void stop_access(
    __u32 filter_kind, __u32 kind, const struct observe_access *access)
{
    struct observe_filter *wanted = filter(filter_kind);
    struct observe_access *record;

    if (!wanted || (access->address & wanted->code_mask) != wanted->code) return;
    record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) return;
    *record = *access;
    record->kind = kind;
    record->tid = bpf_get_current_pid_tgid();
    stop(record);
}

SEC("raw_tp/kvm_pio")
int stop_port(struct bpf_raw_tracepoint_args *ctx)
{
    struct observe_access access = {
        .is_write = ctx->args[0] & 1,
        .address = (__u16)ctx->args[1],
        .size = (__u32)ctx->args[2],
        .count = (__u32)ctx->args[3],
    };

    stop_access(observe_filter_port, observe_kind_port, &access);
    return 0;
}

SEC("raw_tp/kvm_msr")
int stop_register(struct bpf_raw_tracepoint_args *ctx)
{
    struct observe_access access = {
        .is_write = ctx->args[0] & 1,
        .address = (__u32)ctx->args[1],
        .value = ctx->args[2],
    };

    stop_access(observe_filter_register, observe_kind_register, &access);
    return 0;
}
