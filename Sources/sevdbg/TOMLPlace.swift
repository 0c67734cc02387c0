/// A place in a TOML file, from 1 on; the parser keeps those of errors in the syntax alone.
struct TOMLPlace: Equatable, Comparable, CustomStringConvertible {
    var line: Int
    var column: Int

    var description: String { "\(line):\(column)" }

    static func < (left: TOMLPlace, right: TOMLPlace) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

extension TOMLPlace {
    /// Where a key is given its value, else where its table begins, else the file's beginning.
    init(of path: [String], in text: String) {
        self.init(line: 1, column: 1)
        var table: [String] = []
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let blanks = line.prefix { $0 == " " || $0 == "\t" }.count
            let entry = line.dropFirst(blanks)
            let isHeader = entry.hasPrefix("[")
            if isHeader { table = Self.keys(entry.prefix { $0 != "]" }) }
            let found = isHeader ? table : table + Self.keys(entry.prefix { $0 != "=" })
            guard !found.isEmpty, path.starts(with: found) else { continue }
            self.init(line: index + 1, column: blanks + 1)
            if found == path { return }
        }
    }

    /// The parts of a dotted key without their quotes.
    private static func keys(_ text: some StringProtocol) -> [String] {
        text.split(separator: ".").map { part in
            String(part.filter { !" \t\"'[".contains($0) })
        }
    }
}
