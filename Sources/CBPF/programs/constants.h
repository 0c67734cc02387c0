/// Set before the program is loaded; what depends on it and is not wanted is then no code at all.
const volatile struct observe_constants constants;

/// Whether a vCPU's VMCB can be found.
static __always_inline int has_vmcb(void)
{
    return constants.is_svm && bpf_core_field_exists(((struct vcpu_svm *)0)->vmcb);
}

static __always_inline struct vmcb *vmcb_of(struct kvm_vcpu *vcpu)
{
    struct vcpu_svm *svm = (void *)vcpu - bpf_core_field_offset(struct vcpu_svm, vcpu);

    return BPF_CORE_READ(svm, vmcb);
}
