/// Guest memory as the hypervisor sees it: private pages are scrambled.
package protocol HostMemory {
    /// `nil` where not all of the bytes are RAM.
    func read(_ address: GuestPhysicalAddress, count: Int) -> [UInt8]?
    /// - Returns: false, with nothing written, where not all of the bytes are RAM.
    func write(_ bytes: [UInt8], to address: GuestPhysicalAddress) -> Bool
}

/// KVM's side of the GHCB for one VM: pure, but for the guest memory that it is handed.
///
/// It does what KVM 6.12.117 does for an SEV-ES guest without in-kernel interrupt controller
/// (REFERENCE 1a, 2, 3), or what the specification says, row by row of `KVMDifference`. The GHCB is read from memory; the answer is in the exchange, for the
/// machine to put into the page or the MSR. Only scratch data outside the page, which version 1
/// allows, is written here. The work is in extensions, one per topic.
package struct HypervisorModel: Sendable {
    /// What the machine has to do next for a vCPU that executed VMGEXIT.
    package enum Step: Sendable, Equatable {
        /// The exchange is over: put its response where the guest finds it, and run on.
        case resume(Exchange)
        /// Userspace has to answer first; the page is now as KVM leaves it meanwhile (REFERENCE 1a, step 5).
        case io(PortAccess, page: GHCBPage)
        case mmio(MMIOAccess, page: GHCBPage)
        /// The vCPU waits for a SIPI; the exchange stays open.
        case apResetHold
        /// The VM ends; the outcome says how.
        case end(Exchange)
    }

    /// A VMGEXIT as it reaches the hypervisor.
    package struct Request: Sendable, Equatable {
        package var vcpu: Int
        package var rip: GuestVirtualAddress
        package var msr: UInt64
        /// The vCPU's time stamp counter.
        package var tsc: UInt64
        /// The vCPU's TSC_AUX, which the guest writes without an exit.
        package var tscAux: UInt32

        package init(
            vcpu: Int, rip: GuestVirtualAddress, msr: UInt64, tsc: UInt64, tscAux: UInt32 = 0
        ) {
            self.vcpu = vcpu
            self.rip = rip
            self.msr = msr
            self.tsc = tsc
            self.tscAux = tscAux
        }
    }

    /// A VMGEXIT that has no answer yet.
    enum OpenExchange: Sendable {
        case page(PageExchange)
        /// An AP reset hold of the MSR protocol.
        case msrHold(Request)
    }

    /// The highest protocol version that the VM offers, 1 or 2.
    package let ghcbVersion: Int
    /// Whether it answers as KVM or by the specification.
    package let behaviour: HypervisorBehaviour
    /// The position of the C-bit in page-table entries.
    package let cBit: Int
    let cpuid: CPUIDTable
    var msrs: [Int: MSRTable] = [:]
    /// The address that some vCPU set last; 0 before.
    var apJumpTable: UInt64 = 0
    /// What vCPUs wrote to DR7 through the page.
    var dr7: [Int: UInt64] = [:]
    var open: [Int: OpenExchange] = [:]
    /// The vCPUs that had their first SIPI.
    var startedVCPUs: Set<Int> = []
    /// What it does wrong; KVM has none of these.
    let faults: HypervisorFault
    /// The GHCB that each vCPU used first; kept only for the fault that needs it.
    var firstPages: [Int: UInt64] = [:]

    package init(
        ghcbVersion: Int, behaviour: HypervisorBehaviour = .kvm, cBit: Int, vcpus: Int,
        faults: HypervisorFault = []
    ) {
        self.ghcbVersion = ghcbVersion
        self.behaviour = behaviour
        self.cBit = cBit
        self.faults = faults
        cpuid = CPUIDTable(cBit: cBit, vcpus: vcpus)
    }

    /// What the GHCB MSR of every vCPU holds at reset (REFERENCE 4c).
    package var resetMSR: UInt64 {
        GHCBMSR.sevInfoResponse(
            maximum: UInt16(clamping: ghcbVersion), minimum: 1, cBit: UInt8(clamping: cBit)
        ).rawValue
    }

    /// Whether CPUID offers XSAVES, and with it the MSR XSS.
    package var supportsXSS: Bool {
        cpuid.result(leaf: 0xd, subleaf: 1, vcpu: 0).eax & 1 << 3 != 0
    }

    /// Takes a VMGEXIT; whatever this vCPU had open before is forgotten.
    package mutating func vmgexit(_ request: Request, memory: inout some HostMemory) -> Step {
        open[request.vcpu] = nil
        guard request.msr & 0xfff == 0 else { return msrProtocol(request) }
        // 0 is "not set" for KVM, RAM there or not.
        guard request.msr != 0, let page = GHCBPage(at: request.msr, in: memory) else {
            return .resume(Exchange(request, .noPage, .unanswered))
        }
        if let step = answerAtFirstPage(request, page, memory: &memory) { return step }
        return spoiled(pageProtocol(PageExchange(request, page, behaviour), memory: &memory))
    }

    /// Answers what the last step of this vCPU left open, with the bytes that it asked for.
    ///
    /// Bytes that are missing read as all ones, those too many are dropped. A vCPU in an AP reset
    /// hold runs on as without a SIPI. Where nothing is open, nothing was asked: `.unanswered`.
    package mutating func complete(
        vcpu: Int, data: [UInt8], memory: inout some HostMemory
    ) -> Step {
        switch open.removeValue(forKey: vcpu) {
        case .page(var exchange):
            exchange.refresh(from: memory)
            return spoiled(proceed(with: consume exchange, data: data, memory: &memory))
        case .msrHold(let request): return endHold(request, sipi: false)
        case nil:
            let nothing = Request(vcpu: vcpu, rip: .init(0), msr: 0, tsc: 0)
            return .resume(Exchange(nothing, .noPage, .unanswered))
        }
    }
}

extension GHCBPage {
    /// Copies the page at an address; `nil` where no RAM is.
    init?(at address: UInt64, in memory: some HostMemory) {
        let bytes = memory.read(GuestPhysicalAddress(address), count: Self.size)
        guard let bytes else { return nil }
        self.init(bytes)
    }
}

extension Exchange {
    init(_ request: HypervisorModel.Request, _ content: Content, _ outcome: Outcome) {
        self.init(
            vcpu: request.vcpu, rip: request.rip, msr: request.msr, content: content,
            outcome: outcome)
    }
}
