import VCPUControl

// What is behind the line that the cursor is on.
extension UIState {
    /// Enter: shows a finding whole, or makes a vCPU the current one.
    mutating func open() -> [Effect] {
        switch focus {
        case .findings:
            guard let record = findings.chosenEntry else { return [] }
            answer = Answer(
                command: "finding \(record.number)",
                lines: FindingsView.whole(record.finding, width: size.columns - 4))
        case .vcpus:
            guard let vcpu = vcpuCursor ?? snapshot?.current else { return [] }
            return execute("vcpu \(vcpu)")
        case .log: return focus(on: .ghcb)
        case .registers, .code, .ghcb, .console, .memory:
            say("Enter opens a finding, a VMGEXIT or a vCPU; this pane has none")
        }
        return []
    }

    /// `o`: from a finding to its VMGEXIT, from a VMGEXIT or a vCPU to its code.
    mutating func goTo() -> [Effect] {
        switch focus {
        case .findings: return goToExit()
        case .log: return goToCode(log.chosenEntry?.exchange.rip)
        case .vcpus:
            let number = vcpuCursor ?? snapshot?.current
            return goToCode(snapshot?.vcpus.first { $0.number == number }?.rip)
        case .registers, .code, .ghcb, .console, .memory:
            say("o goes from a finding to its VMGEXIT, and from a VMGEXIT or vCPU to its code")
            return []
        }
    }

    private mutating func goToExit() -> [Effect] {
        guard let record = findings.chosenEntry else { return [] }
        guard let sequence = record.finding.sequence else {
            return goToCode(record.finding.rip)
        }
        guard log.entries.contains(where: { $0.number == sequence }) else {
            complain("VMGEXIT #\(sequence) is no longer in the log")
            return []
        }
        if !log.shown.contains(where: { $0.number == sequence }) { log.filter = nil }
        log.chosen = sequence
        return focus(on: .log)
    }

    private mutating func goToCode(_ rip: Reading<GuestVirtualAddress>?) -> [Effect] {
        switch rip {
        case nil: return []
        case .hidden(let reason):
            complain("its RIP cannot be had: \(reason.sentence)")
            return []
        case .known(let address, _):
            showCode(at: address)
            return focus(on: .code)
        }
    }
}
