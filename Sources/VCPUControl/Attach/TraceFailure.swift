/// Why tracing cannot go on.
enum TraceFailure: Error, Equatable {
    /// A vCPU's thread has ended, with this status of wait(2); `nil` while it is dying.
    case ended(status: Int32?)
    /// The debugger is gone, or a signal asks the tracer to leave.
    case leave
    /// The sentence for the user.
    case refused(String)
}
