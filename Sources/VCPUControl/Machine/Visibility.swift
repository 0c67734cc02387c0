/// What the emulator lets the host see.
package enum Visibility: String, CaseIterable, Sendable {
    /// Everything: registers, private memory, stepping.
    case full
    /// Exactly what SEV-ES hardware lets a host see (REFERENCE 5c).
    case hardware
}
