import VCPUControl

/// Takes one event into the state.
///
/// - Returns: what has to be done outside it, in order.
package func update(_ state: inout UIState, _ event: UIEvent) -> [Effect] {
    let effects = state.take(event)
    state.keepCode()
    return effects + state.look()
}

extension UIState {
    fileprivate mutating func take(_ event: UIEvent) -> [Effect] {
        switch event {
        case .key(let key): return press(key)
        case .paste(let text): paste(text)
        case .resize(let size): self.size = size
        case .click(let position): click(position)
        case .wheel(let position, let rows): turnWheel(at: position, rows: rows)
        case .session(let events): for event in events { receive(event) }
        case .running(let progress, let elapsed): receive(progress, at: elapsed)
        case .notice(let text): complain(text)
        case .finished(let snapshot):
            isRunning = false
            receive(snapshot)
        case .looked(let snapshot): receive(snapshot)
        case .located(let text, let place): go(to: place, text)
        }
        return []
    }

    mutating func receive(_ event: SessionEvent) {
        switch event {
        case .launch(let launch): begin(launch)
        case .vmgexit(let sequence, let exchange):
            log.append(.init(sequence: sequence, exchange: exchange))
            changes.guestRan()
        case .finding(let finding): receive(finding)
        case .stop(let stop): receive(stop)
        case .exit(let exit):
            console.append(Array((exit.line + "\n").utf8), vcpu: exit.vcpu)
            changes.guestRan()
        case .console(let vcpu, let bytes): console.append(bytes, vcpu: vcpu)
        case .result(let result): receive(result)
        case .end(let end):
            self.end = end
            changes.guestRan()
        }
    }

    private mutating func begin(_ launch: Launch) {
        self.launch = launch
        (stop, end, snapshot) = (nil, nil, nil)
        changes = Changes()
        log.clear()
        findings.clear()
        console.clear()
        resetCursors()
        memory.start = nil
        for pane in Pane.allCases { scroll[pane.rawValue] = ScrollPosition() }
    }

    /// Back to RIP, the last exchange and the current vCPU.
    mutating func resetCursors() {
        (codeCursor, codePlace, vcpuCursor) = (nil, nil, nil)
        (log.chosen, findings.chosen) = (nil, nil)
        for pane in Pane.allCases { scroll[pane.rawValue].hit = nil }
    }

    private mutating func receive(_ finding: Finding) {
        findings.append(finding)
        switch finding.severity {
        // The message begins with the word itself.
        case .error: complain(String(finding.line.dropFirst("error ".count)))
        case .warning, .note: say(finding.line)
        }
    }

    private mutating func receive(_ stop: Stop) {
        self.stop = stop
        resetCursors()
        changes.guestRan()
        guard let detail = stop.detail else { return }
        switch stop.reason {
        case .terminated, .shutdown, .unimplemented: complain(detail)
        default: say(detail)
        }
    }

    private mutating func receive(_ result: CommandResult) {
        switch result.outcome {
        case .failure(let failure): complain(failure.message)
        case .success(.comparison(let comparison)) where mode == .normal:
            if comparison.isInterrupted { return say("the comparison was interrupted") }
            mode = .comparison(ComparisonPage(comparison))
        case .success(.relaunched(let relaunch)):
            relaunch.lost.isEmpty ? say(relaunch.sentence) : complain(relaunch.sentence)
        case .success(let answer):
            let lines = answer.lines
            if lines.count > 1 {
                self.answer = Answer(command: result.command, lines: lines)
            } else if let line = lines.first {
                say(line)
            }
        }
    }

    /// Shows a guest that runs; the vCPUs of a comparison are none of the user's guest.
    mutating func receive(_ progress: RunProgress?, at elapsed: Duration) {
        run.take(progress, at: elapsed)
        if let progress, progress.compared == nil { snapshot?.vcpus = progress.vcpus }
    }

    mutating func receive(_ snapshot: Snapshot) {
        if self.snapshot?.current != snapshot.current {
            (codeCursor, codePlace, vcpuCursor) = (nil, nil, nil)
        }
        (self.snapshot, asked) = (snapshot, nil)
        changes.take(snapshot)
    }
}
