/// A part of the screen that can have the keys.
package enum Pane: Int, CaseIterable, Sendable {
    case registers, code, ghcb, log, console

    /// The digit that selects it.
    package var number: Int { rawValue + 1 }

    package var title: String {
        switch self {
        case .registers: "regs"
        case .code: "code"
        case .ghcb: "GHCB"
        case .log: "VMGEXITs"
        case .console: "console"
        }
    }

    /// The pane a number of places further on, in a circle.
    func advanced(by count: Int) -> Pane {
        let panes = Self.allCases
        return panes[(rawValue + count + panes.count) % panes.count]
    }
}

/// How far a pane without a cursor is scrolled.
package struct ScrollPosition: Sendable, Equatable {
    /// The first row shown; `nil` is the pane's natural end: the console's bottom, others' top.
    package var top: Int?
    /// Columns scrolled out on the left.
    package var column = 0
}
