import DebugUI
import VCPUControl

/// The terminal interface, where the terminal can show it.
enum Interactive {
    /// Debugs a guest on the terminal until the user leaves.
    ///
    /// - Returns: `nil`, after a message, where the session has to go on in batch.
    static func run(
        _ configuration: SessionConfiguration, ascii: Bool, usesColor: Bool
    ) -> ProgramStatus? {
        let symbols = configuration.image.symbols.symbols.map(\.name)
        let options = TerminalOptions(usesColor: usesColor, isASCII: ascii) { line in
            CommandTable.completions(of: line, symbols: symbols)
        }
        switch TerminalProgram.run(options, makeSession: { try Session(configuration) }) {
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
        StandardError.message(EscapedText.line(error.message))
        return ProgramStatus(error)
    }
}
