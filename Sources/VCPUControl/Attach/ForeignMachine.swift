internal import CKVM
internal import Glibc

/// A VM that a VMM runs which knows nothing of sevdbg.
///
/// The VMM goes on answering its guest's exits; they are seen as they pass. Registers and steps go
/// through the tracer process, memory does not.
package final class ForeignMachine: Machine {
    let client: TracerClient
    let interrupt: InterruptFlag
    let memory: ForeignMemory
    /// The process as it was found.
    package let process: ForeignProcess
    /// What the host's kernel knows of the VM.
    let host: KernelView
    /// Where guest memory lies by what was found at attach, for a host that does not say.
    private(set) var foundMemory = GuestMemoryMap()
    /// What the tracer has been told of it.
    var tracerSlots: [GuestExtent] = []
    /// Whether KVM refuses to show the registers: SEV-ES.
    let isProtected: Bool
    /// Whether KVM knows MSR 0xC0010130 for this VM.
    package private(set) var readsGHCB = false
    var state: TracedState
    var breakpoints: Set<GuestVirtualAddress> = []
    /// What stops vCPUs at exits, once that has been asked for.
    var traps: ExitTraps?
    /// Exits that one stop came for, beyond the first.
    var openExits: [(vcpu: Int, exit: VCPUExit)] = []
    /// What has been asked since the vCPUs last ran.
    var cache = Cache()
    /// Whether vCPUs run on, since an exit that passed.
    var isRunning = false
    /// Whether the VMM is no more, or left.
    var isGone = false

    struct Cache {
        var system: [Int: SystemRegisters] = [:]
        var pages: [Page: UInt64?] = [:]
        var memory: GuestMemoryMap?

        struct Page: Hashable {
            var vcpu: Int
            var linear: UInt64
        }
    }

    /// Attaches to a process.
    ///
    /// - Parameters:
    ///   - number: the process of the VMM.
    ///   - vm: which of its VMs; `nil` is the only one.
    ///   - program: the file of this program, executed again as the tracer.
    ///   - interrupt: raised to stop a run.
    /// - Throws: why the process cannot be attached to, and what would help.
    package init(
        process number: Int32, vm: Int? = nil, program: String = "/proc/self/exe",
        interrupt: InterruptFlag = InterruptFlag()
    ) throws(AttachError) {
        var process = try Self.inspect(number)
        // It starts while the kernel is asked.
        client = try TracerClient(program: program)
        host = try KernelView(of: process, vm: vm)
        process.vcpus = host.vcpus(of: process)
        guard !process.vcpus.isEmpty else { throw .noVM(number, name: process.name) }
        self.process = process
        memory = ForeignMemory(process: number)
        self.interrupt = interrupt
        let reply = try client.ask(
            .attach(process: number, vcpus: process.vcpus), interrupt: interrupt)
        guard case .held(let state) = reply else { throw Self.unexpected(reply, number) }
        self.state = state
        let size = MemoryLayout<kvm_regs>.size
        let held = state.vcpus.firstIndex { $0.registers != nil } ?? 0
        let probe = try client.ask(
            .call(
                vcpu: held, request: ckvm_request_get_regs,
                argument: [UInt8](repeating: 0, count: size)))
        if case .result(let value, _) = probe {
            isProtected = value < 0
        } else {
            isProtected = true
        }
        readsGHCB = isProtected || modelSpecificRegister(Self.ghcbMSR, of: held).value != nil
        if host.limit != nil { foundMemory = findMemory(by: held) }
        let now = host.now
        takeMemory(now)
        passDebug(now)
    }

    /// A tracer whose debugger was killed is given a second to leave.
    private static func inspect(_ number: Int32) throws(AttachError) -> ForeignProcess {
        for _ in 0..<50 {
            do throws(AttachError) {
                return try ProcessInspector(process: number).inspect()
            } catch {
                guard case .traced = error else { throw error }
                usleep(20_000)
            }
        }
        return try ProcessInspector(process: number).inspect()
    }

    static func unexpected(_ reply: TracerReply, _ process: Int32) -> AttachError {
        if case .ended(let status) = reply { return .failed(ending(process, status)) }
        return .failed("the tracer process gives an answer that does not fit")
    }

    /// How a VMM ended, from a status of wait(2).
    static func ending(_ process: Int32, _ status: Int32) -> String {
        let signal = status & 0x7f
        let how = signal == 0 ? "" : ", by signal \(signal)"
        return "the VMM, process \(process), has ended\(how)"
    }

    package var traits: MachineTraits {
        MachineTraits(
            name: "attached", seesProtectedState: !isProtected, steps: !isProtected,
            presetsGHCB: false, readsGHCB: readsGHCB)
    }

    package var vcpuCount: Int { process.vcpus.count }

    /// Leaves the VMM as it was.
    package func leave() {
        guard !isGone else { return }
        isGone = true
        traps = nil
        _ = try? client.ask(.detach)
    }

    private func findMemory(by vcpu: Int) -> GuestMemoryMap {
        guard !isProtected, let system = systemRegisters(of: vcpu).value,
            let registers = registers(of: vcpu).value
        else { return GuestMemoryMap() }
        let places = [
            system.cs.base &+ registers[.rip], system.ss.base &+ registers[.rsp],
            system.idtr.base, system.gdtr.base,
        ]
        let translations = places.map { ($0, physical($0, vcpu)) }
        return GuestMemoryMap(
            mappings: process.mappings, system: system, translations: translations
        ) { memory.read($0, count: $1) }
    }
}

// Running.
extension ForeignMachine {
    package func run(
        _ scope: RunScope, limit: UInt64
    ) throws(MachineError) -> (vcpu: Int, exit: VCPUExit) {
        if case .one(let number) = scope { _ = try checked(number) }
        let request = TracerRequest.run(
            scope, limit: limit, breakpoints: breakpoints.map(\.rawValue))
        while openExits.isEmpty {
            if let stop = try resume(request) { return stop }
        }
        return openExits.removeFirst()
    }

    /// - Returns: `nil` for a trap, whose exits are open then.
    private func resume(
        _ request: TracerRequest
    ) throws(MachineError) -> (vcpu: Int, exit: VCPUExit)? {
        cache = Cache()
        let reply: TracerReply
        do throws(AttachError) {
            reply = try client.ask(request, interrupt: interrupt)
        } catch {
            // Without the tracer nobody is to be stopped.
            traps = nil
            throw .refused(error.message)
        }
        switch reply {
        case .stopped(let stop, let state) where stop.reason == .trapped:
            (self.state, isRunning) = (state, false)
            openExits = exits(of: stop.vcpu).map { (stop.vcpu, $0) }
            return nil
        case .stopped(let stop, let state):
            self.state = state
            if case .passed = stop.reason { isRunning = true } else { isRunning = false }
            return (stop.vcpu, exit(stop))
        case .ended(let status):
            isGone = true
            return (0, .vanished(Self.ending(process.number, status)))
        default: throw .refused(Self.unexpected(reply, process.number).message)
        }
    }

    private func exit(_ stop: TracedStop) -> VCPUExit {
        switch stop.reason {
        case .limit: .limit
        case .breakpoint: .breakpoint
        case .touched: .touched
        case .interrupted, .trapped: .interrupted
        case .passed(let kind):
            .passed(PassedExit(vcpu: stop.vcpu, rip: rip(of: stop.vcpu), kind: kind))
        }
    }

    /// As the state has it that came with the stop.
    func rip(of vcpu: Int) -> Reading<GuestVirtualAddress> {
        guard !isProtected, state.vcpus.indices.contains(vcpu) else { return .hidden(.protected) }
        return state.vcpus[vcpu].registers.map { .known(.init($0[.rip]), from: .direct) }
            ?? .hidden(.outside)
    }

    /// Stops what runs on, so that the registers hold.
    func settle() {
        guard isRunning, !isGone else { return }
        isRunning = false
        if case .held(let state)? = try? client.ask(.hold) { self.state = state }
        cache = Cache()
    }

    package func complete(_ vcpu: Int, with data: [UInt8]) throws(MachineError) {
        throw .refused("the VMM answers the accesses of its guest itself")
    }

    package func setBreakpoints(_ addresses: Set<GuestVirtualAddress>) throws(MachineError) {
        guard !isProtected || addresses.isEmpty else {
            throw .refused("cannot set breakpoints: SEV-ES hides the guest's state from the host")
        }
        breakpoints = addresses
    }

    package func setWatchpoints(_ bytes: [WatchedBytes]) throws(MachineError) {
        let slots = guestMemory.slots
        for piece in bytes
        where GuestExtent.host(of: piece.address.rawValue, count: piece.count, in: slots) == nil {
            throw .refused(
                "cannot watch \(piece.address.rawValue.hex): where it lies in the VMM is not known;"
                    + " see info memory")
        }
        client.send(.watch(bytes))
    }

    package func takeObservations() -> [Observation] { [] }

    func checked(_ vcpu: Int) throws(MachineError) -> Int {
        guard (0..<vcpuCount).contains(vcpu), vcpu < state.vcpus.count else {
            throw .noSuchVCPU(vcpu)
        }
        return vcpu
    }

    /// An ioctl of a vCPU.
    ///
    /// - Returns: the struct as KVM leaves it.
    func ask<Value>(
        _ vcpu: Int, _ request: UInt64, _ name: String, _ argument: Value
    ) throws(MachineError) -> [UInt8] {
        try call(vcpu, request, name, argument).bytes
    }

    func call<Value>(
        _ vcpu: Int, _ request: UInt64, _ name: String, _ argument: Value
    ) throws(MachineError) -> (value: Int32, bytes: [UInt8]) {
        let number = try checked(vcpu)
        let reply: TracerReply
        do throws(AttachError) {
            reply = try client.ask(
                .call(vcpu: number, request: request, argument: InjectedCode.raw(argument)))
        } catch { throw .refused(error.message) }
        switch reply {
        case .result(let value, let bytes) where value >= 0: return (value, bytes)
        case .result(let value, _):
            throw .refused("\(name) of vCPU \(vcpu) fails with errno \(-value)")
        default: throw .refused(Self.unexpected(reply, process.number).message)
        }
    }
}
