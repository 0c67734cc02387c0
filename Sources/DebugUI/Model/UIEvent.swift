package import VCPUControl

/// Everything that can change what the terminal shows.
package enum UIEvent: Sendable, Equatable {
    case key(Key)
    /// Text that came as one piece; it is never taken for keys.
    case paste(String)
    case resize(Size)
    /// A press of the mouse's first button.
    case click(Position)
    /// A turn of the mouse's wheel by a number of rows, downwards.
    case wheel(Position, rows: Int)
    /// What the session reported since the last time.
    case session([SessionEvent])
    /// A command goes on: the guest where it could be seen, and the time since it began.
    case running(RunProgress?, elapsed: Duration)
    /// Something outside the session that the user has to know.
    case notice(String)
    /// The command is over, and this is how the guest stands.
    case finished(Snapshot)
    /// The guest as it stands, seen as `Effect.look` asked.
    case looked(Snapshot)
    /// Where the expression of `Effect.locate` leads.
    case located(String, Result<GuestVirtualAddress, CommandFailure>)
}

/// What has to be done outside the state.
package enum Effect: Sendable, Equatable {
    /// Hand a line to the session.
    case command(String)
    /// Keep a command line for the next time.
    case remember(String)
    /// Look at the guest that stands still, and here from now on.
    case look(SnapshotRequest)
    /// Ask where an expression leads.
    case locate(String)
    /// Ask the running guest to stop.
    case interrupt
    /// Write the whole screen anew.
    case redraw
    /// Give the terminal back to the shell until the user returns.
    case suspend
    case quit
}
