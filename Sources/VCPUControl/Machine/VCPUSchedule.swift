/// How the vCPUs of a VM share the host's time.
package enum VCPUSchedule: String, Sendable, CaseIterable {
    /// One after the other, on the thread that runs the machine.
    case turns
    /// At the same time, each on a thread of its own, as a VMM runs them.
    case threads

    var text: String {
        switch self {
        case .turns: "in turns"
        case .threads: "at the same time, on a thread each"
        }
    }
}
