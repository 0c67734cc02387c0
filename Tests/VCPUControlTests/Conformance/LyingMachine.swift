@testable import VCPUControl

/// Something that a machine can get wrong.
enum Lie: CaseIterable {
    case executesMore, losesCount, movesOthers, stopsNowhere, stopsOnce, showsBreakpoints,
        watchesNothing
    case claimsSelfReport, inventsZeros, inventsState, shiftsStack, leaksPrivateMemory
    case ignoresRegisters, ignoresMemory, takesAnyAnswer
    case losesExchanges, changesConsole, changesWithEachRun
    case interruptsInside, haltsAsShutdown, shutsDownSilently, presetsNothing

    /// Checks that find it.
    var broken: [String] {
        switch self {
        case .executesMore: ["step"]
        case .losesCount: ["step-count"]
        case .movesOthers: ["step-alone"]
        case .stopsNowhere: ["entry"]
        case .stopsOnce: ["breakpoint-count"]
        case .showsBreakpoints: ["breakpoint"]
        case .watchesNothing: ["watch"]
        case .claimsSelfReport: ["provenance", "visible"]
        case .inventsZeros: ["bounds"]
        case .inventsState: ["hidden"]
        case .shiftsStack: ["entry", "visible", "lockstep"]
        case .leaksPrivateMemory: ["private-memory"]
        case .ignoresRegisters: ["set-register"]
        case .ignoresMemory: ["set-memory", "shared-memory"]
        case .takesAnyAnswer: ["answer"]
        case .losesExchanges: ["bugs", "protocol-1", "protocol-2", "answer"] + Self.guests
        case .changesConsole: ["guest-hello"]
        case .changesWithEachRun: ["restart", "setup-switch"]
        case .interruptsInside: ["interrupt"]
        case .haltsAsShutdown: ["halted"]
        case .shutsDownSilently: ["shutdown"]
        case .presetsNothing: ["setup-host"]
        }
    }

    private static let guests = ConformanceCheck.guests.map(\.id).filter { $0.hasPrefix("guest-") }

    /// The machine that tells it.
    var machine: ConformanceMachine {
        // What a machine hides can only be made up of one that hides.
        let kind = self == .inventsState ? MachineKind.hardware : .emulator
        return ConformanceMachine(
            "\(self)", prepare: { options throws(MachineError) in try kind.prepare(&options) },
            make: { plan, _, interrupt throws(MachineError) in
                if self == .presetsNothing, plan.vcpus.contains(where: { $0.ghcbMSR != nil }) {
                    throw .refused("nothing is preset")
                }
                return LyingMachine(try kind.make(plan, interrupt: interrupt), self)
            })
    }
}

/// A machine that gets one thing wrong.
final class LyingMachine: Machine {
    private let base: any Machine
    private let lie: Lie
    private var breakpoints: Set<GuestVirtualAddress> = []

    init(_ base: any Machine, _ lie: Lie) { (self.base, self.lie) = (base, lie) }

    var traits: MachineTraits { base.traits }
    var vcpuCount: Int { base.vcpuCount }

    func run(_ scope: RunScope, limit: UInt64) throws(MachineError) -> (vcpu: Int, exit: VCPUExit) {
        let isStep = limit == 1
        let (vcpu, exit) = try base.run(
            scope, limit: lie == .executesMore && isStep ? 2 : limit)
        if case .one(let number) = scope, lie == .movesOthers {
            try base.setRegister(.rip, of: 1 - number, to: 0)
        }
        return (vcpu, try told(exit, vcpu))
    }

    private func told(_ exit: VCPUExit, _ vcpu: Int) throws(MachineError) -> VCPUExit {
        switch (lie, exit) {
        case (.stopsOnce, .breakpoint): try base.setBreakpoints([])
        case (.interruptsInside, .interrupted):
            try base.setRegister(.rip, of: vcpu, to: GuestImage.flatAddress + 1)
        case (.haltsAsShutdown, .halt): return .shutdown("it halts")
        case (.shutsDownSilently, .shutdown): return .shutdown("")
        case (.losesExchanges, .vmgexit(let exchange)):
            guard case .terminated = exchange.outcome else { return .limit }
            return .shutdown("it ends")
        case (.changesConsole, .io(let access)): return .io(Self.changed(access) { _ in 0x21 })
        case (.changesWithEachRun, .io(let access)):
            return .io(Self.changed(access) { $0 ^ .random(in: 0...255) })
        default: break
        }
        return exit
    }

    private static func changed(_ access: PortAccess, _ change: (UInt8) -> UInt8) -> PortAccess {
        var access = access
        access.data = access.data.map(change)
        return access
    }

    func complete(_ vcpu: Int, with data: [UInt8]) throws(MachineError) {
        do throws(MachineError) {
            try base.complete(vcpu, with: data)
        } catch  where lie != .takesAnyAnswer { throw error } catch {}
    }

    func instructions(of vcpu: Int) -> UInt64 {
        base.instructions(of: vcpu) / (lie == .losesCount ? 2 : 1)
    }

    func registers(of vcpu: Int) -> Reading<RegisterFile> {
        switch (lie, base.registers(of: vcpu)) {
        case (.inventsState, .hidden): return .known(RegisterFile(), from: .direct)
        case (.claimsSelfReport, .known(let file, _)): return .known(file, from: .selfReport)
        case (.shiftsStack, .known(var file, let source)):
            file[.rsp] &+= 8
            return .known(file, from: source)
        case (_, let reading): return reading
        }
    }

    func setRegister(_ register: Register, of vcpu: Int, to value: UInt64) throws(MachineError) {
        if lie != .ignoresRegisters { try base.setRegister(register, of: vcpu, to: value) }
    }

    func systemRegisters(of vcpu: Int) -> Reading<SystemRegisters> {
        base.systemRegisters(of: vcpu)
    }

    func translate(_ address: GuestVirtualAddress, on vcpu: Int) -> Reading<Translation?> {
        base.translate(address, on: vcpu)
    }

    func read(
        _ address: GuestPhysicalAddress, count: Int, as view: MemoryView
    ) -> Reading<[UInt8]> {
        switch (lie, base.read(address, count: count, as: view)) {
        case (.inventsZeros, .hidden):
            return .known(Array(repeating: 0, count: count), from: .direct)
        case (.leaksPrivateMemory, _): return base.read(address, count: count, as: .asUsed)
        case (.showsBreakpoints, .known(var bytes, let source)):
            for place in breakpoints {
                let offset = place.rawValue &- address.rawValue
                if offset < UInt64(count) { bytes[Int(offset)] = 0xcc }
            }
            return .known(bytes, from: source)
        case (_, let reading): return reading
        }
    }

    func write(
        _ bytes: [UInt8], to address: GuestPhysicalAddress, as view: MemoryView
    ) throws(MachineError) {
        if lie != .ignoresMemory { try base.write(bytes, to: address, as: view) }
    }

    func isPrivate(_ page: GuestPhysicalAddress) -> Reading<Bool> { base.isPrivate(page) }
    func takeObservations() -> [Observation] { base.takeObservations() }
    func settle(_ vcpu: Int) { base.settle(vcpu) }

    func setWatchpoints(_ bytes: [WatchedBytes]) throws(MachineError) {
        if lie != .watchesNothing { try base.setWatchpoints(bytes) }
    }

    func setBreakpoints(_ addresses: Set<GuestVirtualAddress>) throws(MachineError) {
        breakpoints = addresses
        if lie != .stopsNowhere { try base.setBreakpoints(addresses) }
    }
}
