package import VCPUControl

/// A part of the screen that can have the keys.
package enum Pane: Int, CaseIterable, Sendable {
    case registers, code, ghcb, log, console, memory, findings, vcpus

    /// The digit that selects it.
    package var number: Int { rawValue + 1 }

    package var title: String {
        switch self {
        case .registers: "regs"
        case .code: "code"
        case .ghcb: "GHCB"
        case .log: "VMGEXITs"
        case .console: "console"
        case .memory: "mem"
        case .findings: "findings"
        case .vcpus: "vCPUs"
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
    /// The row that a search has found, until something else is done.
    package var hit: Int?
}

/// What the memory pane looks at.
package struct MemoryPlace: Sendable, Equatable {
    package static let standard = "$rsp"

    package var expression = standard
    /// Where the pane was scrolled to; `nil` follows the expression.
    package var start: GuestVirtualAddress?
}
