/// The ioctls of KVM, each as one typed function: number and struct stand together here, and
/// nowhere else. A function makes no call: it says which, and Swift's `KVMSyscalls` makes it.
#ifndef CKVM_IOCTLS_H
#define CKVM_IOCTLS_H

#include <linux/kvm.h>
#include <linux/psp-sev.h>
#include <stddef.h>
#include <stdint.h>

// What the installed headers may be too old to know (Linux 6.10, 6.12).
#ifndef KVM_X86_DEFAULT_VM
#define KVM_X86_DEFAULT_VM 0
#endif
#ifndef KVM_X86_SEV_ES_VM
#define KVM_X86_SEV_VM 2
#define KVM_X86_SEV_ES_VM 3
#define KVM_X86_SNP_VM 4
#endif
#ifndef KVM_CAP_VM_TYPES
#define KVM_CAP_VM_TYPES 235
#endif
#ifndef KVM_X86_GRP_SEV
#define KVM_X86_GRP_SEV 1
#define KVM_X86_SEV_VMSA_FEATURES 0
#endif
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif
#ifndef KVM_GUESTDBG_BLOCKIRQ
#define KVM_GUESTDBG_BLOCKIRQ 0x100000
#endif

/// `KVM_SEV_INIT2`, command 22 of `KVM_MEMORY_ENCRYPT_OP`.
#define CKVM_SEV_INIT2 22

/// The argument of `KVM_SEV_INIT2`: `struct kvm_sev_init` of Linux 6.10.
struct ckvm_sev_init {
    uint64_t vmsa_features;
    uint32_t flags;
    uint16_t ghcb_version;
    uint16_t pad1;
    uint32_t pad2[8];
};

/// The bytes of an exit in a `kvm_run`: the union of all reasons.
enum { ckvm_exit_size = 256 };

/// One ioctl before it is made.
struct ckvm_call {
    /// The kernel's name for it: `KVM_GET_REGS`.
    const char *name;
    unsigned long request;
    /// A struct, or where `size` is 0 a number.
    void *argument;
    /// The size of the struct in bytes, entries behind it included.
    size_t size;
};

#define CKVM_NUMBER(function, number) \
    static inline struct ckvm_call ckvm_##function(unsigned long value) \
    { \
        return (struct ckvm_call){#number, number, (void *)value, 0}; \
    }

#define CKVM_STRUCT(function, number, type) \
    static inline struct ckvm_call ckvm_##function(type *argument) \
    { \
        return (struct ckvm_call){#number, number, argument, sizeof *argument}; \
    }

/// A struct with `count` entries behind it.
#define CKVM_ENTRIES(function, number, type, count, entry) \
    static inline struct ckvm_call ckvm_##function(type *argument) \
    { \
        size_t size = sizeof *argument + argument->count * sizeof(struct entry); \
        return (struct ckvm_call){#number, number, argument, size}; \
    }

// Of /dev/kvm.
CKVM_NUMBER(get_api_version, KVM_GET_API_VERSION)
CKVM_NUMBER(create_vm, KVM_CREATE_VM)
CKVM_NUMBER(check_extension, KVM_CHECK_EXTENSION)
CKVM_NUMBER(get_vcpu_mmap_size, KVM_GET_VCPU_MMAP_SIZE)
CKVM_ENTRIES(get_supported_cpuid, KVM_GET_SUPPORTED_CPUID, struct kvm_cpuid2, nent, kvm_cpuid_entry2)
CKVM_STRUCT(get_device_attr, KVM_GET_DEVICE_ATTR, struct kvm_device_attr)

// Of a VM.
CKVM_STRUCT(set_user_memory_region, KVM_SET_USER_MEMORY_REGION, struct kvm_userspace_memory_region)
CKVM_NUMBER(create_vcpu, KVM_CREATE_VCPU)
CKVM_STRUCT(enable_cap, KVM_ENABLE_CAP, struct kvm_enable_cap)
CKVM_STRUCT(x86_set_msr_filter, KVM_X86_SET_MSR_FILTER, struct kvm_msr_filter)
CKVM_STRUCT(memory_encrypt_op, KVM_MEMORY_ENCRYPT_OP, struct kvm_sev_cmd)
CKVM_STRUCT(memory_encrypt_reg_region, KVM_MEMORY_ENCRYPT_REG_REGION, struct kvm_enc_region)
CKVM_STRUCT(memory_encrypt_unreg_region, KVM_MEMORY_ENCRYPT_UNREG_REGION, struct kvm_enc_region)

// Of /dev/sev.
CKVM_STRUCT(sev_issue_cmd, SEV_ISSUE_CMD, struct sev_issue_cmd)

// Of a vCPU.
CKVM_NUMBER(run, KVM_RUN)
CKVM_STRUCT(get_regs, KVM_GET_REGS, struct kvm_regs)
CKVM_STRUCT(set_regs, KVM_SET_REGS, struct kvm_regs)
CKVM_STRUCT(get_sregs, KVM_GET_SREGS, struct kvm_sregs)
CKVM_STRUCT(set_sregs, KVM_SET_SREGS, struct kvm_sregs)
CKVM_STRUCT(get_sregs2, KVM_GET_SREGS2, struct kvm_sregs2)
CKVM_STRUCT(set_sregs2, KVM_SET_SREGS2, struct kvm_sregs2)
CKVM_STRUCT(get_fpu, KVM_GET_FPU, struct kvm_fpu)
CKVM_STRUCT(set_fpu, KVM_SET_FPU, struct kvm_fpu)
CKVM_STRUCT(get_xsave, KVM_GET_XSAVE, struct kvm_xsave)
CKVM_STRUCT(set_xsave, KVM_SET_XSAVE, struct kvm_xsave)
CKVM_STRUCT(get_xcrs, KVM_GET_XCRS, struct kvm_xcrs)
CKVM_STRUCT(set_xcrs, KVM_SET_XCRS, struct kvm_xcrs)
CKVM_ENTRIES(get_msrs, KVM_GET_MSRS, struct kvm_msrs, nmsrs, kvm_msr_entry)
CKVM_ENTRIES(set_msrs, KVM_SET_MSRS, struct kvm_msrs, nmsrs, kvm_msr_entry)
CKVM_STRUCT(get_debugregs, KVM_GET_DEBUGREGS, struct kvm_debugregs)
CKVM_STRUCT(set_debugregs, KVM_SET_DEBUGREGS, struct kvm_debugregs)
CKVM_STRUCT(get_vcpu_events, KVM_GET_VCPU_EVENTS, struct kvm_vcpu_events)
CKVM_STRUCT(set_vcpu_events, KVM_SET_VCPU_EVENTS, struct kvm_vcpu_events)
CKVM_STRUCT(get_mp_state, KVM_GET_MP_STATE, struct kvm_mp_state)
CKVM_STRUCT(set_mp_state, KVM_SET_MP_STATE, struct kvm_mp_state)
CKVM_STRUCT(set_guest_debug, KVM_SET_GUEST_DEBUG, struct kvm_guest_debug)
CKVM_ENTRIES(set_cpuid2, KVM_SET_CPUID2, struct kvm_cpuid2, nent, kvm_cpuid_entry2)
CKVM_STRUCT(translate, KVM_TRANSLATE, struct kvm_translation)
CKVM_NUMBER(nmi, KVM_NMI)

#undef CKVM_NUMBER
#undef CKVM_STRUCT
#undef CKVM_ENTRIES

/// ioctl(2); returns its result, or the negated errno.
int ckvm_ioctl(int descriptor, struct ckvm_call call);

/// The symbol of an errno: `EBUSY`.
const char *ckvm_errno_name(int number);

/// Sends SIGURG to the calling thread again and again, so that no KVM_RUN lasts longer than that.
///
/// A SIGURG that another thread sends to this one makes KVM_RUN come back even where it is only about
/// to be called: it sets the `immediate_exit` of the vCPU. Returns 0, or the negated errno.
int ckvm_heartbeat_start(unsigned milliseconds, uint8_t *immediate_exit);

/// Ends what `ckvm_heartbeat_start` began, if it did.
void ckvm_heartbeat_stop(void);

/// Gives the calling thread's timer back, if it has one; timer_delete.
void ckvm_heartbeat_end(void);

#endif
