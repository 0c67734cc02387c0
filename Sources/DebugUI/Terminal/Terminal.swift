/// Something that shows frames and has keys: a real terminal, or a script in a test.
///
/// Not thread safe; the program's main thread has it.
package protocol Terminal: AnyObject {
    /// The size in character cells, as of the last `.resized`.
    var size: Size { get }

    /// Writes what has changed since the frame before.
    func draw(_ diff: FrameDiff)

    /// Waits until there is something from the user, the descriptor is readable, or time is over.
    ///
    /// Without a time it waits for ever. Returns one input, `nil` where there is none.
    func nextInput(or descriptor: Int32, within milliseconds: Int32?) -> TerminalInput?

    /// Makes the next `draw` start on an empty screen.
    func clear()

    /// Gives the terminal back to the shell, stops the process, and takes the terminal again.
    func suspend()
}

/// What comes from the user's side.
package enum TerminalInput: Sendable, Equatable {
    case key(Key)
    case paste(String)
    case click(Position)
    /// A turn of the wheel by a number of rows, downwards.
    case wheel(Position, rows: Int)
    case resized
    /// The terminal shows something else: everything has to be written anew.
    case damaged
    /// Somebody sent SIGINT.
    case interrupt
    /// Somebody sent SIGTSTP.
    case suspend
    /// The terminal is gone.
    case hangup
}

/// Why there is no terminal to work on: a reason to go on in batch.
package enum TerminalError: Error, Sendable, Equatable, CustomStringConvertible {
    case noTerminal
    case unknown(term: String)
    case incapable(term: String)
    case notOpened
    case noDescriptor(errno: Int32)
    case noThread(errno: Int32)

    package var description: String {
        switch self {
        case .noTerminal:
            "cannot use the screen: stdin or stdout is no terminal"
        case .unknown(""):
            "cannot use the screen: TERM is not set; set it to your terminal's name"
        case .unknown(let term):
            "cannot use the screen: no terminal is described as TERM=\(term.debugDescription); "
                + "set TERM to one that `infocmp` knows"
        case .incapable(let term):
            "cannot use the screen: the terminal cannot place its cursor [TERM=\(term)]; "
                + "set TERM to its real name"
        case .notOpened:
            "cannot use the screen: ncurses cannot open the terminal; is `stty size` sensible?"
        case .noDescriptor(let errno):
            "cannot use the screen: no descriptor to wait on (errno \(errno)); "
                + "raise the limit of open files"
        case .noThread(let errno):
            "cannot use the screen: no thread for the session (errno \(errno)); "
                + "raise the limit of processes"
        }
    }
}
