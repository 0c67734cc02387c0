import DebugUI
import VCPUControl

/// The terminal interface, where the terminal can show it.
enum Interactive {
    /// Debugs a guest on the terminal until the user leaves.
    ///
    /// - Returns: `nil`, after a message, where the session has to go on in batch.
    static func run(
        _ configuration: SessionConfiguration, _ options: TerminalOptions
    ) -> ProgramStatus? {
        let symbols = configuration.image.symbols.symbols.map(\.name)
        return run(options, symbols: symbols) { try Session(configuration) }
    }

    /// The same with whatever makes the session, on its own thread.
    static func run(
        _ options: TerminalOptions, symbols: [String] = [],
        makeSession: @escaping @Sendable () throws -> Session
    ) -> ProgramStatus? {
        var options = options
        options.symbols = symbols
        options.keep(HistoryFile.standard)
        switch TerminalProgram.run(options, makeSession: makeSession) {
        case .finished(let end): return end.map(ProgramStatus.init) ?? .ok
        case .failed(let error): return failed(error)
        case .unusable(let error):
            StandardError.message("\(error); going on in batch")
            return nil
        }
    }

    private static func failed(_ error: any Error) -> ProgramStatus {
        guard let error = error as? SessionError else {
            StandardError.message("\(error)")
            return .commandFailed
        }
        StandardError.message(error.message)
        return ProgramStatus(error)
    }
}

extension TerminalOptions {
    /// Takes the history from its file, and keeps it there.
    ///
    /// What is wrong with the file is said once.
    fileprivate mutating func keep(_ file: HistoryFile?) {
        guard let file else {
            notice = notice ?? "the history is not kept: set HOME or XDG_STATE_HOME to a directory"
            return
        }
        do throws(HistoryError) {
            history = try file.lines(UIState.historyLimit)
            let keeper = HistoryKeeper(file)
            remember = { keeper.keep($0) }
        } catch { notice = notice ?? error.message }
    }
}
