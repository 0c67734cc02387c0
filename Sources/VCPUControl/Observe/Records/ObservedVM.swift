/// What the host's kernel knows of a VM of another process.
package struct ObservedVM: Sendable, Equatable {
    /// The process's descriptor of the VM; `nil` where it has closed it and keeps its vCPUs.
    package var descriptor: Int?
    /// The VMM as the kernel numbers it, outside all PID namespaces; `nil` where it does not say.
    package var process: UInt32?
    package var sev: SEV?
    package var slots: Reading<[MemorySlot]>
    /// Whether there are more slots than could be had.
    package var hasMoreSlots = false
    /// By their numbers.
    package var vcpus: [VCPU]

    /// What kvm_amd keeps besides; `struct kvm_sev_info`.
    package struct SEV: Sendable, Equatable {
        package var isES: Bool
        package var asid: UInt32
        /// `nil` in a kernel that does not say.
        package var ghcbVersion: Int?
    }

    /// A vCPU, seen while it runs.
    package struct VCPU: Sendable, Equatable {
        package var id: Int
        package var descriptor: Int
        /// The thread that last ran it; 0 where none did.
        package var thread: Reading<UInt32>
        package var exits: Reading<UInt64>
        /// The last return to userspace.
        package var lastExit: ExitReason
        /// What the VMM has told KVM for a debugger of its own; `nil` where that cannot be seen.
        package var debug: VMMDebug?
        /// The live VMCB; `nil` where KVM is not kvm_amd, or the kernel has no types of it.
        package var vmcb: VMCB?
    }

    /// The fields of a VMCB that say what a vCPU does; APM volume 2, appendix B.
    package struct VMCB: Sendable, Equatable {
        package var exitCode: ExitCode
        package var exitInfo1: UInt64
        package var exitInfo2: UInt64
        package var asid: UInt32
        /// MSR_AMD64_SEV_ES_GHCB.
        package var ghcb: UInt64
        /// In the encrypted save area of an SEV-ES guest, which the VMCB only points to.
        package var rip: Reading<GuestVirtualAddress>
        package var cr3: Reading<UInt64>
    }
}

/// A memory slot: guest physical memory, and where it lies in the VMM; `struct kvm_memory_slot`.
package struct MemorySlot: Sendable, Equatable {
    package var id: Int
    /// 1: seen in system management mode.
    package var addressSpace: Int
    package var start: GuestPhysicalAddress
    /// In bytes.
    package var size: UInt64
    package var hostAddress: UInt64
    package var flags: Flags

    package struct Flags: OptionSet, Hashable, Sendable {
        package var rawValue: UInt32

        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// `KVM_MEM_LOG_DIRTY_PAGES`.
        package static let logsDirtyPages = Flags(rawValue: 1 << 0)
        /// `KVM_MEM_READONLY`.
        package static let readOnly = Flags(rawValue: 1 << 1)
        /// `KVM_MEM_GUEST_MEMFD`.
        package static let guestMemory = Flags(rawValue: 1 << 2)

        /// The names of the bits that are set, in ascending order.
        package var names: [String] {
            BitNames([0: "log-dirty", 1: "read-only", 2: "guest-memfd"]).names(of: UInt64(rawValue))
        }
    }

    /// Where the guest's memory lies in the VMM.
    ///
    /// - Returns: `nil` for an address outside the slot.
    package func hostAddress(of address: GuestPhysicalAddress) -> UInt64? {
        let (distance, isBelow) = address.rawValue.subtractingReportingOverflow(start.rawValue)
        guard !isBelow, distance < size else { return nil }
        return hostAddress &+ distance
    }
}
