/// Runs the built-in guests on every machine that is to be had, and compares what they do.
///
/// The reference is the emulator that hides nothing. On a machine that tells the host of no more
/// exchanges than KVM does, those that it tells of have to be among the reference's, in its order.
package struct SelfTest {
    /// One guest under one setup on one machine.
    package struct Row: Sendable, Equatable {
        package var machine: String
        package var guest: String
        package var setup: GHCBSetup
        /// What differs; `nil` where nothing does.
        package var failure: String?
    }

    /// A machine, and what a launch plan for it needs.
    private struct Candidate: Sendable {
        let name: String
        let seesAll: Bool
        let prepare: @Sendable (inout LaunchOptions) throws(MachineError) -> Void
        let make: SessionConfiguration.MachineMaker
    }

    /// Seconds after which a guest that does not end is stopped.
    private let patience: Int
    private let guests: [BuiltInGuest]
    private let candidates: [Candidate]

    /// Takes the report of a host, which says what machines there are.
    package init(
        _ report: DoctorReport, guests: [BuiltInGuest] = Self.guests, patience: Int = 60
    ) {
        (self.guests, self.patience) = (guests, patience)
        let missing = report.machines.filter { $0.obstacle != nil }.map(\.name)
        candidates = Self.all.filter { !missing.contains($0.name) }
    }

    /// Runs everything; each row is handed over when it is known.
    ///
    /// - Returns: whether all is as it should be.
    package func run(_ show: (Row) -> Void) -> Bool {
        var isGood = true
        for guest in guests {
            for setup in [GHCBSetup.pool, .trampoline] {
                var references: [LaunchOptions: SelfTestRun] = [:]
                for candidate in candidates {
                    let failure = failure(guest, setup, candidate, &references)
                    isGood = isGood && failure == nil
                    show(
                        Row(
                            machine: candidate.name, guest: guest.name, setup: setup,
                            failure: failure))
                }
            }
        }
        return isGood
    }

    /// What differs from the emulator with the same C-bit and protocol version.
    private func failure(
        _ guest: BuiltInGuest, _ setup: GHCBSetup, _ candidate: Candidate,
        _ references: inout [LaunchOptions: SelfTestRun]
    ) -> String? {
        var options = LaunchOptions(guest.defaults)
        options.setup = setup
        do throws(MachineError) {
            try candidate.prepare(&options)
        } catch { return error.message }
        var plain = options
        plain.hasDebugStub = false
        let reference = references[plain] ?? run(guest, plain, Self.reference)
        references[plain] = reference
        return run(guest, options, candidate)
            .difference(from: reference, seesAll: candidate.seesAll)
    }

    private func run(
        _ guest: BuiltInGuest, _ options: LaunchOptions, _ candidate: Candidate
    ) -> SelfTestRun {
        let (flag, patience) = (InterruptFlag(), patience)
        let watch = Task.detached {
            try? await Task.sleep(for: .seconds(patience))
            if !Task.isCancelled { flag.raise() }
        }
        defer { watch.cancel() }
        return SelfTestRun(
            SessionConfiguration(
                image: guest.image, options: options, interruptFlag: flag,
                makeMachine: candidate.make))
    }

    /// All but `spin`, which makes no exchange, and takes a machine that steps minutes.
    package static let guests = BuiltInGuest.all.filter { $0.name != "spin" }

    // MARK: Machines

    private static let reference = Candidate(
        name: "emulator", seesAll: true, prepare: { _ throws(MachineError) in },
        make: { plan, _, interrupt throws(MachineError) in
            try EmulatedMachine(plan, interrupt: interrupt)
        })

    private static let all = [
        reference,
        Candidate(
            name: "twin", seesAll: false,
            prepare: { options throws(MachineError) in options.hasDebugStub = true },
            make: { plan, _, interrupt throws(MachineError) in
                try StubbedMachine(
                    SEVESMachine.twin(plan, interrupt: interrupt, isTraced: false), plan)
            }),
        Candidate(
            name: "kvm", seesAll: true,
            prepare: { options throws(MachineError) in options.cBit = try KVMMachine.cBit() },
            make: { plan, _, interrupt throws(MachineError) in
                try KVMMachine(plan, interrupt: interrupt)
            }),
        Candidate(
            name: "sev-es", seesAll: false,
            prepare: { options throws(MachineError) in
                options.hasDebugStub = true
                let host = try SEVESMachine.host()
                (options.cBit, options.ghcbVersion) = (host.cBit, host.ghcbVersion)
            },
            make: { plan, _, interrupt throws(MachineError) in
                try StubbedMachine(SEVESMachine(plan, interrupt: interrupt), plan)
            }),
    ]
}

/// What a guest did from its launch to its end.
struct SelfTestRun: Equatable {
    /// Console output of each vCPU.
    private var console: [Int: [UInt8]] = [:]
    /// VMGEXITs of each vCPU: the code, and what the guest asked.
    private var exchanges: [Int: [String]] = [:]
    private var end: String?

    /// Runs the guest to its end.
    init(_ configuration: SessionConfiguration) {
        let session: Session
        do throws(SessionError) {
            session = try Session(configuration)
        } catch {
            end = error.message
            return
        }
        var isStopped = false
        repeat {
            session.submit("continue")
            while let event = session.next() { isStopped = take(event) || isStopped }
        } while session.end == nil && !isStopped
        session.close()
    }

    /// - Returns: whether the guest cannot go on.
    private mutating func take(_ event: SessionEvent) -> Bool {
        switch event {
        case .console(let vcpu, let bytes): console[vcpu, default: []] += bytes
        case .vmgexit(_, let exchange):
            exchanges[exchange.vcpu, default: []].append(Self.text(exchange))
        case .end(let end):
            self.end = self.end ?? end.reason.rawValue + (end.termination.map { " \($0)" } ?? "")
        case .stop(let stop) where stop.reason == .interrupted || stop.reason == .unimplemented:
            end = "does not end: \(stop.reason.rawValue)"
            return true
        case .result(let result):
            guard case .failure(let failure) = result.outcome else { return false }
            end = failure.message
            return true
        default: break
        }
        return false
    }

    private static func text(_ exchange: Exchange) -> String {
        guard case .page = exchange.content else { return "MSR \(exchange.msr.hex)" }
        // Of a port access the exit tells neither the segment nor the width of addresses.
        let isPort = exchange.exitCode == .ioio
        let info1 = isPort ? exchange.info1 & ~0x1f80 : exchange.info1
        return "\(exchange.name) \(info1.hex) \(exchange.info2.hex)"
    }

    /// The first difference, in words.
    func difference(from reference: SelfTestRun, seesAll: Bool) -> String? {
        if end != reference.end {
            return "ends with \(end ?? "nothing"), not with \(reference.end ?? "nothing")"
        }
        if console != reference.console { return "prints something else" }
        for (vcpu, wanted) in reference.exchanges {
            let seen = exchanges[vcpu] ?? []
            if seesAll, seen != wanted { return "vCPU \(vcpu) makes other VMGEXITs" }
            if let stray = Self.stray(seen, in: wanted) {
                return "vCPU \(vcpu) makes a VMGEXIT out of order: \(stray)"
            }
        }
        return exchanges.keys.first { reference.exchanges[$0] == nil }
            .map { "vCPU \($0) makes a VMGEXIT" }
    }

    /// The first that does not follow in `wanted`, with others between.
    private static func stray(_ seen: [String], in wanted: [String]) -> String? {
        var rest = wanted[...]
        for exchange in seen {
            guard let place = rest.firstIndex(of: exchange) else { return exchange }
            rest = rest[(place + 1)...]
        }
        return nil
    }
}

extension SelfTest.Row {
    package var text: String {
        let head =
            (failure == nil ? "ok" : "FAILED").padded(to: 8) + machine.padded(to: 10)
            + setup.rawValue.padded(to: 12) + guest
        return EscapedText.line(head + (failure.map { ": " + $0 } ?? ""))
    }

    package var json: JSONValue {
        .object([
            .init("schema", .string(JSONRenderer.schema)), .init("type", .string("selftest")),
            .init("machine", .string(machine)), .init("ghcb", .string(setup.rawValue)),
            .init("guest", .string(guest)), .init("ok", .bool(failure == nil)),
            .init("reason", .optional(failure)),
        ])
    }
}
