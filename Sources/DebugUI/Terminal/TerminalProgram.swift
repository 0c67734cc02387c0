package import VCPUControl

/// What the command line and the configuration say about the terminal.
package struct TerminalOptions: Sendable {
    /// Where the terminal has colours; the caller has asked `--color` and `NO_COLOR`.
    package var usesColor = true
    package var theme = Theme.default
    /// Draw lines with ASCII even where the locale has UTF-8.
    package var isASCII = false
    /// Take clicks and the wheel; the terminal's own selection then needs Shift.
    package var usesMouse = false
    package var keyMap = KeyMap()
    /// The pane that has the keys first, and whether it has the screen alone.
    package var focus = Pane.code
    package var isZoomed = false
    /// The symbols that a command line is completed with.
    package var symbols: [String] = []
    /// The command lines of other times, oldest first.
    package var history: [String] = []
    /// What the user has to know at once.
    package var notice: String?
    /// Keeps a command line for the next time; says what is wrong where it cannot.
    package var remember: @Sendable (String) -> String? = { _ in nil }

    package init() {}

    fileprivate func state(_ size: Size, isUTF8: Bool) -> UIState {
        let glyphs = isUTF8 && !isASCII ? Glyphs.unicode : .ascii
        var state = UIState(
            size: size, glyphs: glyphs, keyMap: keyMap, symbols: symbols, history: history)
        (state.focus, state.isZoomed) = (focus, isZoomed)
        if let notice { state.complain(notice) }
        return state
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
        let (end, last): (End?, [SessionEvent])
        do throws(TerminalError) {
            let terminal = try NcursesTerminal(options, signals: signals)
            let state = options.state(terminal.size, isUTF8: terminal.isUTF8)
            var loop = TerminalLoop(terminal, engine, state, remember: options.remember)
            loop.run()
            // Until the guest is gone, keys must not be those of the shell.
            (end, last) = (loop.state.end, engine.close())
            terminal.close()
        } catch {
            _ = engine.close()
            throw error
        }
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
