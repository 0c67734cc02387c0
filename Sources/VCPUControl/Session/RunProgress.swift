import Synchronization

/// A guest that runs, at one moment.
package struct RunProgress: Sendable, Equatable {
    /// How much of a command that has an end in sight is done.
    package struct Extent: Sendable, Equatable {
        package var done: UInt64
        /// Never 0.
        package var total: UInt64

        /// 0…1.
        package var fraction: Double { min(1, Double(done) / Double(total)) }
    }

    package var vcpus: [Snapshot.VCPU]
    /// The vCPU that the command is about.
    package var current: Int
    /// Of all vCPUs since launch.
    package var instructions: InstructionCount
    package var vmgexits: Int
    /// `nil` where nobody knows the end.
    package var extent: Extent?
    /// The setup of a run that `compare` makes; `nil` for the user's own guest.
    package var compared: GHCBSetup?
}

/// Where a running session leaves its progress for another thread: the newest, once.
package final class ProgressBoard: Sendable {
    private let newest = Mutex<RunProgress?>(nil)

    package init() {}

    func post(_ progress: RunProgress) { newest.withLock { $0 = progress } }

    /// What has been left since the last time.
    package func take() -> RunProgress? {
        newest.withLock { newest in
            defer { newest = nil }
            return newest
        }
    }
}

extension Session {
    /// Shows how far the command under way has come.
    func postProgress() {
        guard let run = activity else { return }
        progressBoard.post(
            RunProgress(
                vcpus: (0..<machine.vcpuCount).map(vcpu), current: run.vcpu,
                instructions: instructionCount, vmgexits: exchanges.count, extent: extent(of: run),
                compared: run.budget == nil ? nil : options.setup))
    }

    private func extent(of run: Run) -> RunProgress.Extent? {
        if let budget = run.budget {
            return budget.extent(max(instructions, unwatched), exchanges.count)
        }
        let left = Run.distance(run.goal, machine.instructions(of: run.vcpu)) ?? 0
        guard let total = run.total, total > 0 else { return nil }
        return .init(done: total - min(total, left), total: total)
    }
}

extension RunBudget {
    /// What is spent of the scarcer of the two.
    fileprivate func extent(_ instructions: UInt64, _ vmgexits: Int) -> RunProgress.Extent {
        let both: [RunProgress.Extent] = [
            .init(done: instructions, total: max(1, self.instructions)),
            .init(done: UInt64(vmgexits), total: UInt64(max(1, self.vmgexits))),
        ]
        return both[0].fraction >= both[1].fraction ? both[0] : both[1]
    }
}
