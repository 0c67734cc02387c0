/// What a cell means; the terminal decides how that looks.
///
/// Every meaning has a mark in the text as well: nothing is told by colour alone.
package enum Style: UInt8, CaseIterable, Sendable {
    case normal
    /// Beside the point: offsets, sources, instruction bytes.
    case dim
    case strong
    case border
    /// The title of a pane, and of the one that has the keys.
    case title, focusedTitle
    /// A value that differs from the last stop.
    case changed
    /// A value that cannot be had.
    case hidden
    /// The instruction at RIP.
    case current
    /// The line that `b` and the arrows work on.
    case cursor
    case breakpoint
    case symbol
    case error
    /// A guest byte shown as text because it is no printable character.
    case escape
    /// The status line, and what stands out in it.
    case bar, barStrong
    /// A key in the key line and in the help.
    case key
}
