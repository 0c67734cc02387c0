import Testing

@testable import DebugUI
@testable import VCPUControl

@Suite("update: commands, from the line to the answer")
struct CommandUpdateTests {
    private func after(_ events: [UIEvent], vcpus: Int = 1) -> (effects: [Effect], state: UIState) {
        Story.after(events, vcpus: vcpus)
    }

    // MARK: Setups

    @Test("m leaves out the setups that the machine cannot have")
    func setups() {
        var snapshot = Story.snapshot()
        snapshot.setups = [.pool, .trampoline]
        #expect(after([.finished(snapshot), .key("m")]).effects == [.command("ghcb pool")])
    }

    private func message(_ relaunch: Relaunch) -> UIState.Message? {
        let result = CommandResult(command: "ghcb pool", outcome: .success(.relaunched(relaunch)))
        return after([.session([.result(result)])]).state.message
    }

    @Test("a relaunch says what became of the breakpoints")
    func relaunched() {
        var relaunch = Relaunch(setup: .pool, previous: .trampoline, kept: 2, lost: [])
        let sentence = "relaunched under pool; 2 breakpoints kept; was trampoline"
        #expect(message(relaunch) == .init(text: sentence, isError: false))
        relaunch.limit = "kvm cannot preset it"
        #expect(message(relaunch)?.text == sentence + "; kvm cannot preset it")
        relaunch.lost = [
            Breakpoint(
                number: 3, place: .address(.init(0x1000), expression: nil), symbol: "gone")
        ]
        #expect(
            message(relaunch)
                == .init(
                    text: sentence
                        + "; breakpoint 3 is disabled: there is no gone under pool;"
                        + " kvm cannot preset it", isError: true))
    }

    @Test("a comparison opens, unless a line is being typed; an interrupted one is only said")
    func comparison() {
        let result = Story.compared(Story.differing)
        let (_, state) = after([.session([result])])
        #expect(state.mode == .comparison(ComparisonPage(Story.differing)))
        #expect(after([.session([result]), .key(.escape)]).state.mode == .normal)
        let typing = after([.key(":"), .session([result])]).state
        #expect(typing.mode == .commandLine(CommandInput()) && typing.answer != nil)
        var interrupted = Story.differing
        interrupted.left.run = .success(Story.setupRun(ending: .interrupted))
        let said = after([.session([Story.compared(interrupted)])]).state
        #expect(said.mode == .normal && said.message?.text == "the comparison was interrupted")
    }

    @Test("n and N go from difference to difference, and stop at both ends")
    func differences() {
        func row(_ keys: String) -> Int? {
            let (_, state) = after(
                [.session([Story.compared(Story.differing)])] + Story.keys(keys))
            guard case .comparison(let page) = state.mode else { return nil }
            return page.currentRow
        }
        let first = row("n")
        #expect(first != nil && row("nn") != first)
        #expect(row("nnN") == first && row("nN") == first)
        #expect(row("nnnnnn") == row("N"))
    }

    // MARK: The command line

    @Test("what was wrong with a line stays in sight while the next one is written")
    func failedLine() {
        let failure = CommandFailure("there is no command `brk`; `help` lists the commands")
        let result = CommandResult(command: "brk", outcome: .failure(failure))
        let events =
            Story.keys(":brk") + [
                .key(.enter), .session([.result(result)]), .finished(Story.snapshot()), .key(":"),
                .key(.up),
            ]
        let (_, state) = after(events)
        guard case .commandLine(let line) = state.mode else {
            Issue.record("no command line")
            return
        }
        #expect(line.editor.text == "brk")
        #expect(state.message?.text == failure.message)
        #expect(after(events + [.key(.escape)]).state.message == nil)
    }

    @Test("a line that is repeated is kept once; every spelling of quit asks")
    func lines() {
        func line(_ text: String) -> [UIEvent] { Story.keys(":" + text) + [.key(.enter)] }
        #expect(
            after(line("info ghcb")).effects == [.command("info ghcb"), .remember("info ghcb")])
        let again = after(line("si") + [.finished(Story.snapshot())] + line("si"))
        #expect(again.effects == [.command("si")])
        for word in ["q", "quit", "qui", "exit"] {
            #expect(after(line(word)).state.mode == .quitQuestion)
        }
    }

    @Test("Tab shows the words, Esc hides them and then leaves the line")
    func menu() {
        func state(_ keys: [Key]) -> UIState {
            after(Story.keys(":until print") + keys.map { .key($0) }).state
        }
        guard case .commandLine(let line) = state([.tab]).mode else {
            Issue.record("no command line")
            return
        }
        #expect(line.menu?.words == ["print_hex", "print_line"])
        guard case .commandLine(let closed) = state([.tab, .tab, .escape]).mode else {
            Issue.record("no command line")
            return
        }
        #expect(closed.menu == nil && closed.editor.text == "until print_hex")
        #expect(state([.tab, .escape, .escape]).mode == .normal)
    }

    // MARK: Running

    @Test("the rate is that of the last second, and begins anew with another guest")
    func rate() {
        var run = RunSamples()
        run.take(Story.progress(instructions: 1000), at: .milliseconds(0))
        #expect(run.rate == nil)
        for tick in 1...40 {
            run.take(
                Story.progress(instructions: 1000 + UInt64(tick) * 4_000_000),
                at: .milliseconds(40 * tick))
        }
        #expect(run.rate == 100_000_000)
        run.take(Story.progress(instructions: 500, compared: .pool), at: .seconds(2))
        #expect(run.rate == nil && run.guest == nil)
        run.take(nil, at: .seconds(3))
        #expect(run.elapsed == .seconds(3) && run.count == 42)
    }

    @Test("counts are shortened to three digits")
    func short() {
        let counts: [(UInt64, String)] = [
            (0, "0"), (999, "999"), (1000, "1.0 k"), (98_760_000, "98.7 M"),
            (104_200_000, "104 M"), (1_500_000_000, "1.5 G"), (.max, "18446744 T"),
        ]
        for (count, text) in counts { #expect(RunningView.short(count) == text) }
    }

    @Test("the vCPUs that others look at are those of the running guest, not of a comparison")
    func live() {
        let progress = Story.progress(vcpus: 2)
        let running = after([.key("c"), .running(progress, elapsed: .zero)], vcpus: 2).state
        #expect(running.snapshot?.vcpus == progress.vcpus)
        let other = Story.progress(vcpus: 2, compared: .pool)
        let comparing = after([.key("d"), .running(other, elapsed: .zero)], vcpus: 2).state
        #expect(comparing.snapshot?.vcpus != other.vcpus)
    }
}
