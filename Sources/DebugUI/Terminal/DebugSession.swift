package import VCPUControl

/// A debugging session as the terminal drives it; one thread has it from its making to its end.
package protocol DebugSession: SendableMetatype {
    /// Begins a command; a line that is none gives a result with a failure.
    func submit(_ line: String)
    /// Runs until the next event; `nil`: the command is over.
    func next() -> SessionEvent?
    /// All that the screen shows of the guest as it stands, and what it asks for besides.
    func snapshot(_ request: SnapshotRequest) -> Snapshot
    /// The address that an expression means on the current vCPU, as `x` takes it.
    func locate(_ text: String) -> Result<GuestVirtualAddress, CommandFailure>
    /// Makes a running guest stop; any thread may raise it.
    var interruptFlag: InterruptFlag { get }
    /// Where a running guest is shown to whoever asked the flag for a look.
    var progressBoard: ProgressBoard { get }
}

extension Session: DebugSession {}
