/// What an observer reports as lines of text for people.
package struct ObserveRenderer {
    private var session: TextRenderer
    private var last = Reported()

    /// The counts that the last table showed, and when.
    private struct Reported {
        var seconds = 0.0
        var counts: [Key: UInt64] = [:]
    }

    private struct Key: Hashable {
        var thread: UInt32
        var reason: ExitReason
    }

    /// More places of one vCPU are left to the JSON lines.
    private static let mostPlaces = 8

    package init(hasColor: Bool) { session = TextRenderer(hasColor: hasColor) }

    /// What to write for an event.
    package mutating func text(for event: ObserveEvent) -> String {
        switch event {
        case .vmgexit(let sequence, let exchange):
            session.text(for: .vmgexit(sequence: sequence, exchange))
        case .finding(let finding): session.text(for: .finding(finding))
        case .started(let start): Self.text(start.lines)
        case .vms(let vms): Self.text(vms.flatMap(\.lines))
        case .activity(let seconds, let sampled, let vcpus):
            Self.text(lines(seconds, sampled, vcpus))
        case .samples(let seconds, let vcpus): Self.text(Self.lines(seconds, vcpus))
        case .ended(let end): Self.text([end.line])
        }
    }

    private static func text(_ lines: [String]) -> String {
        lines.map { EscapedText.line($0) + "\n" }.joined()
    }

    private static func name(_ vcpu: Int?, _ thread: UInt32) -> String {
        vcpu.map { "vCPU \($0)" } ?? "thread \(thread)"
    }
}

// MARK: - Tables

extension ObserveRenderer {
    /// What happened since the last table; no table where nothing did.
    private mutating func lines(
        _ seconds: Double, _ sampled: Double, _ vcpus: [ObservedActivity]
    ) -> [String] {
        let interval = max(seconds - last.seconds, 0.001)
        let table = vcpus.flatMap { rows($0, interval) }
        last.seconds = seconds
        for vcpu in vcpus {
            for exits in vcpu.activity.hardware + vcpu.activity.userspace {
                let key = Key(thread: vcpu.activity.thread, reason: exits.reason)
                last.counts[key] = exits.count
            }
        }
        let part = sampled > 0.99 ? "" : "; times and places from \(UInt64(100 * sampled)) % of it"
        return table.isEmpty ? [] : ["[\(seconds.tenths) s\(part)]"] + table
    }

    private func rows(_ vcpu: ObservedActivity, _ interval: Double) -> [String] {
        let name = Self.name(vcpu.vcpu, vcpu.activity.thread).padded(to: 8)
        let exits = (vcpu.activity.hardware + vcpu.activity.userspace).compactMap { exits in
            let key = Key(thread: vcpu.activity.thread, reason: exits.reason)
            let new = exits.count &- (last.counts[key] ?? 0)
            return new == 0 ? nil : Self.row(exits, rate: Double(new) / interval)
        }
        guard !exits.isEmpty else { return [] }
        let places = vcpu.activity.places.prefix(Self.mostPlaces).map { Self.row($0) }
        return (exits + places).map { "  \(name) \($0)" }
    }

    private static func row(_ exits: VCPUActivity.Exits, rate: Double) -> String {
        let mean = exits.meanNanoseconds.map {
            "  mean \($0.microseconds)  longest \(exits.longest.microseconds)"
        }
        return exits.reason.name.padded(to: 24) + String(exits.count).paddedLeft(to: 10)
            + "\(UInt64(rate))/s".paddedLeft(to: 10) + (mean ?? "")
    }

    private static func row(_ place: VCPUActivity.Place) -> String {
        place.text.padded(to: 24) + String(place.count).paddedLeft(to: 10)
    }

    private static func lines(_ seconds: Double, _ vcpus: [ObservedSamples]) -> [String] {
        let rows = vcpus.map { vcpu in
            let total = vcpu.reasons.reduce(0) { $0 + $1.count }
            let shares = vcpu.reasons.map {
                "\($0.reason.name) \(100 * $0.count / max(total, 1)) %"
            }
            return "  vCPU \(vcpu.vcpu)   \(shares.joined(separator: ", ")) of \(total) samples"
        }
        return ["[\(seconds.tenths) s]"] + rows
    }
}

extension VCPUActivity.Place {
    /// `port 0x3f8 write`; an MSR that has a name with that.
    package var text: String {
        let name = kind == .msr ? MSRTable.name(of: UInt32(truncatingIfNeeded: address)) : nil
        return "\(kind.name) \(address.hex)\(name.map { " (\($0))" } ?? "")"
            + (isWrite ? " write" : " read")
    }
}

// MARK: - Head and foot

extension ObserveStart {
    fileprivate var lines: [String] {
        let how = limit == nil ? "through BPF" : "through kvm_run"
        return ["[observing \(name), process \(process), \(how): nothing is stopped]"]
            + (limit.map { ["[\($0)]"] } ?? []) + vms.flatMap(\.lines)
    }
}

extension ObserveEnd {
    fileprivate var line: String {
        let how =
            switch reason {
            case .exited: "the VMM has ended"
            case .interrupted: "observation ended"
            case .elapsed: "time is over"
            }
        let missing = lost == 0 ? "" : ", \(lost) more not seen whole"
        return "[\(how): \(vmgexits) VMGEXITs\(missing), \(findings) findings]"
    }
}

extension ObservedVM {
    /// The VM, its memory slots and its vCPUs.
    package var lines: [String] {
        let kind = sev.map { sev in
            guard sev.isES else { return "no SEV-ES" }
            let version = sev.ghcbVersion.map { ", GHCB version \($0)" } ?? ""
            return "SEV-ES, ASID \(sev.asid)\(version)"
        }
        let head = descriptor.map { "VM, descriptor \($0)" } ?? "VM, descriptor closed"
        return ["\(head)\(kind.map { ": " + $0 } ?? "")"] + slotLines + vcpus.flatMap(\.lines)
    }

    private var slotLines: [String] {
        guard case .known(let slots, _) = slots else {
            return ["  memory slots: <\(Hidden.needsBPF.rawValue)>"]
        }
        let more = hasMoreSlots ? ["  more slots than could be read"] : []
        return slots.map { "  " + $0.line } + more
    }
}

extension MemorySlot {
    /// `slot 0  0x0-0x7fff at 0x7f87…, log-dirty`.
    package var line: String {
        let last = start.rawValue &+ (size == 0 ? 0 : size - 1)
        let space = addressSpace == 0 ? "" : ", address space \(addressSpace)"
        let names = flags.names.map { ", " + $0 }.joined()
        return "slot \(id)".padded(to: 9)
            + "\(start.rawValue.hex)-\(last.hex) at \(hostAddress.hex)\(space)\(names)"
    }
}

extension ObservedVM.VCPU {
    fileprivate var lines: [String] {
        let runner = thread.map { $0 == 0 ? "never run" : "thread \($0)" }.word
        let counted = exits.map { "\($0) exits" }.word
        let last = lastExit == .running ? "in KVM_RUN" : "last \(lastExit.name)"
        return ["  " + "vCPU \(id)".padded(to: 9) + "\(runner), \(counted), \(last)"]
            + (vmcb.map { ["           " + $0.line] } ?? [])
    }
}

extension ObservedVM.VMCB {
    /// `VMCB: IOIO (0x7b), info1 …`.
    package var line: String {
        let name = exitCode.name ?? "unknown"
        let words = "info1 \(exitInfo1.hex), info2 \(exitInfo2.hex)"
        let place = "rip \(rip.text), cr3 \(cr3.map(\.hex).word)"
        return "VMCB: \(name) (\(exitCode.rawValue.hex)), \(words), \(place), ASID \(asid),"
            + " GHCB MSR \(ghcb.hex)"
    }
}

extension Reading<String> {
    /// The text, or why there is none.
    fileprivate var word: String {
        switch self {
        case .known(let text, _): text
        case .hidden(let reason): "<\(reason.rawValue)>"
        }
    }
}

extension Double {
    /// With one digit behind the point.
    fileprivate var tenths: String {
        let tenths = UInt64(Swift.max(self * 10, 0))
        return "\(tenths / 10).\(tenths % 10)"
    }
}

extension UInt64 {
    /// Nanoseconds as `5.1 us`.
    fileprivate var microseconds: String { "\(self / 1000).\(self % 1000 / 100) us" }
}
