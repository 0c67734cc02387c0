/// Whose turn it is among the vCPUs of a VM: round robin, a fixed quantum of instructions each.
///
/// The position survives between runs, so many short runs interleave as one long run does.
struct Scheduler {
    /// Instructions in a row before the next vCPU has its turn.
    static let quantum: UInt64 = 1000

    private(set) var turn = 0
    private(set) var left = Scheduler.quantum

    /// Accounts for what the vCPU at turn has executed; nothing at all gives the turn away too.
    mutating func spend(_ executed: UInt64, of count: Int) {
        left -= min(left, executed)
        if left == 0 || executed == 0 { pass(of: count) }
    }

    /// Gives the turn to the next vCPU.
    mutating func pass(of count: Int) {
        turn = turn + 1 < count ? turn + 1 : 0
        left = Self.quantum
    }
}

/// What the vCPUs of a VM are doing, and beside it the two answers that each step asks for.
struct Activities {
    private var all: [Activity]
    private var running: [Bool]
    /// Whether some exchange or shutdown has to be gone on with before the next instruction.
    private(set) var hasUnfinished = false

    init(count: Int) {
        all = Array(repeating: .running, count: count)
        running = Array(repeating: true, count: count)
    }

    subscript(number: Int) -> Activity {
        get { all[number] }
        set {
            all[number] = newValue
            running[number] = newValue.isRunning
            hasUnfinished = all.contains(where: \.isUnfinished)
        }
    }

    func isRunning(_ number: Int) -> Bool { running[number] }

    mutating func endAll() { for number in all.indices { self[number] = .ended } }
}

/// What a vCPU of the emulator is doing, beyond its registers.
enum Activity {
    case running
    /// HLT with no interrupt that could end it.
    case halted
    /// An AP reset hold that waits for a SIPI.
    case held
    /// Userspace has to answer a port or memory access of so many bytes.
    case waiting(bytes: Int)
    /// The access was answered; the exchange goes on from here with the next run.
    case answered(HypervisorModel.Step)
    /// An injected exception could not be delivered: the next run reports the shutdown.
    case failed(String)
    /// The VM is over.
    case ended

    fileprivate var isRunning: Bool {
        if case .running = self { true } else { false }
    }

    fileprivate var isUnfinished: Bool {
        switch self {
        case .waiting, .answered, .failed: true
        case .running, .halted, .held, .ended: false
        }
    }
}
