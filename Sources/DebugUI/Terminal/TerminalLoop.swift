import VCPUControl

/// The one loop of the terminal: input and reports go into the state, the state becomes a frame.
package struct TerminalLoop<Screen: Terminal> {
    private let terminal: Screen
    private let engine: SessionThread
    package private(set) var state: UIState
    private var shown: Frame?
    private var isStale = true
    private var isOver = false
    /// When the command under way began, and when the guest was last looked at.
    private var began = ContinuousClock.now
    private var looked = ContinuousClock.now
    /// What keeps a command line for the next time; says what is wrong where it cannot.
    private let remember: @Sendable (String) -> String?

    /// How often a running guest's output is shown, in milliseconds.
    private let period: Int32 = 40
    /// How long a command has the loop for itself: keys typed ahead of its end wait, and a short
    /// one is never shown as running.
    private let grace: Int32 = 50
    /// Inputs that are taken without showing a frame in between.
    private let burst = 16

    package init(
        _ terminal: Screen, _ engine: SessionThread, _ state: UIState,
        remember: @escaping @Sendable (String) -> String? = { _ in nil }
    ) {
        (self.terminal, self.engine, self.state) = (terminal, engine, state)
        self.remember = remember
        self.state.size = terminal.size
    }

    /// Runs until the user quits or the terminal is gone.
    package mutating func run() {
        takeReport()
        while !isOver {
            show()
            wait()
            takeReport()
        }
    }

    private mutating func show() {
        guard isStale else { return }
        let frame = render(state, terminal.size)
        terminal.draw(FrameDiff(from: shown, to: frame))
        shown = frame
        isStale = false
    }

    private mutating func wait() {
        var milliseconds = state.isRunning ? period : nil
        for _ in 0..<burst {
            guard !isOver, let input = next(within: milliseconds) else { return }
            take(input)
            milliseconds = 0
        }
    }

    private func next(within milliseconds: Int32?) -> TerminalInput? {
        terminal.nextInput(or: engine.descriptor, within: milliseconds)
    }

    private mutating func take(_ input: TerminalInput) {
        switch input {
        case .key(let key): take(UIEvent.key(key))
        case .paste(let text): take(UIEvent.paste(text))
        case .click(let position): take(UIEvent.click(position))
        case .wheel(let position, let rows): take(UIEvent.wheel(position, rows: rows))
        case .interrupt: take(UIEvent.key(.control("c")))
        case .suspend: perform(.suspend)
        case .resized, .damaged: repaint()
        case .hangup: isOver = true
        }
    }

    private mutating func take(_ event: UIEvent) {
        isStale = true
        for effect in update(&state, event) { perform(effect) }
    }

    private mutating func perform(_ effect: Effect) {
        switch effect {
        case .command(let line):
            began = .now
            engine.submit(line)
            settle()
        case .look(let request):
            engine.look(request)
            settle()
        case .locate(let text):
            engine.locate(text)
            settle()
        case .remember(let line):
            if let problem = remember(line) { take(.notice(problem)) }
        case .interrupt: engine.interrupt()
        case .redraw: repaint()
        case .suspend:
            terminal.suspend()
            repaint()
        case .quit: isOver = true
        }
    }

    /// Writes everything anew, at the size that the terminal has now.
    private mutating func repaint() {
        terminal.clear()
        shown = nil
        take(.resize(terminal.size))
    }

    private mutating func settle() {
        engine.settle(milliseconds: grace)
        takeReport()
    }

    private mutating func takeReport() {
        let report = engine.take()
        if !report.events.isEmpty { take(.session(report.events)) }
        if let snapshot = report.snapshot {
            take(report.isFinished ? .finished(snapshot) : .looked(snapshot))
        }
        if let place = report.place { take(.located(place.text, place.address)) }
        if state.isRunning { look(report.progress) }
    }

    /// Shows what was seen of a running guest, and asks for the next look, once in a period.
    private mutating func look(_ progress: RunProgress?) {
        let now = ContinuousClock.now
        guard progress != nil || now - looked >= .milliseconds(Int(period)) else { return }
        looked = now
        take(.running(progress, elapsed: now - began))
        engine.requestLook()
    }
}
