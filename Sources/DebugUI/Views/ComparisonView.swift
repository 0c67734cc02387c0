import VCPUControl

/// Two setups side by side: facts on top, below them what the vCPUs asked for.
///
/// `~` marks what differs, `-` what only the left has, `+` what only the right has.
enum ComparisonView {
    /// Where the parts of a row stand.
    struct Columns {
        let left: Rect
        let mark: Rect
        let right: Rect

        /// The first two columns are for the place of the user.
        init(_ line: Rect) {
            var line = line
            _ = line.takeLeft(2)
            left = line.takeLeft((line.columns - 3) / 2)
            mark = line.takeLeft(3)
            right = line
        }
    }

    static func title(_ page: ComparisonPage) -> String {
        let comparison = page.comparison
        let count = page.differences.count
        let differences = count == 1 ? "1 difference" : "\(count) differences"
        let exits = comparison.traces.isEmpty ? "" : " \(differences) in VMGEXITs"
        return "compare \(comparison.guest)  \(comparison.left.setup.rawValue) | "
            + "\(comparison.right.setup.rawValue) " + exits
    }

    static let keys = [
        ("n", "next difference"), ("N", "previous"), ("jk PgUp PgDn", "scroll"), ("hl", "sideways"),
        ("Esc", "closes"),
    ]
}

extension Frame {
    mutating func drawComparison(_ page: ComparisonPage, _ state: UIState) {
        var area = Rect(size)
        fill(area)
        let title = area.takeTop(1)
        fill(title, " ", .bar)
        draw(" " + ComparisonView.title(page), .barStrong, in: title)
        drawComparisonKeys(in: area.takeBottom(1))
        drawFacts(page, in: area.takeTop(Layout.comparisonFacts(page, in: size)))
        drawSides(page, state, in: area.takeTop(1), rows: area.rows)
        for index in 0..<area.rows where page.rows.indices.contains(page.top + index) {
            draw(page.top + index, of: page, state, in: area.line(index))
        }
    }

    private mutating func drawComparisonKeys(in area: Rect) {
        var line = StyledText()
        for (key, word) in ComparisonView.keys {
            guard line.width + key.utf8.count + word.utf8.count + 3 <= area.columns else { break }
            line.add(key, .key)
            line.add(" \(word)  ", .dim)
        }
        draw(line, in: area)
    }

    private mutating func drawFacts(_ page: ComparisonPage, in area: Rect) {
        let half = (area.columns - 30) / 2
        for (index, fact) in page.facts.prefix(area.rows).enumerated() {
            let differs = fact.left != fact.right
            let style = differs ? Style.changed : .normal
            var line = StyledText(differs ? "~ " : "  ", .changed)
            line.add(fact.label.padded(28), .dim)
            line.add(fact.left.padded(half - 1) + " ", style)
            line.add(fact.right, style)
            draw(line, in: area.line(index))
        }
    }

    /// The rule between facts and VMGEXITs, with the names of both sides and the rows shown.
    private mutating func drawSides(
        _ page: ComparisonPage, _ state: UIState, in area: Rect, rows: Int
    ) {
        fill(area, state.glyphs.horizontal, .border)
        let columns = ComparisonView.Columns(area)
        draw(" \(page.comparison.left.setup.rawValue) ", .title, in: columns.left)
        draw(" \(page.comparison.right.setup.rawValue) ", .title, in: columns.right)
        let last = min(page.rows.count, page.top + rows)
        let place = " \(page.top + 1)-\(last)/\(page.rows.count) "
        guard page.rows.count > rows, place.utf8.count < columns.right.columns / 2 else { return }
        var end = columns.right
        _ = end.takeLeft(end.columns - place.utf8.count - 1)
        draw(place, .border, in: end)
    }

    private mutating func draw(
        _ index: Int, of page: ComparisonPage, _ state: UIState, in line: Rect
    ) {
        let isCurrent = index == page.currentRow
        let columns = ComparisonView.Columns(line)
        let more = state.glyphs.more
        func side(_ frame: inout Frame, _ text: String, _ style: Style, _ area: Rect) {
            frame.draw(StyledText(text, style), in: area, skipping: page.column, mark: more)
        }
        switch page.rows[index] {
        case .text(let text): draw(StyledText(text, .dim), in: line, mark: more)
        case .field(let field):
            side(&self, "  " + field.leftText, .changed, columns.left)
            side(&self, "  " + field.rightText, .changed, columns.right)
        case .entry(let entry):
            draw(" \(entry.mark)", .error, in: columns.mark)
            let style = entry.isSame ? Style.normal : .strong
            side(&self, entry.leftText, style, columns.left)
            side(&self, entry.rightText, style, columns.right)
        }
        guard isCurrent else { return }
        draw(">", .current, in: line)
        restyle(line, .cursor)
    }
}

extension FieldDifference {
    fileprivate var leftText: String { "\(name): \(left?.text ?? "not valid")" }
    fileprivate var rightText: String { "\(name): \(right?.text ?? "not valid")" }
}

extension TraceComparison.Entry {
    fileprivate var mark: String {
        switch self {
        case .same: " "
        case .changed: "~"
        case .removed: "-"
        case .added: "+"
        case .omitted: "?"
        }
    }

    fileprivate var leftText: String {
        switch self {
        case .same(let left, _), .changed(let left, _, _), .removed(let left): left.line
        case .added: ""
        case .omitted(let left, _): "... \(left) not compared"
        }
    }

    fileprivate var rightText: String {
        switch self {
        case .same(_, let right), .changed(_, let right, _), .added(let right): right.line
        case .removed: ""
        case .omitted(_, let right): "... \(right) not compared"
        }
    }
}
