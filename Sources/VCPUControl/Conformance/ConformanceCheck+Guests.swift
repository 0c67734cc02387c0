// The built-in guests, and the machine that all others are compared with.
extension ConformanceCheck {
    /// All but `spin`, which makes no exchange, and takes a machine that steps minutes.
    private static let correct = BuiltInGuest.all.filter { $0.name != "spin" }

    /// Each built-in guest to its end.
    static let guests =
        correct.map { guest in
            ConformanceCheck("guest-\(guest.name)", "as on the emulator: \(guest.summary)") {
                bench throws(ConformanceFailure) in
                for (setup, vcpus) in [(GHCBSetup.pool, 1), (.trampoline, 2)] {
                    try compare(guest, bench) { ($0.setup, $0.vcpus) = (setup, vcpus) }
                }
            }
        } + [
            ConformanceCheck(
                "protocol-1", "as on the emulator: a VM that offers version 1 of the GHCB protocol"
            ) { bench throws(ConformanceFailure) in try compareProtocol(1, bench) },
            ConformanceCheck(
                "protocol-2", "as on the emulator: a VM that offers version 2 of the GHCB protocol",
                need: .secondProtocol
            ) { bench throws(ConformanceFailure) in try compareProtocol(2, bench) },
        ]

    static let comparing = [
        ConformanceCheck(
            "bugs", "each guest with an upstream bug breaks its rule, once and alone",
            need: .visibleState, bugs),
        ConformanceCheck(
            "lockstep",
            "as on the emulator: registers after 1, 7 and 1000 instructions, exits, memory",
            need: .comparison, lockstep),
    ]

    private static func compare(
        _ guest: BuiltInGuest, _ bench: ConformanceBench,
        _ change: (inout LaunchOptions) -> Void
    ) throws(ConformanceFailure) {
        let wanted = GuestAccount(try bench.reference(guest.image, change))
        let examined = try bench.launch(guest.image, change)
        // Which of several vCPUs is the first to end the VM is chance where they have no order.
        guard !wanted.endsVM || examined.machine.traits.schedule == .turns else { return }
        try compare(GuestAccount(examined), wanted, bench)
    }

    private static func compareProtocol(
        _ version: Int, _ bench: ConformanceBench
    ) throws(ConformanceFailure) {
        for guest in correct where ["cpuid", "hv-features"].contains(guest.name) {
            try compare(guest, bench) { $0.ghcbVersion = version }
        }
    }

    private static func bugs(_ bench: ConformanceBench) throws(ConformanceFailure) {
        for bug in BuiltInGuest.bugs {
            let guest = try bench.launch(bug.image)
            try guest.run("continue")
            let broken = guest.session.findings.map(\.rule.id)
            try expect("what \(bug.name) breaks", broken, is: [bug.rule?.id ?? ""])
        }
    }

    private static func lockstep(_ bench: ConformanceBench) throws(ConformanceFailure) {
        for guest in correct {
            try lockstep(guest, 1, bench) { $0.setup = .host }
            try lockstep(guest, 7, bench) { ($0.setup, $0.vcpus) = (.pool, 2) }
            try lockstep(guest, 1000, bench) { ($0.setup, $0.ghcbVersion) = (.trampoline, 1) }
        }
        for guest in BuiltInGuest.bugs { try lockstep(guest, 1, bench) { _ in } }
    }

    /// More than any of them executes.
    private static let instructionLimit: UInt64 = 50_000

    private static func lockstep(
        _ guest: BuiltInGuest, _ stride: UInt64, _ bench: ConformanceBench,
        _ change: (inout LaunchOptions) -> Void
    ) throws(ConformanceFailure) {
        let first = try bench.reference(guest.image, change)
        let second = try bench.launch(guest.image, change)
        // vCPUs that run at the same time are in no order that could be compared.
        guard let plan = first.session.plan, second.machine.traits.schedule == .turns else {
            return
        }
        var lockstep = Lockstep(plan, first.machine, second.machine, stride: stride)
        var difference: Lockstep.Difference?
        do throws(MachineError) {
            difference = try lockstep.run(limit: instructionLimit)
        } catch { throw ConformanceFailure("\(guest.name): \(error.message)") }
        if let difference {
            throw ConformanceFailure(
                "\(guest.name), behind instruction \(difference.instruction): \(difference.text)")
        }
        try expect(lockstep.instructions < instructionLimit, "\(guest.name) has no end")
        guard let kvm = second.machine as? KVMMachine else { return }
        try expect(kvm.stepsOfKVM > 0, "KVM has executed nothing of \(guest.name)")
    }
}
