/// A VM that hides its state from the host, debugged through the stub that runs inside it.
///
/// Wraps any machine: what SEV-ES refuses it asks of the stub, by the mailbox of each vCPU, and
/// the rest it passes on. The stub stops by HLT, and is resumed behind it; its own exits are not
/// shown. What it says is the guest's word, so every reading of it is a self-report, and all that
/// comes from a mailbox is taken as hostile.
package final class StubbedMachine: Machine {
    let base: any Machine
    let stub: DebugStub
    let cBit: Int
    var vcpus: [StubbedVCPU]
    /// Exits that came while the stub was asked for something, and which nobody has seen yet.
    var held: [(vcpu: Int, exit: VCPUExit)] = []
    /// Where the vCPUs are to stop.
    var breakpoints: Set<UInt64> = []
    /// The INT3s in guest memory, by the address that the guest executes them at.
    var planted: [UInt64: PlantedBreakpoint] = [:]
    /// Breakpoints on an LIDT that a vCPU went on from: none can be had there any more.
    var abandoned: Set<UInt64> = []
    /// Memory whose change ends a run.
    var watched = WatchedMemory()
    /// Whether the host can decrypt the guest's private memory, so that the stub need not be asked.
    let decrypts: Bool
    var cache = PrivateMemoryCache()
    /// Whether the VM is over: the stub answers no more.
    var isOver = false

    /// Instructions within which the stub answers; it needs a few thousand for a whole page.
    static let patience: UInt64 = 100_000
    /// Exits of its own in a row, or stops for nobody, after which a run ends.
    static let rounds = 1000

    /// Lets every vCPU come to its first stop, before its first instruction.
    ///
    /// - Throws: `.refused` where the plan has no stub, or a vCPU does not reach it.
    package init(_ base: any Machine, _ plan: LaunchPlan) throws(MachineError) {
        let mailboxes = plan.vcpus.compactMap(\.mailbox)
        guard let stub = plan.debugStub, mailboxes.count == base.vcpuCount else {
            throw .refused("the guest was launched without the debug stub")
        }
        self.base = base
        self.stub = stub
        cBit = plan.cBit
        decrypts = base.read(.init(0), count: 1, as: .private).value != nil
        vcpus = mailboxes.map { StubbedVCPU(mailbox: $0) }
        for number in vcpus.indices {
            if !base.traits.reportsExchanges { try post([StubCommand.trace], to: number) }
            guard try awaitStub(number) == .entry else {
                throw .refused("vCPU \(number) does not come to the debug stub's first stop")
            }
        }
        if !vcpus.isEmpty { vcpus[0].isShown = true }
    }

    package var vcpuCount: Int { base.vcpuCount }

    package var traits: MachineTraits {
        var traits = MachineTraits(
            name: base.traits.name, debugging: .stub(limits: limits), seesProtectedState: false,
            steps: true, countsInstructions: false, presetsGHCB: base.traits.presetsGHCB)
        (traits.differences, traits.facts) = (base.traits.differences, base.traits.facts)
        traits.schedule = base.traits.schedule
        return traits
    }

    /// Where debugging through the stub ends, in words.
    private var limits: [String] {
        let places = stub.idtLoads.prefix(3).map(\.rawValue.hex).joined(separator: ", ")
        let loads = [
            "the guest can load its own IDT (\(places)): no stop comes from",
            "behind that LIDT, and an INT3 of the debugger there ends it",
        ]
        let memory =
            decrypts
            ? ["registers only while the vCPU is in the stub"]
            : ["registers and private memory only while a vCPU is in the stub"]
        return memory + [
            "the stub's #VC handler is one step; only steps are counted"
        ] + (stub.ownsIDT ? [] : loads)
    }

    /// The vCPU's number, if there is one.
    func checked(_ vcpu: Int) throws(MachineError) -> Int {
        guard vcpus.indices.contains(vcpu) else { throw .noSuchVCPU(vcpu) }
        return vcpu
    }

    package func complete(_ vcpu: Int, with data: [UInt8]) throws(MachineError) {
        try base.complete(vcpu, with: data)
        vcpus[try checked(vcpu)].isWaiting = false
    }

    package func instructions(of vcpu: Int) -> UInt64 {
        vcpus.indices.contains(vcpu) ? vcpus[vcpu].stepped : 0
    }

    package func takeObservations() -> [Observation] { base.takeObservations() }
}

/// What the host knows of a vCPU that is debugged through the stub.
struct StubbedVCPU {
    let mailbox: GuestPhysicalAddress
    /// The stub's report while the vCPU stands in it, with the registers as they were changed since.
    var report: StubReport?
    /// The root of the page tables at its last stop.
    var lastTables: UInt64?
    /// That of the last stop or answer.
    var sequence: UInt32 = 0
    /// Whether the session knows that the vCPU stands where it stands.
    var isShown = false
    /// The step that is under way.
    var step: StubStep?
    /// Instructions that were stepped.
    var stepped: UInt64 = 0
    /// Whether an access is to be completed first.
    var isWaiting = false
    /// Whether the guest itself waits for an interrupt or a SIPI.
    var isResting = false
}
