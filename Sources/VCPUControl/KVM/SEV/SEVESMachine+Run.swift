internal import CKVM
internal import SystemPackage

// Running vCPUs until something happens.
extension SEVESMachine {
    package func run(
        _ scope: RunScope, limit: UInt64
    ) throws(MachineError) -> (vcpu: Int, exit: VCPUExit) {
        if case .one(let number) = scope { _ = try checked(number) }
        if let exit = try finish(scope) { return exit }
        var beats = Self.beats(limit)
        while let number = next(scope) {
            guard beats > 0 else { return (number, .limit) }
            if interrupt.isRaised, interrupt.take() { return (number, .interrupted) }
            enter(scope, number)
            if let exit = try takeExit(scope) { return exit }
            beats -= 1
            if case .all = scope { turn = (turn + 1) % vcpuCount }
        }
        if case .one(let number) = scope { return (number, .idle) }
        return (turn, .idle)
    }

    /// How often a vCPU that does not exit may be interrupted before a run ends.
    ///
    /// Nobody counts the guest's instructions; a small limit, within which something has to happen,
    /// is taken for two seconds of each vCPU.
    private static func beats(_ limit: UInt64) -> UInt64 {
        guard limit > 0 else { return 0 }
        return max(limit / instructionsPerBeat, leastBeats)
    }

    private static let instructionsPerBeat: UInt64 = 100_000_000
    private static let leastBeats: UInt64 = 200
    /// Between two looks at the interrupt flag, and two turns.
    static let milliseconds: UInt32 = 10

    /// Reports what is over since the last run, and refuses one that an answer is missing for.
    private func finish(_ scope: RunScope) throws(MachineError) -> (vcpu: Int, exit: VCPUExit)? {
        for (number, vcpu) in vm.vcpus.enumerated() where isIn(scope, number) {
            if case .waiting(let bytes) = vcpu.activity {
                throw .refused(
                    "vCPU \(number) waits for the answer to its access of \(bytes) bytes: complete"
                        + " it before running on")
            }
        }
        return try takeExit(scope)
    }

    /// The next exit that is to be reported.
    private func takeExit(_ scope: RunScope) throws(MachineError) -> (vcpu: Int, exit: VCPUExit)? {
        while true {
            if let index = held.firstIndex(where: { isIn(scope, $0.vcpu) }) {
                return held.remove(at: index)
            }
            guard let index = arrivals.firstIndex(where: { isIn(scope, $0.vcpu) }) else {
                return nil
            }
            let (number, result) = arrivals.remove(at: index)
            guard vm.vcpus[number].activity == .running else { continue }
            if let exit = try report(result, of: number) { held.append((number, exit)) }
        }
    }

    private func isIn(_ scope: RunScope, _ number: Int) -> Bool {
        if case .one(let only) = scope { only == number } else { true }
    }

    /// The vCPU that runs next; `nil` when none of the scope can.
    private func next(_ scope: RunScope) -> Int? {
        if case .one(let number) = scope {
            return vm.vcpus[number].activity == .running ? number : nil
        }
        for _ in 0..<vcpuCount {
            if vm.vcpus[turn].activity == .running { return turn }
            turn = (turn + 1) % vcpuCount
        }
        return nil
    }

    /// Makes one `KVM_RUN` of a vCPU, or of all that run, where they do at the same time.
    private func enter(_ scope: RunScope, _ number: Int) {
        guard let threads else {
            return arrivals.append((number, run(number, every: Self.milliseconds, interrupt)))
        }
        let running = vm.vcpus.indices.filter { vm.vcpus[$0].activity == .running }
        runAtOnce(scope == .all ? Array(running) : [number], on: threads)
    }

    /// Makes one `KVM_RUN`, on the thread that calls.
    func run(
        _ number: Int, every milliseconds: UInt32, _ interrupt: InterruptFlag?
    ) -> Result<KVMExit, KVMError> {
        Result { () throws(KVMError) in
            try vm.vcpus[number].file.run(every: milliseconds, interrupt)
        }
    }

    private static func reason(_ errno: Errno, _ error: KVMError) -> String {
        let cause =
            switch errno {
            case .invalidArgument:
                "an event that KVM does not support (0x8000FFFF), or a string longer than an int"
            case .badAddress: "scratch data that lies outside the page, where no RAM is"
            default: "nothing that a guest can cause"
            }
        return "\(error.message): behind it may be \(cause); `sudo dmesg` may know more"
    }
}

// What an exit means.
extension SEVESMachine {
    /// - Returns: `nil` where there is nothing to tell of it, or exchanges that are held now.
    private func report(
        _ result: Result<KVMExit, KVMError>, of number: Int
    ) throws(MachineError) -> VCPUExit? {
        do throws(KVMError) {
            return report(try result.get(), of: number)
        } catch {
            guard case .failed("KVM_RUN", _, let errno) = error else {
                throw .refused(error.message)
            }
            let termination = Termination.runFailed(
                errno: errno.rawValue, Self.reason(errno, error))
            return takeExchanges(isOver: true) ? nil : end(number, termination)
        }
    }

    private func report(_ exit: KVMExit, of number: Int) -> VCPUExit? {
        let vcpu = vm.vcpus[number]
        switch exit {
        case .interrupted:
            _ = takeExchanges()
            return nil
        case .port(let access):
            vcpu.activity = .waiting(bytes: access.isInput ? access.size * access.count : 0)
            vcpu.request = sight(.port(access), of: number)
            return .io(access)
        case .memory(let access):
            vcpu.activity = .waiting(bytes: access.isRead ? access.length : 0)
            vcpu.request = sight(.memory(access), of: number)
            return .mmio(access)
        case .halt:
            vcpu.activity = .halted
            return .halt
        case .apResetHold:
            vcpu.activity = .held
            return .apResetHold
        case .systemEvent(Self.sevTermination, let data):
            return takeExchanges(isOver: true) ? nil : terminated(number, data)
        case .internalError(let suberror, let data):
            return takeExchanges(isOver: true) ? nil : internalError(number, suberror, data)
        case .unknown(let reason): return .unknown(reason)
        default: return shutdown(number, exit)
        }
    }

    /// Holds the exchanges that are over, where somebody sees them.
    ///
    /// - Returns: whether there are any.
    private func takeExchanges(isOver: Bool = false) -> Bool {
        guard let exchanges = tracing?.takeExchanges(isOver: isOver), let last = exchanges.last
        else { return false }
        held += exchanges.map { ($0.vcpu, .vmgexit($0)) }
        if case .terminated = last.outcome { endAll() }
        return true
    }

    /// `KVM_SYSTEM_EVENT_SEV_TERM`, which headers before Linux 6.0 do not have.
    private static let sevTermination: UInt32 = 6

    private func shutdown(_ number: Int, _ exit: KVMExit) -> VCPUExit {
        endAll()
        switch exit {
        case .shutdown:
            return .shutdown(
                "KVM_EXIT_SHUTDOWN of vCPU \(number): a triple fault; SEV-ES does not show which"
                    + " exception started it")
        case .failedEntry(let reason, let cpu):
            return .shutdown(
                "KVM_EXIT_FAIL_ENTRY of vCPU \(number): the processor refuses its VMSA (reason"
                    + " \(reason.hex) on CPU \(cpu)); with kvm_amd.dump_invalid_vmcb=1 `sudo dmesg` has"
                    + " the VMCB")
        case .memoryFault(_, let address, let size):
            return .shutdown(
                "KVM_EXIT_MEMORY_FAULT of vCPU \(number) at \(address.hex), \(size) bytes")
        default: return .shutdown("KVM leaves vCPU \(number) with \(exit)")
        }
    }

    func endAll() { for vcpu in vm.vcpus { vcpu.activity = .ended } }

    private func internalError(
        _ number: Int, _ suberror: UInt32, _ data: [UInt64]
    ) -> VCPUExit {
        if suberror == Self.emulationFailure, let bytes = Self.instruction(data) {
            return .unimplemented(bytes)
        }
        let code = data.first.map { ExitCode($0) }
        let what =
            suberror == Self.unexpectedExit && code != nil
            ? "KVM has no handler for VMGEXIT \(code?.rawValue.hex ?? "")"
            : "KVM_INTERNAL_ERROR with \(data.map(\.hex))"
        return end(number, .internalError(suberror: suberror, what), code: code)
    }

    /// The bytes that come with `KVM_INTERNAL_ERROR_EMULATION`, in one word and the next.
    private static func instruction(_ data: [UInt64]) -> [UInt8]? {
        guard data.count >= 3, data[0] & 1 != 0 else { return nil }
        let record = data[1].littleEndianBytes + data[2].littleEndianBytes
        return Array(record.dropFirst().prefix(Int(record[0])))
    }

    private static let emulationFailure: UInt32 = 1
    /// `KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON`.
    private static let unexpectedExit: UInt32 = 4
}

// The end of the VM by a VMGEXIT, and what the host can tell of that.
extension SEVESMachine {
    /// The data of the event is the GHCB MSR: a request, or the address of the page.
    private func terminated(_ number: Int, _ data: UInt64?) -> VCPUExit {
        endAll()
        guard let msr = data else {
            return .shutdown("KVM_SYSTEM_EVENT_SEV_TERM of vCPU \(number), without data")
        }
        guard msr & 0xfff == 0 else {
            let termination: Termination =
                if case .terminationRequest(let reason) = GHCBMSR(rawValue: msr) {
                    .requested(set: reason.set, code: reason.code)
                } else {
                    .refused(
                        "KVM ends an SEV-ES VM that makes MSR request \(GHCBMSR(rawValue: msr).name):"
                            + " it belongs to SEV-SNP")
                }
            return .vmgexit(exchange(number, msr, .msr(response: nil), termination))
        }
        let content = sharedPage(msr).map { Exchange.Content.page(request: $0, response: nil) }
        let termination = Termination.refused(
            "the guest asked for its end by event 0x8000FFFE; KVM wiped the reason, which only"
                + " `sudo dmesg` still has")
        return .vmgexit(exchange(number, msr, content ?? .noPage, termination))
    }

    /// The end by a request that KVM says no more of than its code, or not even that.
    private func end(
        _ number: Int, _ termination: Termination, code: ExitCode? = nil
    ) -> VCPUExit {
        endAll()
        let address = code.flatMap { code in
            ghcbAddresses(of: number, asking: code).first { _ in true }
        }
        let page = address.flatMap(sharedPage)
        let content = page.map { Exchange.Content.page(request: $0, response: nil) } ?? .noPage
        return .vmgexit(exchange(number, address ?? 0, content, termination))
    }

    private func exchange(
        _ number: Int, _ msr: UInt64, _ content: Exchange.Content, _ termination: Termination
    ) -> Exchange {
        var exchange = Exchange(
            vcpu: number, rip: .init(0), msr: msr, content: content,
            outcome: .terminated(termination))
        exchange.rip = .hidden(.protected)
        return exchange
    }
}
