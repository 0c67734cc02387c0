package import VCPUControl

/// What the command line says about the terminal.
package struct TerminalOptions: Sendable {
    /// Where the terminal has colours; the caller has asked `--color` and `NO_COLOR`.
    package var usesColor: Bool
    /// Draw lines with ASCII even where the locale has UTF-8.
    package var isASCII: Bool
    /// The symbols that a command line is completed with.
    package var symbols: [String] = []
    /// The command lines of other times, oldest first.
    package var history: [String] = []
    /// What the user has to know at once.
    package var notice: String?
    /// Keeps a command line for the next time; says what is wrong where it cannot.
    package var remember: @Sendable (String) -> String? = { _ in nil }

    package init(usesColor: Bool = true, isASCII: Bool = false) {
        (self.usesColor, self.isASCII) = (usesColor, isASCII)
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
            var state = UIState(
                size: terminal.size, glyphs: glyphs, symbols: options.symbols,
                history: options.history)
            if let notice = options.notice { state.complain(notice) }
            var loop = TerminalLoop(terminal, engine, state, remember: options.remember)
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
