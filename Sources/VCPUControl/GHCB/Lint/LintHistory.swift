/// What the rules remember of one vCPU.
struct VCPUHistory: Sendable {
    /// A #VC that was delivered and not returned from.
    struct VCFrame: Sendable {
        let errorCode: UInt64
        let place: GuestVirtualAddress

        /// Whether this is the error code, or what a handler makes of it that moves what it takes
        /// for RIP past the instruction.
        func isTaken(for target: GuestVirtualAddress) -> Bool {
            target.rawValue >= errorCode && target.rawValue - errorCode <= Self.longestInstruction
        }

        private static let longestInstruction: UInt64 = 15
    }

    /// A WRMSR to the GHCB MSR.
    struct MSRWrite: Sendable {
        let value: UInt64
        let rip: GuestVirtualAddress
    }

    /// An answer other than 0 that the guest has not looked at.
    struct Unread: Sendable {
        let sequence: Int
        let rip: Reading<GuestVirtualAddress>
        let fact: String
    }

    /// Answers that the MSR held: a guest may save and restore one.
    private(set) var answers: [UInt64] = []
    /// A wrong value of the MSR that was reported, and what became of it since: one error.
    private(set) var condemned: [UInt64] = []
    var pendingTermination: MSRWrite?
    var unread: Unread?
    /// Whether the last exchange was a ucall by string OUT.
    var hasSentUcall = false
    /// The page in which the hypervisor answered last.
    var answeredPage: UInt64?
    private(set) var frames: [VCFrame] = []

    mutating func keep(answer: UInt64) {
        guard !answers.contains(answer) else { return }
        answers.append(answer)
        if answers.count > 16 { answers.removeFirst() }
    }

    /// A new value is in the MSR; what was wrong with the old one is over.
    mutating func condemn(_ values: [UInt64]) { condemned = values }

    /// The hypervisor put another value over a condemned one.
    mutating func condemn(answer: UInt64) {
        if condemned.count < 16, !condemned.contains(answer) { condemned.append(answer) }
    }

    mutating func push(_ frame: VCFrame) {
        frames.removeAll { $0.place == frame.place }
        frames.append(frame)
        if frames.count > 32 { frames.removeFirst() }
    }

    /// Takes the frames away that an IRET with this stack pointer leaves.
    mutating func popFrame(at place: GuestVirtualAddress) -> VCFrame? {
        guard let index = frames.lastIndex(where: { $0.place == place }) else { return nil }
        defer { frames.removeSubrange(index...) }
        return frames[index]
    }
}

/// What the rules remember of one GHCB page.
struct PageHistory: Sendable {
    /// The page as the guest found it after the last exchange.
    var response: GHCBPage
    var code: ExitCode
    var info1: UInt64
    var vcpu: Int
    /// The bits that the guest is known to set itself where it marks too much.
    var selfMarked = ValidBitmap()
}
