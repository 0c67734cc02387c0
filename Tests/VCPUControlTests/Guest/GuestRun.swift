import VCPUControl

/// A guest that runs to its end on a machine, with the devices of the guest contract.
struct GuestRun {
    let plan: LaunchPlan
    let machine: any Machine
    /// What the devices answer to reads.
    private let input: Input
    private(set) var console = ""
    private(set) var exchanges: [Exchange] = []
    private(set) var ucalls: [UInt64] = []
    private(set) var returned: Set<Int> = []
    /// How the run ended: `returned`, `halted`, or what the machine says.
    private(set) var end: String?
    private(set) var termination: Termination?

    enum Input {
        /// As DESIGN 3 says.
        case contract
        /// 0x80 and up: the byte's index in a port access, the low bits of its address in memory.
        case counted
    }

    init(
        _ image: GuestImage, _ options: LaunchOptions, input: Input = .contract,
        on makeMachine: (LaunchPlan) throws -> any Machine = { try EmulatedMachine($0) }
    ) throws {
        plan = try LaunchPlan(image, options)
        machine = try makeMachine(plan)
        self.input = input
        while end == nil {
            let (vcpu, exit) = try machine.run(.all, limit: 10_000_000)
            try take(exit, of: vcpu)
        }
    }

    private mutating func take(_ exit: VCPUExit, of vcpu: Int) throws {
        switch exit {
        case .vmgexit(let exchange):
            exchanges.append(exchange)
            guard case .terminated(let termination) = exchange.outcome else { return }
            self.termination = termination
            end = "terminated"
        case .io(let access): try machine.complete(vcpu, with: answer(access))
        case .mmio(let access): try machine.complete(vcpu, with: answer(access))
        case .halt:
            let rip = machine.registers(of: vcpu).value?[.rip]
            if rip == plan.vcpus[vcpu].returnedAt.rawValue + 1 { returned.insert(vcpu) }
        case .idle: end = returned.count == plan.vcpus.count ? "returned" : "halted"
        case .shutdown(let text): end = text
        default: end = "\(exit)"
        }
    }

    private mutating func answer(_ access: PortAccess) -> [UInt8] {
        if case .counted = input {
            let count = access.isInput ? access.size * access.count : 0
            return (0..<count).map { UInt8(0x80 | $0 & 0x7f) }
        }
        let answer = Devices().answer(access)
        take(answer.effect)
        return answer.data
    }

    private mutating func answer(_ access: MMIOAccess) -> [UInt8] {
        if case .counted = input {
            let first = access.address.rawValue
            let bytes = 0..<UInt64(access.isRead ? access.length : 0)
            return bytes.map { UInt8(truncatingIfNeeded: 0x80 | (first + $0) & 0x7f) }
        }
        let answer = Devices().answer(access)
        take(answer.effect)
        return answer.data
    }

    private mutating func take(_ effect: Devices.Effect?) {
        switch effect {
        case .console(let bytes): console += String(decoding: bytes, as: UTF8.self)
        case .ucall(let pointer): ucalls.append(pointer)
        case nil: break
        }
    }

    /// Memory as the host sees it.
    func shared(_ address: UInt64, count: Int) -> [UInt8] {
        machine.read(.init(address), count: count, as: .shared).value ?? []
    }
}
