import VCPUControl

/// The guest while it runs: what is sampled of it takes the place of what was true at the last stop.
enum RunningView {
    /// Turns with each look at the guest, so that it stands still where the guest cannot be seen.
    static func spinner(_ run: RunSamples) -> String {
        ["|", "/", "-", "\\"][run.count % 4]
    }

    /// Each vCPU: the one that the command is about marked, its state, where it was seen, and how
    /// many instructions it has executed.
    static func content(_ state: UIState, width: Int) -> PaneContent {
        let progress = state.run.guest
        let lines = (progress?.vcpus ?? []).flatMap { vcpu in
            let isCurrent = vcpu.number == progress?.current
            return self.lines(vcpu, isCurrent: isCurrent, isWide: width >= 36)
        }
        return PaneContent(
            title: "vCPUs", lines, top: state.scroll[Pane.registers.rawValue].top ?? 0)
    }

    private static func lines(
        _ vcpu: Snapshot.VCPU, isCurrent: Bool, isWide: Bool
    ) -> [StyledText] {
        var head = StyledText(isCurrent ? ">" : " ", .current)
        head.add("v\(vcpu.number) ".padded(4), .strong)
        head.add(vcpu.state.rawValue.padded(9))
        let place = vcpu.rip.map(\.rawValue).cellText
        let count = StyledText(vcpu.instructions.shortText, .dim)
        return isWide ? [head + place, indent + count] : [head, indent + place, indent + count]
    }

    private static let indent = StyledText("     ")

    /// What is known of the run, the most important first.
    static func facts(_ run: RunSamples) -> [String] {
        let seconds = "\(run.elapsed.components.seconds) s"
        guard let progress = run.progress else { return [seconds] }
        let rate = run.rate.map { [short($0) + "/s"] } ?? []
        let setup = progress.compared.map { [$0.rawValue] } ?? []
        return setup + [progress.instructions.shortText] + rate + ["\(progress.vmgexits) exits"]
            + [seconds]
    }

    /// A count with three digits and the letter of its magnitude.
    static func short(_ count: UInt64) -> String {
        var (unit, rest) = (UInt64(1), ["", " k", " M", " G", " T"])
        while count / unit >= 1000, rest.count > 1 {
            unit *= 1000
            rest.removeFirst()
        }
        let whole = count / unit
        let tenths = count % unit / max(1, unit / 10)
        return (unit > 1 && whole < 100 ? "\(whole).\(tenths)" : "\(whole)") + rest[0]
    }
}

extension Frame {
    /// The last row while a command is carried out: how to stop it, and how far it has come.
    mutating func drawRun(_ state: UIState, in area: Rect) {
        var line = StyledText("^C", .key) + StyledText(" interrupts", .dim)
        var room = area.columns
        if let extent = state.run.progress?.extent {
            let bar = Self.bar(extent.fraction, columns: area.columns / 5, state.glyphs)
            room -= bar.width + 1
            var place = area
            _ = place.takeLeft(room + 1)
            draw(bar, in: place)
        }
        for fact in RunningView.facts(state.run) where line.width + fact.utf8.count + 2 <= room {
            line.add("  " + fact)
        }
        draw(line, in: area)
    }

    private static func bar(_ fraction: Double, columns: Int, _ glyphs: Glyphs) -> StyledText {
        let done = Int(fraction * Double(columns))
        let bar =
            String(repeating: String(glyphs.full), count: done)
            + String(repeating: String(glyphs.empty), count: columns - done)
        return StyledText(bar, .title) + StyledText("\(Int(fraction * 100))%".rightAligned(5))
    }
}
