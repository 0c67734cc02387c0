package import VCPUControl

/// What the command line says about the terminal.
package struct TerminalOptions: Sendable {
    /// Where the terminal has colours; the caller has asked `--color` and `NO_COLOR`.
    package var usesColor: Bool
    /// Draw lines with ASCII even where the locale has UTF-8.
    package var isASCII: Bool
    /// What the last word of a command line may become.
    package var completions: @Sendable (String) -> [String]

    package init(
        usesColor: Bool = true, isASCII: Bool = false,
        completions: @escaping @Sendable (String) -> [String] = { _ in [] }
    ) {
        (self.usesColor, self.isASCII, self.completions) = (usesColor, isASCII, completions)
    }
}

/// The terminal from beginning to end.
package enum TerminalProgram {
    package enum Outcome: Sendable {
        /// The user has left; this is how the guest came to its end, the last time it did.
        case finished(End?)
        /// The session could not be made.
        case failed(any Error)
        /// There is no terminal to work on; no session was begun.
        case unusable(TerminalError)
    }

    /// Debugs a guest on the terminal until the user leaves; call it on the process's main thread.
    ///
    /// `makeSession` is called on the thread that has the session from then on.
    package static func run(
        _ options: TerminalOptions, makeSession: @escaping @Sendable () throws -> some DebugSession
    ) -> Outcome {
        do throws(TerminalError) {
            try NcursesTerminal.check()
            let signals = try SignalDescriptor()
            let engine = try SessionThread()
            do { try engine.start(makeSession) } catch { return .failed(error) }
            return .finished(try run(options, engine, signals))
        } catch {
            return .unusable(error)
        }
    }

    private static func run(
        _ options: TerminalOptions, _ engine: SessionThread, _ signals: consuming SignalDescriptor
    ) throws(TerminalError) -> End? {
        let end: End?
        do throws(TerminalError) {
            let terminal = try NcursesTerminal(signals: signals, usesColor: options.usesColor)
            let glyphs = terminal.isUTF8 && !options.isASCII ? Glyphs.unicode : .ascii
            var loop = TerminalLoop(
                terminal, engine,
                UIState(size: terminal.size, glyphs: glyphs, completions: options.completions))
            loop.run()
            terminal.close()
            end = loop.state.end
        } catch {
            _ = engine.close()
            throw error
        }
        let last = engine.close()
        return end ?? last.end
    }
}

extension [SessionEvent] {
    /// The last end among them.
    fileprivate var end: End? {
        for case .end(let end) in reversed() { return end }
        return nil
    }
}
