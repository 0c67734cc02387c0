@testable import DebugUI
@testable import VCPUControl

/// A session without a machine: it walks through the story's code, and `continue` never ends.
final class FakeSession: DebugSession {
    let interruptFlag = InterruptFlag()
    let progressBoard = ProgressBoard()
    private var events: [SessionEvent] = [.launch(Story.launch())]
    private var position = 0
    private var exits = 0
    private var breakpoints: Set<UInt64> = []
    private var isRunning = false
    /// Called with each line: tests note it, the trial program dies of it.
    private let onCommand: @Sendable (String) -> Void

    init(onCommand: @escaping @Sendable (String) -> Void = { _ in }) {
        self.onCommand = onCommand
    }

    private var rip: UInt64 { Story.code[position].address.rawValue }

    func submit(_ line: String) {
        onCommand(line)
        let words = line.split(separator: " ").map(String.init)
        switch words.first {
        case "stepi", "nexti": step()
        case "vmgexit":
            exit()
            step()
        case "continue": isRunning = true
        case "break", "clear": toggle(words.last ?? "")
        case "text":
            let answer = CommandAnswer.text((1...40).map { "line \($0) of \(line)" })
            events.append(.result(.init(command: line, outcome: .success(answer))))
        case "quit": events.append(.end(Story.end(.quit)))
        default:
            let failure = CommandFailure("there is no command `\(line)`")
            events.append(.result(.init(command: line, outcome: .failure(failure))))
        }
    }

    private func step() {
        position = (position + 1) % Story.code.count
        events.append(.stop(Story.stop(.step, rip: rip)))
    }

    private func exit() {
        exits += 1
        let exchange = [Story.cpuid, Story.print, Story.malformed, Story.sevInfo][exits % 4]
        events.append(.vmgexit(sequence: exits, exchange))
        if exits % 1000 == 0 { events.append(.console(vcpu: 0, bytes: Array("\(exits)\n".utf8))) }
    }

    private func toggle(_ text: String) {
        guard let address = UInt64(text.dropFirst(2), radix: 16) else { return }
        if breakpoints.remove(address) == nil { breakpoints.insert(address) }
    }

    func next() -> SessionEvent? {
        if events.isEmpty, isRunning {
            if interruptFlag.take() {
                isRunning = false
                events.append(.stop(Story.stop(.interrupted, rip: rip)))
            } else {
                if interruptFlag.takeLook() { progressBoard.post(Story.progress(exits)) }
                exit()
            }
        }
        return events.isEmpty ? nil : events.removeFirst()
    }

    func snapshot(_ request: SnapshotRequest) -> Snapshot {
        let snapshot = Story.snapshot(
            rip: rip, rax: UInt64(position), breakpoints: breakpoints, vmgexits: exits)
        return StoryMemory.answer(request, snapshot)
    }

    func locate(_ text: String) -> Result<GuestVirtualAddress, CommandFailure> {
        StoryMemory.locate(text)
    }
}
