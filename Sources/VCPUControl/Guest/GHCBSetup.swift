/// How a vCPU gets its GHCB (DESIGN 3).
package enum GHCBSetup: String, CaseIterable, Sendable {
    /// The guest takes an entry of a shared pool, and gives it back at the end.
    case pool
    /// The host passes the GHCB in r15 and the entry in r14 to an assembly routine.
    case trampoline
    /// The host presets the GHCB MSR.
    case host

    /// The setup that the terminal's `m` switches to.
    package var next: GHCBSetup {
        switch self {
        case .pool: .trampoline
        case .trampoline: .host
        case .host: .pool
        }
    }
}
