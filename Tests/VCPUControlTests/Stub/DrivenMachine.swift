import Testing

@testable import VCPUControl

/// A machine with the devices of the guest contract, driven to its end or step by step.
final class DrivenMachine {
    let machine: any Machine
    private(set) var console: [UInt8] = []
    private(set) var exchanges: [Exchange] = []
    /// What ended the guest, or keeps vCPU 0 from going on.
    private(set) var end: String?
    /// Where the machine is in the stub's handlers, which are one with the instruction at a #VC.
    private let handlers: Range<UInt64>

    init(_ machine: any Machine, handlers: Range<UInt64> = 0..<0) {
        self.machine = machine
        self.handlers = handlers
    }

    /// One instruction of vCPU 0, with all that the stub's #VC handler does for it.
    func step() throws {
        let start = machine.instructions(of: 0)
        for _ in 0..<100_000 {
            try take(machine.run(.one(0), limit: 1))
            guard end == nil else { return }
            if machine.instructions(of: 0) > start, !isInside { return }
        }
        end = "a step does not end"
    }

    /// Runs until the machine ends or stops.
    func run(limit: UInt64 = 100_000_000) throws {
        for _ in 0..<100_000 where end == nil { try take(machine.run(.all, limit: limit)) }
    }

    /// Runs once, for so many instructions.
    func advance(limit: UInt64) throws { try take(machine.run(.all, limit: limit)) }

    private var isInside: Bool {
        machine.registers(of: 0).value.map { handlers.contains($0[.rip]) } ?? false
    }

    private func take(_ result: (vcpu: Int, exit: VCPUExit)) throws {
        switch result.exit {
        case .limit: break
        case .vmgexit(let exchange):
            exchanges.append(exchange)
            if case .terminated(let termination) = exchange.outcome { end = "\(termination)" }
        case .io(let access):
            try answer(Devices().answer(access), result.vcpu)
        case .mmio(let access):
            try answer(Devices().answer(access), result.vcpu)
        case .halt where machine.vcpuCount > 1: break
        case .shutdown(let text): end = text
        case .halt: end = "halt"
        default: end = "\(result.exit)"
        }
    }

    private func answer(_ answer: Devices.Answer, _ vcpu: Int) throws {
        if case .console(let bytes) = answer.effect { console += bytes }
        try machine.complete(vcpu, with: answer.data)
    }
}

extension Exchange {
    /// All but what depends on who looks: the address, and where the request is from.
    var withoutPlace: Exchange {
        var exchange = self
        exchange.rip = .hidden(.protected)
        exchange.requestSource = .direct
        return exchange
    }
}

/// The same guest twice: seen directly, and on a machine that hides all, through the stub.
struct StubTwins {
    let plan: LaunchPlan
    let direct: DrivenMachine
    let stubbed: DrivenMachine
    /// The emulator under the stub, whose memory a test may look at.
    let base: EmulatedMachine
    let machine: StubbedMachine

    init(_ name: String, _ setup: GHCBSetup? = nil, arguments: [LaunchOptions.Argument] = [])
        throws
    {
        let image = try GuestImage.load(name)
        var options = LaunchOptions(image.defaults)
        if let setup { options.setup = setup }
        if !arguments.isEmpty { options.arguments = arguments }
        try self.init(image, options)
    }

    init(_ image: GuestImage, _ options: LaunchOptions) throws {
        var options = options
        let bare = try LaunchPlan(image, options)
        options.hasDebugStub = true
        plan = try LaunchPlan(image, options)
        let stub = try #require(plan.debugStub)
        direct = DrivenMachine(try EmulatedMachine(bare), handlers: stub.handlers)
        // The host setup is not to be had on hardware, but it can be debugged through the stub.
        base = try EmulatedMachine(
            plan, visibility: options.setup == .host ? .full : .hardware)
        machine = try StubbedMachine(base, plan)
        stubbed = DrivenMachine(machine)
    }

    /// The first register that the stub reports wrongly, with what it says and what is true.
    func difference() -> String? {
        guard case .known(let report, .selfReport) = machine.registers(of: 0),
            case .known(let system, .selfReport) = machine.systemRegisters(of: 0)
        else { return "hidden" }
        guard let truth = direct.machine.registers(of: 0).value,
            let trueSystem = direct.machine.systemRegisters(of: 0).value
        else { return "no truth" }
        for register in Register.allCases where report[register] != truth[register] {
            return "\(register): \(report[register].hex), not \(truth[register].hex)"
        }
        for name in SystemRegisterName.allCases {
            let (said, real) = (name.value(in: system), name.value(in: trueSystem))
            if said != real { return "\(name): \(said.hex), not \(real.hex)" }
        }
        return system.cpl == trueSystem.cpl ? nil : "cpl"
    }
}
