// What KVM knows of a process's VMs: an iterator over its files, for nothing has to be stopped.
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kvm.h"
#include "observe.h"

#include "constants.h"

char LICENSE[] SEC("license") = "GPL";

#define ANON_INODE_FS_MAGIC 0x09041934
#define PAGE_SHIFT 12
// The table has 128 chains. KVM spreads numbers evenly: eight in one means about 1000 slots.
#define CHAINS 128
#define LONGEST_CHAIN 8

/// Whether the file is KVM's: only the kernel makes files of this file system and names them.
static int is_kvm(struct file *file, const char *name, int length)
{
    char found[16] = {};

    if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC) return 0;
    bpf_probe_read_kernel_str(found, sizeof(found), BPF_CORE_READ(file, f_path.dentry, d_name.name));
    return !bpf_strncmp(found, length, name);
}

/// A walk over a VM's slots: its table of them by number, chain by chain.
struct walk {
    struct seq_file *seq;
    struct kvm *kvm;
    const void *chains;
    /// Which of a slot's two sets of links this table uses.
    __u32 links;
    /// Whether a chain was longer than the walk.
    __u32 has_more;
};

static void write_slot(struct walk *walk, struct hlist_node *node)
{
    struct kvm_memory_slot *slot = (void *)node
        - bpf_core_field_offset(struct kvm_memory_slot, id_node)
        - walk->links * bpf_core_type_size(struct hlist_node);
    struct observe_slot record = {
        .kind = observe_kind_slot,
        .flags = BPF_CORE_READ(slot, flags),
        .vm = (__u64)walk->kvm,
        .gpa = BPF_CORE_READ(slot, base_gfn) << PAGE_SHIFT,
        .size = (__u64)BPF_CORE_READ(slot, npages) << PAGE_SHIFT,
        .hva = BPF_CORE_READ(slot, userspace_addr),
        .id = BPF_CORE_READ(slot, id),
        .address_space = BPF_CORE_READ(slot, as_id),
    };
    bpf_seq_write(walk->seq, &record, sizeof(record));
}

static long write_chain(__u32 index, struct walk *walk)
{
    struct hlist_node *node = NULL;
    const void *chain = walk->chains + index * bpf_core_type_size(struct hlist_head);

    bpf_probe_read_kernel(&node, sizeof(node), chain);
    for (int position = 0; position < LONGEST_CHAIN && node; position++) {
        write_slot(walk, node);
        node = BPF_CORE_READ(node, next);
    }
    if (node) walk->has_more = 1;
    return 0;
}

/// Says whether there are more than it has written.
static __u32 write_slots(struct seq_file *seq, struct kvm *kvm)
{
    struct kvm_memslots *slots = BPF_CORE_READ(kvm, memslots[0]);
    struct walk walk = {
        .seq = seq,
        .kvm = kvm,
        .chains = (void *)slots + bpf_core_field_offset(struct kvm_memslots, id_hash),
        .links = BPF_CORE_READ(slots, node_idx) & 1,
    };

    bpf_loop(CHAINS, write_chain, &walk, 0);
    return walk.has_more;
}

static void write_vm(struct seq_file *seq, __u32 descriptor, __u32 tgid, struct kvm *kvm)
{
    struct observe_vm record = {
        .kind = observe_kind_vm,
        .descriptor = descriptor,
        .vm = (__u64)kvm,
        .tgid = tgid,
        .vcpus = BPF_CORE_READ(kvm, online_vcpus.counter),
    };
    if (constants.is_svm && bpf_core_field_exists(((struct kvm_svm *)0)->sev_info.es_active)) {
        struct kvm_svm *svm = (void *)kvm;
        record.has_sev = 1;
        record.is_sev_es = BPF_CORE_READ(svm, sev_info.es_active);
        record.asid = BPF_CORE_READ(svm, sev_info.asid);
        if (bpf_core_field_exists(svm->sev_info.ghcb_version))
            record.ghcb_version = BPF_CORE_READ(svm, sev_info.ghcb_version);
    }
    record.has_more_slots = write_slots(seq, kvm);
    bpf_seq_write(seq, &record, sizeof(record));
}

static void write_vcpu(struct seq_file *seq, __u32 descriptor, __u32 tgid, struct kvm_vcpu *vcpu)
{
    struct observe_vcpu record = {
        .kind = observe_kind_vcpu,
        .descriptor = descriptor,
        .vm = (__u64)BPF_CORE_READ(vcpu, kvm),
        .id = BPF_CORE_READ(vcpu, vcpu_id),
        .tid = BPF_CORE_READ(vcpu, pid, numbers[0].nr),
        .exits = BPF_CORE_READ(vcpu, stat.exits),
        .debug_control = BPF_CORE_READ(vcpu, guest_debug),
        .debug_dr7 = BPF_CORE_READ(vcpu, arch.guest_debug_dr7),
        .exit_reason = BPF_CORE_READ(vcpu, run, exit_reason),
    };
    if (BPF_CORE_READ(vcpu, vcpu_idx) == 0) write_vm(seq, ~0u, tgid, BPF_CORE_READ(vcpu, kvm));
    bpf_core_read(&record.debug_addresses, sizeof(record.debug_addresses), &vcpu->arch.eff_db);
    if (has_vmcb()) {
        struct vmcb *vmcb = vmcb_of(vcpu);
        record.has_vmcb = 1;
        record.exit_code = BPF_CORE_READ(vmcb, control.exit_code);
        record.info1 = BPF_CORE_READ(vmcb, control.exit_info_1);
        record.info2 = BPF_CORE_READ(vmcb, control.exit_info_2);
        record.ghcb = BPF_CORE_READ(vmcb, control.ghcb_gpa);
        record.asid = BPF_CORE_READ(vmcb, control.asid);
        record.rip = BPF_CORE_READ(vmcb, save.rip);
        record.cr3 = BPF_CORE_READ(vmcb, save.cr3);
    }
    bpf_seq_write(seq, &record, sizeof(record));
}

SEC("iter/task_file")
int inspect(struct bpf_iter__task_file *ctx)
{
    struct seq_file *seq = ctx->meta->seq;
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;

    if (!task || !file) return 0;
    if (is_kvm(file, "kvm-vm", sizeof("kvm-vm")))
        write_vm(seq, ctx->fd, task->tgid, BPF_CORE_READ(file, private_data));
    else if (is_kvm(file, "kvm-vcpu:", sizeof("kvm-vcpu:") - 1))
        write_vcpu(seq, ctx->fd, task->tgid, BPF_CORE_READ(file, private_data));
    return 0;
}
