// Exits and their answers, and how runs and guests end.
extension ConformanceCheck {
    static let access = [
        ConformanceCheck(
            "answer", "an access waits for its answer, which has its size, and is then an exchange",
            answer)
    ]

    static let running = [
        ConformanceCheck(
            "interrupt", "a guest that does not end is interrupted, and can be stepped from there",
            interrupt),
        ConformanceCheck("halted", "a guest that waits for an interrupt has halted", halted),
        ConformanceCheck(
            "shutdown", "a triple fault ends the guest as a shutdown, and says so", shutdown),
        ConformanceCheck(
            "restart", "a guest that is launched anew does the same again", restart),
        ConformanceCheck(
            "setup-switch", "the guest is the same under another GHCB setup", switchSetup),
        ConformanceCheck(
            "setup-host", "a preset GHCB MSR works, or is refused with the reason", hostSetup),
    ]

    /// Sees that a call is refused, with the error if one is given.
    static func refused(
        _ what: String, with wanted: MachineError? = nil,
        _ call: () throws(MachineError) -> Void
    ) throws(ConformanceFailure) {
        do throws(MachineError) {
            try call()
        } catch {
            guard let wanted else { return }
            return try expect("the refusal where \(what)", error, is: wanted)
        }
        throw ConformanceFailure("\(what), and that is not refused")
    }

    /// A guest at its first access to a port, which nobody has answered.
    static func atAccess(_ bench: ConformanceBench) throws(ConformanceFailure) -> ExaminedGuest {
        let guest = try bench.launch("hello")
        for _ in 0..<1000 {
            switch try run(guest.machine) {
            case .io: return guest
            case .limit, .vmgexit, .breakpoint: continue
            case let exit:
                throw ConformanceFailure("the guest leaves with \(exit) before its access")
            }
        }
        throw ConformanceFailure("the guest comes to no access")
    }

    private static func run(_ machine: any Machine) throws(ConformanceFailure) -> VCPUExit {
        do throws(MachineError) {
            return try machine.run(.all, limit: 1_000_000).exit
        } catch { throw ConformanceFailure("the guest does not run: \(error.message)") }
    }

    private static func answer(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let machine = try atAccess(bench).machine
        try refused("a vCPU runs on without its answer") { () throws(MachineError) in
            _ = try machine.run(.all, limit: 1)
        }
        try refused("an answer of the wrong size is taken") { () throws(MachineError) in
            try machine.complete(0, with: [1, 2, 3])
        }
        do throws(MachineError) {
            try machine.complete(0, with: [])
        } catch { throw ConformanceFailure("the answer is not taken: \(error.message)") }
        guard case .vmgexit(let exchange) = try run(machine) else {
            throw ConformanceFailure("the answered access is not reported as an exchange")
        }
        try expect("its code", exchange.exitCode, is: .ioio)
        try expect("its outcome", exchange.outcome, is: .ok)
        try refused("an answer is taken twice") { () throws(MachineError) in
            try machine.complete(0, with: [])
        }
    }

    /// Long enough for the vCPU to be in the middle of its loop.
    private static let moment = Duration.milliseconds(50)

    private static func interrupt(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.launch(ConformanceBench.image([0xeb, 0xfe]))
        let stop = try guest.stop("continue", within: moment)
        try expect("the stop", stop.reason, is: .interrupted)
        try expect("the offset of the loop", try guest.place("stepi"), is: 0)
    }

    private static func halted(_ bench: ConformanceBench) throws(ConformanceFailure) {
        try bench.launch(ConformanceBench.image([0xfa, 0xf4])).end(.halted)  // cli; hlt
    }

    private static func shutdown(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.launch(
            ConformanceBench.image([
                0x6a, 0x00, 0x6a, 0x00,  // push $0, twice
                0x0f, 0x01, 0x1c, 0x24,  // lidt (%rsp)
                0x0f, 0x0b,  // ud2
            ]))
        let stop = try guest.stop("continue")
        try expect("the stop", stop.reason, is: .shutdown)
        try expect(stop.detail?.isEmpty == false, "nothing is said of the fault")
        try expect("its end", guest.session.end?.reason, is: .shutdown)
    }

    private static func restart(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.launch("cpuid")
        let first = GuestAccount(guest)
        try guest.run("restart")
        try compare(GuestAccount(guest), first, bench)
    }

    private static func switchSetup(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.launch("cpuid") { $0.setup = .pool }
        try guest.run("ghcb trampoline")
        let fresh = try bench.launch("cpuid") { $0.setup = .trampoline }
        try compare(GuestAccount(guest), GuestAccount(fresh), bench)
    }

    private static func hostSetup(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.launch("hello")
        if bench.traits.presetsGHCB {
            try guest.run("ghcb host")
        } else {
            let reason = try guest.refusal("ghcb host")
            try expect(reason.contains("cannot preset the GHCB MSR"), "the reason is: \(reason)")
        }
        try guest.end(.returned)
    }

    static func compare(
        _ account: GuestAccount, _ reference: GuestAccount, _ bench: ConformanceBench
    ) throws(ConformanceFailure) {
        let difference = account.difference(
            from: reference, seesAll: bench.machine.seesAllExchanges)
        if let difference { throw ConformanceFailure("the guest " + difference) }
    }
}
