/// Something that a vCPU did and that a rule judges.
///
/// A machine reports what it can see, in the order in which it happened; a rule whose observation
/// never comes never fires. Each case says which rules need it.
package enum Observation: Sendable {
    /// A VMGEXIT is over, or ended the VM.
    ///
    /// All rules that carry a sequence number.
    case exchange(sequence: Int, Exchange, VMGEXITContext)
    /// WRMSR to 0xC0010130; `rip` is the WRMSR.
    ///
    /// `misaligned-ghcb` at once rather than at the VMGEXIT; `terminate-without-vmgexit`.
    case ghcbMSRWrite(vcpu: Int, rip: GuestVirtualAddress, value: UInt64)
    /// The guest read SW_EXITINFO1 of its GHCB, in whatever width.
    ///
    /// `response-ignored`, for a `Linter` that was told that reads are watched.
    case responseRead(vcpu: Int)
    /// The vCPU stands at the guest's entry: what the host set, and what is there.
    ///
    /// `registers-not-preserved`.
    case entered(
        vcpu: Int, rip: GuestVirtualAddress, expected: [Register: UInt64], found: RegisterFile)
    /// #VC was delivered; `errorCodeAt` is where on the stack its error code lies.
    ///
    /// `vc-frame-corrupt`.
    case vcDelivered(vcpu: Int, errorCode: UInt64, errorCodeAt: GuestVirtualAddress)
    /// IRET at `rip`, with RSP before it, and the RIP that it took from there.
    ///
    /// `vc-frame-corrupt`.
    case interruptReturn(
        vcpu: Int, rip: GuestVirtualAddress, stack: GuestVirtualAddress,
        target: GuestVirtualAddress)
    /// The guest executed HLT; `rip` is the HLT.
    ///
    /// `terminate-without-vmgexit`.
    case halted(vcpu: Int, rip: GuestVirtualAddress)
    /// The guest returned from its entry.
    ///
    /// `terminate-without-vmgexit`.
    case returned(vcpu: Int, rip: GuestVirtualAddress)
}

/// What the machine knows besides the exchange, as it was when the guest executed VMGEXIT.
package struct VMGEXITContext: Sendable, Equatable {
    /// How the guest last used the page that the MSR names.
    package enum Mapping: Sendable, Equatable {
        case shared, `private`, unknown
    }

    /// `ghcb-not-shared`.
    package var mapping: Mapping
    /// The GHCB MSR of every vCPU by its number; `shared-between-vcpus`.
    ///
    /// `nil` for one that cannot use it now: it has returned, ended or not started yet. A pool may
    /// have given its page to another vCPU since.
    package var msrs: [UInt64?]

    package init(mapping: Mapping = .unknown, msrs: [UInt64?] = []) {
        self.mapping = mapping
        self.msrs = msrs
    }
}
