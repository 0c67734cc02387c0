/// Where everything is on a screen of one size.
package struct Layout: Sendable, Equatable {
    /// A part of the screen: a title row, and the rows of the pane that is in front.
    package struct Area: Sendable, Equatable {
        package var frame: Rect
        package var front: Pane
        /// The others, in the order of their numbers.
        package var behind: [Pane]

        /// The rows below the title.
        package var inside: Rect {
            var inside = frame
            _ = inside.takeTop(1)
            return inside
        }
    }

    /// Panes that share an area, and how much of its column that gets.
    private typealias Share = (panes: [Pane], weight: Int)

    /// Smaller screens show only that they are too small.
    package static let minimum = Size(columns: 60, rows: 16)
    /// From this width on, values have room for their source and code for its bytes.
    package static let wide = 110
    /// From this width on, there are two columns beside the registers, and from the next one these
    /// have their sources as well.
    package static let twoColumns = 150
    package static let wideColumns = 190
    /// From this height on, memory has an area of its own.
    package static let tall = 28

    package let status: Rect
    /// The key line, which messages and the command line take over.
    package let bottom: Rect
    package private(set) var areas: [Area] = []
    /// The vertical lines between the columns.
    package private(set) var dividers: [Rect] = []
    private let recent: [Pane]

    /// Divides a screen among the panes.
    ///
    /// - Parameters:
    ///   - size: of the whole screen.
    ///   - zoomed: the pane that has the whole screen, if one has.
    ///   - recent: the panes that had the keys, the last one first; of those that share an area,
    ///     that one is in front.
    package init(_ size: Size, zoomed: Pane? = nil, recent: [Pane] = []) {
        var area = Rect(size)
        self.recent = recent
        status = area.takeTop(1)
        bottom = area.takeBottom(1)
        if let zoomed {
            areas = [Area(frame: area, front: zoomed, behind: [])]
        } else if size.columns >= Self.twoColumns {
            divideInThree(area)
        } else {
            divideInTwo(area)
        }
    }

    package init(_ state: UIState) {
        self.init(
            state.size, zoomed: state.isZoomed ? state.focus : nil,
            recent: [state.focus] + state.recent)
    }

    private mutating func divideInTwo(_ area: Rect) {
        var area = area
        stack([([.registers], 1)], in: area.takeLeft(area.columns + 1 >= Self.wide ? 39 : 24))
        dividers.append(area.takeLeft(1))
        let (log, console): ([Pane], [Pane]) = ([.log, .findings], [.console, .vcpus])
        if area.rows < Self.tall - 2 {
            stack([([.code], 6), ([.ghcb, .memory], 7), (log, 3), (console, 2)], in: area)
        } else {
            stack([([.code], 8), ([.ghcb], 9), ([.memory], 5), (log, 4), (console, 3)], in: area)
        }
    }

    private mutating func divideInThree(_ area: Rect) {
        var area = area
        let isWide = area.columns >= Self.wideColumns
        var left = area.takeLeft(isWide ? 39 : 24)
        dividers.append(area.takeLeft(1))
        let middle = area.takeLeft(area.columns * 55 / 100)
        dividers.append(area.takeLeft(1))
        // The vCPUs have the room that the registers leave; else they share that of the console.
        let rest = left.rows - RegistersView.rows - 1
        let hasRest = rest >= 4
        let vcpus = left.takeBottom(hasRest ? rest : 0)
        stack([([.registers], 1)], in: left)
        if hasRest { stack([([.vcpus], 1)], in: vcpus) }
        let console: Share = (hasRest ? [.console] : [.console, .vcpus], 2)
        stack([([.code], 5), ([.log], 3), console], in: middle)
        stack([([.ghcb], 5), ([.memory], 3), ([.findings], 2)], in: area)
    }

    /// Areas on top of each other, each with a title row.
    private mutating func stack(_ shares: [Share], in column: Rect) {
        var column = column
        let free = max(0, column.rows - shares.count)
        let total = shares.reduce(0) { $0 + $1.weight }
        var (weight, used) = (0, 0)
        for share in shares {
            weight += share.weight
            let end = (free * weight * 2 + total) / (total * 2)
            let front = recent.first { share.panes.contains($0) } ?? share.panes[0]
            areas.append(
                Area(
                    frame: column.takeTop(1 + end - used), front: front,
                    behind: share.panes.filter { $0 != front }))
            used = end
        }
    }

    /// The title row of a pane; `nil` where it is not shown.
    package func title(_ pane: Pane) -> Rect? {
        areas.first { $0.front == pane }?.frame.line(0)
    }

    /// The rows that a pane's content has; none where it is not shown.
    package subscript(pane: Pane) -> Rect {
        areas.first { $0.front == pane }?.inside ?? Rect(row: 0, column: 0, rows: 0, columns: 0)
    }

    /// Rows that the box of an answer gives to its lines.
    static func answerRows(_ lines: Int, in size: Size) -> Int { min(lines, size.rows - 6) }

    /// Facts of a comparison that stand above what scrolls: all, or on a low screen those that fit.
    static func comparisonFacts(_ page: ComparisonPage, in size: Size) -> Int {
        min(page.facts.count, max(0, size.rows - 11))
    }

    /// Rows that a comparison gives to what scrolls: all but facts, two headings and the keys.
    static func comparisonRows(_ page: ComparisonPage, in size: Size) -> Int {
        max(1, size.rows - comparisonFacts(page, in: size) - 3)
    }
}
