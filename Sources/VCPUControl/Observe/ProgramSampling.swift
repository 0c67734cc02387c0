/// Attaches the programs that would be too dear for a busy VMM: those that see the end of an exit, and
/// what it reached for.
///
/// Each costs as much as counting does. A VMM with few exits has them all the time, another one for
/// 20 ms of each second: observing then takes about 2 % of its exits (`make bench`).
struct ProgramSampling {
    private static let programs = [
        "enter_guest", "leave_userspace", "access_port", "access_mmio", "access_msr",
    ]
    /// Exits of one thread in a second from which on a VMM is busy.
    private static let busyRate: UInt64 = 20_000

    private var links: [BPFObject.Link] = []
    /// Until the first second has shown otherwise.
    private var isBusy = true
    private var second = 0
    private var exits: [UInt32: UInt64] = [:]
    private var last = Duration.zero
    private var attached = Duration.zero

    /// Attaches or detaches them, as the time wants it.
    ///
    /// - Parameters:
    ///   - object: what has the programs.
    ///   - elapsed: since the start.
    ///   - threads: what the threads did; asked once a second.
    mutating func update(
        _ object: borrowing BPFObject, elapsed: Duration, threads: () -> [VCPUActivity]
    ) {
        if !links.isEmpty { attached += elapsed - last }
        last = elapsed
        let second = Int(elapsed / .seconds(1))
        if second != self.second {
            self.second = second
            judge(threads())
        }
        let isTime = !isBusy || Int(elapsed / .milliseconds(20)) % 50 == 0
        guard isTime == links.isEmpty else { return }
        for link in links { object.detach(link) }
        // What can be attached once can be again, unless the kernel has no memory: then nothing is.
        links = isTime ? Self.programs.compactMap { try? object.attach($0) } : []
    }

    /// Whether they are attached for a moment, and nobody may wait longer than that.
    var isBrief: Bool { isBusy && !links.isEmpty }

    /// The part of the time in which they were attached, 0…1.
    func share(of elapsed: Duration) -> Double {
        elapsed > .zero ? min(attached / elapsed, 1) : 0
    }

    private mutating func judge(_ threads: [VCPUActivity]) {
        isBusy = threads.contains { $0.exits &- (exits[$0.thread] ?? 0) >= Self.busyRate }
        exits = Dictionary(threads.map { ($0.thread, $0.exits) }, uniquingKeysWith: { $1 })
    }
}

extension VCPUActivity {
    /// All exits, of both kinds.
    fileprivate var exits: UInt64 {
        (hardware + userspace).reduce(0) { $0 &+ $1.count }
    }
}
