// What a vCPU does besides VMGEXIT: its entry, and its returns from #VC.

extension Linter {
    /// The arguments, and the alignment of the stack, that the GHCB setup did not preserve: one
    /// breach.
    static func lostArguments(
        _ expected: [Register: UInt64], _ found: RegisterFile
    ) -> [Breach] {
        var lost = Register.arguments.compactMap { register -> String? in
            guard let value = expected[register], value != found[register] else { return nil }
            return "\(register.name) is \(found[register].hex), not \(value.hex)"
        }
        if found[.rsp] & 15 != 8 { lost.append("rsp is \(found[.rsp].hex), not 8 modulo 16") }
        guard !lost.isEmpty else { return [] }
        return [Breach(.registersNotPreserved, "at the entry " + lost.joined(separator: ", "))]
    }

    /// An IRET whose stack pointer is at the error code takes that for RIP.
    mutating func judgeReturn(
        _ vcpu: Int, _ rip: GuestVirtualAddress, _ stack: GuestVirtualAddress,
        _ target: GuestVirtualAddress
    ) -> [Finding] {
        let frame = vcpus[vcpu]?.popFrame(at: stack)
        guard let frame, frame.isTaken(for: target) else {
            // The way back from a #VC: eight bytes above its error code.
            _ = vcpus[vcpu]?.popFrame(at: .init(stack.rawValue &- 8))
            return []
        }
        let moved = target.rawValue - frame.errorCode
        let fact =
            "IRET with rsp \(stack.rawValue.hex) goes to \(target.rawValue.hex),"
            + " the error code of #VC \(frame.errorCode.hex)" + (moved == 0 ? "" : " + \(moved)")
        return report([Breach(.vcFrameCorrupt, fact)], vcpu, rip)
    }
}
