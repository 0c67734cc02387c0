/// Why a vCPU left its guest, or `KVM_RUN` returned.
package enum ExitReason: Hashable, Sendable {
    /// The VMCB's exit code.
    case svm(ExitCode)
    /// The basic exit reason of the VMCS; Intel SDM volume 3, appendix C.
    case vmx(UInt32)
    /// `KVM_EXIT_*`.
    case userspace(UInt32)
    /// Not at all: `KVM_RUN` has not returned.
    case running
    /// KVM does not say, or the reason has no counter.
    case unknown

    /// `IOIO`, `EPT_VIOLATION`, `KVM_EXIT_IO`; else the number.
    package var name: String {
        switch self {
        case .svm(let code): code.name ?? number
        case .vmx(let reason): Self.vmxNames[reason] ?? number
        case .userspace(let reason): Self.userspaceNames[reason].map { "KVM_EXIT_" + $0 } ?? number
        case .running: "KVM_RUN"
        case .unknown: "other"
        }
    }

    /// `exit_reason` of a `kvm_run`, which KVM clears when it starts to run the guest.
    init(kvmRun reason: UInt32) { self = reason == 0 ? .running : .userspace(reason) }

    /// The number as the kernel's headers write it: SVM's in hexadecimal, the others in decimal.
    package var number: String {
        switch self {
        case .svm(let code): code.rawValue.hex
        case .vmx(let reason), .userspace(let reason): String(reason)
        case .running, .unknown: "?"
        }
    }

    /// linux/kvm.h.
    private static let userspaceNames = consecutive([
        0: "UNKNOWN EXCEPTION IO HYPERCALL DEBUG HLT MMIO IRQ_WINDOW_OPEN SHUTDOWN FAIL_ENTRY INTR"
            + " SET_TPR TPR_ACCESS",
        16: "NMI INTERNAL_ERROR OSI PAPR_HCALL",
        24: "SYSTEM_EVENT",
        26: "IOAPIC_EOI HYPERV",
        29: "X86_RDMSR X86_WRMSR DIRTY_RING_FULL AP_RESET_HOLD X86_BUS_LOCK XEN",
        37: "NOTIFY",
        39: "MEMORY_FAULT TDX",
    ])

    /// asm/vmx.h.
    private static let vmxNames = consecutive([
        0: "EXCEPTION_NMI EXTERNAL_INTERRUPT TRIPLE_FAULT INIT_SIGNAL SIPI_SIGNAL",
        7: "INTERRUPT_WINDOW NMI_WINDOW TASK_SWITCH CPUID",
        12: "HLT INVD INVLPG RDPMC RDTSC RSM VMCALL VMCLEAR VMLAUNCH VMPTRLD VMPTRST VMREAD"
            + " VMRESUME VMWRITE VMOFF VMON CR_ACCESS DR_ACCESS IO_INSTRUCTION MSR_READ MSR_WRITE"
            + " INVALID_STATE MSR_LOAD_FAIL",
        36: "MWAIT_INSTRUCTION MONITOR_TRAP_FLAG",
        39: "MONITOR_INSTRUCTION PAUSE_INSTRUCTION MCE_DURING_VMENTRY",
        43: "TPR_BELOW_THRESHOLD APIC_ACCESS EOI_INDUCED GDTR_IDTR LDTR_TR EPT_VIOLATION"
            + " EPT_MISCONFIG INVEPT RDTSCP PREEMPTION_TIMER INVVPID WBINVD XSETBV APIC_WRITE"
            + " RDRAND INVPCID VMFUNC ENCLS RDSEED PML_FULL XSAVES XRSTORS",
        67: "UMWAIT TPAUSE",
        74: "BUS_LOCK NOTIFY",
        77: "TDCALL",
    ])

    private static func consecutive(_ runs: [UInt32: String]) -> [UInt32: String] {
        var names: [UInt32: String] = [:]
        for (first, words) in runs {
            for (position, name) in words.split(separator: " ").enumerated() {
                names[first + UInt32(position)] = String(name)
            }
        }
        return names
    }
}
