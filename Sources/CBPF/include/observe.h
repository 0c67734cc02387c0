/// What the BPF programs write and sevdbg reads: fields in order, little-endian, no padding.
#ifndef OBSERVE_H
#define OBSERVE_H

#include <linux/types.h>

/// What the programs must know before they are loaded.
struct observe_constants {
    /// The VMM; `observe` counts for no other process.
    __u32 tgid;
    /// 1: KVM is kvm_amd. A kernel can have its types without using it.
    __u32 is_svm;
    /// The number of counters less one, a power of two less one.
    __u32 thread_mask;
    /// What `stop` sends, and what ends KVM_RUN behind an answer.
    __u32 signal;
};

/// The first word of every record.
enum observe_kind {
    observe_kind_vm = 1,
    observe_kind_slot,
    observe_kind_vcpu,
    observe_kind_page_request = 16,
    observe_kind_page_response,
    observe_kind_msr_request,
    observe_kind_msr_response,
    observe_kind_port = 32,
    observe_kind_register,
};

/// A VM of the process: one record for each `kvm-vm` file, and one for the file of its first vCPU,
/// which keeps the VM where the other is closed.
struct observe_vm {
    __u32 kind;
    /// ~0: that of a vCPU.
    __u32 descriptor;
    /// The same in the records of the VM's slots and vCPUs; means nothing else.
    __u64 vm;
    __u32 tgid;
    __u32 vcpus;
    /// 1: the VM has more slots than there are records.
    __u32 has_more_slots;
    /// 1: what follows could be read (kvm_amd, with its BTF).
    __u32 has_sev;
    __u32 is_sev_es;
    __u32 asid;
    __u32 ghcb_version;
    __u32 reserved;
};

/// A memory slot; all sizes in bytes.
struct observe_slot {
    __u32 kind;
    __u32 flags;
    __u64 vm;
    __u64 gpa;
    __u64 size;
    __u64 hva;
    __u16 id;
    __u16 address_space;
    __u32 reserved;
};

/// A vCPU: one record for each `kvm-vcpu:N` file.
struct observe_vcpu {
    __u32 kind;
    __u32 descriptor;
    __u64 vm;
    __u32 id;
    /// The thread that last ran it; 0 for none.
    __u32 tid;
    __u64 exits;
    /// What the VMM has told KVM_SET_GUEST_DEBUG: its control, DR0 to DR3, DR7.
    __u64 debug_control;
    __u64 debug_addresses[4];
    __u64 debug_dr7;
    /// KVM_EXIT_* of the last return to userspace.
    __u32 exit_reason;
    /// 1: what follows is the live VMCB (kvm_amd, with its BTF).
    __u32 has_vmcb;
    __u64 exit_code;
    __u64 info1;
    __u64 info2;
    __u64 rip;
    __u64 cr3;
    __u64 ghcb;
    __u32 asid;
    __u32 reserved;
};

/// One side of a VMGEXIT of the MSR protocol, and the head of a record with a page.
struct observe_exchange {
    __u32 kind;
    __u32 vcpu;
    __u32 tid;
    /// 1: the registers are KVM's.
    __u32 has_registers;
    /// MSR_AMD64_SEV_ES_GHCB: of a request as the guest left it, of a response as it finds it.
    __u64 msr;
    /// RAX, RBX, RCX and RDX, which KVM writes into the page behind the tracepoint.
    __u64 registers[4];
};

#define OBSERVE_PAGE_SIZE 4096

/// One side of a VMGEXIT of the page protocol.
struct observe_page {
    struct observe_exchange exchange;
    __u8 page[OBSERVE_PAGE_SIZE];
};

/// A port or MSR access that a breakpoint wants.
struct observe_access {
    __u32 kind;
    __u32 tid;
    __u64 is_write;
    __u64 address;
    /// Of a port access: bytes in a unit, and units.
    __u64 size;
    __u64 count;
    /// Of an MSR access: what was read or written.
    __u64 value;
};

/// How often something happened, and how long it took where that was measured.
struct observe_count {
    __u64 count;
    __u64 timed;
    __u64 nanoseconds;
    __u64 longest;
};

/// A place that a vCPU reached for: its kind, and a port, an address or an MSR.
struct observe_place {
    __u64 key;
    __u64 count;
};

/// Bits 63:60 of a place's key; bit 59: written rather than read.
enum observe_place_kind {
    observe_place_port = 1,
    observe_place_mmio,
    observe_place_msr,
};

/// SVM codes 0x00-0xff, then 0x400-0x40f, then all others; VMX reasons as they are.
#define OBSERVE_REASONS 0x111
/// The codes from 0x400 on start here.
#define OBSERVE_REASONS_400 0x100
/// All reasons that have no counter of their own.
#define OBSERVE_REASON_OTHER 0x110
/// KVM_EXIT_*; the last one stands for all above.
#define OBSERVE_USERSPACE 64
#define OBSERVE_PLACES 64

/// What one vCPU thread did; the thread is the only writer.
struct observe_counters {
    /// 0: free.
    __u32 tid;
    /// KVM_ISA_VMX or KVM_ISA_SVM, which say what a reason means; 0 before the first exit.
    __u32 isa;
    __u32 vcpu;
    /// Records that found the ring buffer full.
    __u32 lost;
    /// Reason + 1 of the exit that is being timed.
    __u32 timing;
    __u32 userspace_timing;
    __u64 since;
    __u64 userspace_since;
    /// The address of struct kvm_vcpu.
    __u64 vcpu_address;
    /// The GHCB MSR at the last VMGEXIT.
    __u64 msr;
    /// KVM_RUN that failed, EINTR included.
    __u64 failed;
    /// Accesses to places beyond OBSERVE_PLACES.
    __u64 other_places;
    struct observe_count reasons[OBSERVE_REASONS];
    struct observe_count userspace[OBSERVE_USERSPACE];
    struct observe_place places[OBSERVE_PLACES];
};

/// What an observe_filter looks at: its place in the map `filters`.
enum observe_filter_kind {
    /// A VMGEXIT of the page protocol: SW_EXITCODE, SW_EXITINFO1 and RCX.
    observe_filter_page,
    /// A VMGEXIT of the MSR protocol: the MSR, as code.
    observe_filter_msr,
    /// A port access, on any KVM: the port, as code.
    observe_filter_port,
    /// RDMSR or WRMSR, on any KVM: the number, as code.
    observe_filter_register,
    observe_filter_kinds,
};

/// Which event sends the vCPU's thread a signal, at the moment it happens.
struct observe_filter {
    /// 0: none does.
    __u64 is_set;
    /// Bits that must be equal, and their values.
    __u64 code_mask, code;
    __u64 info1_mask, info1;
    __u64 rcx_mask, rcx;
};

#endif
