/// What the run under way is about.
struct TracedRun {
    /// What a vCPU is doing, and what the end of it means.
    enum Goal: Equatable {
        case none
        /// Step to this count of steps.
        case steps(to: UInt64)
        /// Run free, over breakpoints of the processor.
        case free
        /// Step, and compare each address with the breakpoints, and watched memory with what it was.
        case compare
        /// One step off the instruction, then free.
        case stepOff
        /// A step under a breakpoint at the instruction itself: does it stop there?
        case probe
    }

    var scope = RunScope.all
    var breakpoints: Set<UInt64> = []
    var watched = WatchedMemory()
    var goals: [Goal] = []
    /// Whether the other vCPUs run on until the only one that is to run comes to its `KVM_RUN`.
    var isHelped = false
    /// Whether this KVM stops at breakpoints of the processor; `nil` until it has been tried.
    var hasHardwareBreakpoints: Bool?

    /// Whether a vCPU takes part.
    func includes(_ vcpu: Int) -> Bool {
        switch scope {
        case .all: true
        case .one(let number): number == vcpu
        }
    }
}
