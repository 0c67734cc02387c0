/// What guests wrote to their console, in lines of raw bytes; bounded in both directions.
package struct ConsoleText: Sendable, Equatable {
    package struct Line: Sendable, Equatable {
        package var vcpu: Int
        package var bytes: [UInt8] = []
        /// Whether a line break has ended it.
        var isComplete = false
    }

    package static let maximumLines = 2000
    /// A longer line is broken.
    package static let maximumLength = 1024

    package private(set) var lines: [Line] = []
    /// What a line has to contain to be shown; `nil` shows all.
    package var filter: TextPattern?
    /// Lines that were dropped from the front.
    package private(set) var dropped = 0

    package init() {}

    /// What is shown, in order.
    package var shown: [Line] {
        guard let filter else { return lines }
        return lines.filter { filter.offset(in: $0.bytes) != nil }
    }

    /// Forgets the lines, but not the filter.
    package mutating func clear() {
        (lines, dropped) = ([], 0)
    }

    /// Takes bytes as they come; a line of another vCPU that is still open ends here.
    package mutating func append(_ bytes: [UInt8], vcpu: Int) {
        for byte in bytes {
            if lines.last.map({ $0.isComplete || $0.vcpu != vcpu }) ?? true { open(vcpu) }
            let last = lines.count - 1
            guard byte != 10 else {
                if lines[last].bytes.last == 13 { lines[last].bytes.removeLast() }
                lines[last].isComplete = true
                continue
            }
            lines[last].bytes.append(byte)
            lines[last].isComplete = lines[last].bytes.count >= Self.maximumLength
        }
    }

    private mutating func open(_ vcpu: Int) {
        lines.append(Line(vcpu: vcpu))
        guard lines.count > Self.maximumLines + Self.maximumLines / 5 else { return }
        let excess = lines.count - Self.maximumLines
        lines.removeFirst(excess)
        dropped += excess
    }
}
