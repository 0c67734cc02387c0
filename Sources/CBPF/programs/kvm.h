// The parts of the kernel's types that the programs look at. CO-RE finds where they really are:
// a field that a kernel does not have is asked for with bpf_core_field_exists first.
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
    unsigned long s_magic;
};

struct inode {
    struct super_block *i_sb;
};

struct qstr {
    const unsigned char *name;
};

struct dentry {
    struct qstr d_name;
};

struct path {
    struct dentry *dentry;
};

struct file {
    struct path f_path;
    struct inode *f_inode;
    void *private_data;
};

struct task_struct {
    unsigned int ptrace;
    int tgid;
};

struct seq_file;

struct bpf_iter_meta {
    struct seq_file *seq;
};

struct bpf_iter__task_file {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
    __u32 fd;
    struct file *file;
};

struct upid {
    int nr;
};

struct pid {
    struct upid numbers[1];
};

struct hlist_node {
    struct hlist_node *next;
};

struct hlist_head {
    struct hlist_node *first;
};

struct kvm_memory_slot {
    struct hlist_node id_node[2];
    __u64 base_gfn;
    unsigned long npages;
    unsigned long userspace_addr;
    __u32 flags;
    short id;
    __u16 as_id;
};

struct kvm_memslots {
    struct hlist_head id_hash[128];
    int node_idx;
};

typedef struct {
    int counter;
} atomic_t;

struct kvm {
    struct kvm_memslots *memslots[2];
    atomic_t online_vcpus;
};

struct kvm_run {
    __u32 exit_reason;
};

struct kvm_vcpu_arch {
    unsigned long regs[17];
    unsigned long eff_db[4];
    unsigned long guest_debug_dr7;
};

struct kvm_vcpu_stat {
    __u64 exits;
};

struct kvm_vcpu {
    struct kvm *kvm;
    int vcpu_id;
    int vcpu_idx;
    struct kvm_run *run;
    unsigned long guest_debug;
    struct pid *pid;
    struct kvm_vcpu_arch arch;
    struct kvm_vcpu_stat stat;
};

// kvm_amd

struct kvm_sev_info {
    _Bool es_active;
    unsigned int asid;
    __u16 ghcb_version;
};

struct kvm_svm {
    struct kvm kvm;
    struct kvm_sev_info sev_info;
};

struct vmcb_control_area {
    __u32 asid;
    __u64 exit_code;
    __u64 exit_info_1;
    __u64 exit_info_2;
    __u64 ghcb_gpa;
};

struct vmcb_save_area {
    __u64 cr3;
    __u64 rip;
};

struct vmcb {
    struct vmcb_control_area control;
    struct vmcb_save_area save;
};

struct vcpu_svm {
    struct kvm_vcpu vcpu;
    struct vmcb *vmcb;
};

struct ghcb_save_area {
    __u64 rcx;
    __u64 sw_exit_code;
    __u64 sw_exit_info_1;
};

struct ghcb {
    struct ghcb_save_area save;
};

// kvm_intel: the reason moved into a structure that it shares with TDX in 6.15.

union vmx_exit_reason {
    __u32 full;
};

struct vcpu_vmx {
    struct kvm_vcpu vcpu;
    union vmx_exit_reason exit_reason;
};

struct vcpu_vt {
    union vmx_exit_reason exit_reason;
};

struct vcpu_vmx___vt {
    struct kvm_vcpu vcpu;
    struct vcpu_vt vt;
};

#pragma clang attribute pop
