package import VCPUControl

/// Which registers differ from the stop before, for each vCPU.
package struct RegisterChanges: Sendable, Equatable {
    private struct Values: Sendable, Equatable {
        var registers: RegisterFile?
        var system: SystemRegisters?
    }

    /// By vCPU: at the stop before the last, and as last seen.
    private var before: [Int: Values] = [:]
    private var seen: [Int: Values] = [:]
    /// Whether the guest has run since the last snapshot.
    private var hasRun = false

    package init() {}

    /// Notes that the values of the next snapshot belong to a new stop.
    package mutating func guestRan() { hasRun = true }

    package mutating func take(_ snapshot: Snapshot) {
        if hasRun { before = seen }
        hasRun = false
        seen[snapshot.current] = Values(
            registers: snapshot.registers.value, system: snapshot.system.value)
    }

    /// The registers of a vCPU at the stop before; `nil` where they were not seen.
    package func registers(of vcpu: Int) -> RegisterFile? { before[vcpu]?.registers }
    package func system(of vcpu: Int) -> SystemRegisters? { before[vcpu]?.system }
}
