/// A VMGEXIT of the page protocol while the hypervisor works on it.
struct PageExchange: Sendable {
    /// What has to come from outside before KVM can go on.
    enum Pending: Sendable {
        /// IN of this many bytes.
        case portInput(size: Int)
        case portOutput
        /// String port access or MMIO: data goes through the scratch area.
        case transfer(ScratchTransfer)
        case resetHold
    }

    let request: HypervisorModel.Request
    private let behaviour: HypervisorBehaviour
    /// The page as the guest left it: copied once, so that no later write changes the request.
    let page: GHCBPage
    /// The page as KVM leaves it, so far.
    var response: GHCBPage
    /// KVM's cache of the guest's registers: zero but for valid inputs (REFERENCE 1a, step 3).
    var registers = RegisterFile()
    var pending: Pending?

    private static let inputs: [(Register, GHCBField)] = outputs + [(.rsi, .rsi)]
    /// What KVM returns in the page after every exchange.
    static let outputs: [(Register, GHCBField)] = [
        (.rax, .rax), (.rbx, .rbx), (.rcx, .rcx), (.rdx, .rdx),
    ]

    /// Takes the valid inputs and wipes the bitmap.
    init(
        _ request: HypervisorModel.Request, _ page: GHCBPage, _ behaviour: HypervisorBehaviour
    ) {
        self.request = request
        self.behaviour = behaviour
        self.page = page
        response = page
        response.clearValidBitmap()
        for (register, field) in Self.inputs { registers[register] = input(field) }
    }

    /// KVM reads the code and both infos whether they are valid or not.
    var code: ExitCode { ExitCode(page.raw(.swExitCode)) }
    var info1: UInt64 { page.raw(.swExitInfo1) }
    var info2: UInt64 { page.raw(.swExitInfo2) }

    /// A field as KVM takes it: zero where it is not valid.
    func input(_ field: GHCBField) -> UInt64 { page.value(field) ?? 0 }

    /// Takes up what others wrote to the page while userspace was asked.
    ///
    /// KVM changes fields, not pages. In an AP reset hold there is no step that gave the page back.
    mutating func refresh(from memory: some HostMemory) {
        if case .resetHold = pending { return }
        response = GHCBPage(at: request.msr, in: memory) ?? response
    }

    /// Writes the two result words, with their valid bits.
    mutating func respond(info1: UInt64, info2: UInt64) {
        response.respond(info1: info1, info2: info2)
    }

    /// Resumes the guest: RAX, RBX, RCX and RDX become valid, by KVM asked for or not (step 6).
    func resumed(_ outcome: Exchange.Outcome = .ok) -> HypervisorModel.Step {
        var response = response
        for (register, field) in Self.outputs where returns(field, outcome) {
            response.set(field, to: registers[register])
        }
        return .resume(Exchange(request, .page(request: page, response: response), outcome))
    }

    private func returns(_ field: GHCBField, _ outcome: Exchange.Outcome) -> Bool {
        guard behaviour.specifies(.returnedRegisters) else { return true }
        return outcome == .ok && NAEEvent.returnedFields(of: page).contains(field)
    }

    /// Resumes the guest with a result in SW_EXITINFO2.
    func resumed(info2: UInt64) -> HypervisorModel.Step {
        var exchange = self
        exchange.respond(info1: 0, info2: info2)
        return exchange.resumed()
    }

    /// Resumes the guest with SW_EXITINFO1 = 2.
    func malformed(_ reason: MalformedReason) -> HypervisorModel.Step {
        var exchange = self
        exchange.respond(info1: 2, info2: reason.rawValue)
        return exchange.resumed(.malformed(reason: reason.rawValue))
    }

    /// Resumes the guest with SW_EXITINFO1 = 1: it shall raise the event itself.
    func asked(toRaise event: EventInjection) -> HypervisorModel.Step {
        var exchange = self
        exchange.respond(info1: 1, info2: event.rawValue)
        return exchange.resumed(.exception(eventInjection: event.rawValue))
    }

    /// Resumes the guest with an event that KVM itself injects: SW_EXITINFO1 stays 0.
    func injected(_ event: EventInjection) -> HypervisorModel.Step {
        resumed(.exception(eventInjection: event.rawValue))
    }

    /// Ends the VM: the guest never sees the page again.
    func ended(_ termination: Termination) -> HypervisorModel.Step {
        .end(Exchange(request, .page(request: page, response: nil), .terminated(termination)))
    }
}
