import DebugUI
import TOMLKit

/// A value of a configuration file.
struct ConfigurationValue {
    fileprivate var value: any TOMLValueConvertible

    var text: String? { value.string }
    var flag: Bool? { value.bool }
    /// One text, or a list of texts and of nothing else.
    var texts: [String]? {
        if let text { return [text] }
        guard let array = value.array else { return nil }
        let texts = array.compactMap(\.string)
        return texts.count == array.count ? texts : nil
    }
}

extension Configuration {
    /// Takes what is right in a file, and notes what is wrong.
    init(_ text: String) {
        var reader = ConfigurationReader(text)
        reader.readSettings(into: &self)
        reader.readKeys(into: &self)
        problems = (problems + reader.problems).sorted { $0.place < $1.place }
    }
}

/// Reads a file once from its beginning to its end.
private struct ConfigurationReader {
    private let text: String
    private let table: TOMLTable
    private(set) var problems: [Configuration.Problem] = []

    /// Lines that are left out for their syntax at most.
    private static let maximumErrors = 20

    init(_ text: String) {
        let text = text.replacing("\r\n", with: "\n")
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
            // The parser's text ends at a NUL; as a space within a line it breaks nothing else.
            String($0).replacing("\0", with: "\u{fffd}")
        }
        for index in lines.indices {
            guard let column = Self.brokenHeader(lines[index]) else { continue }
            problems.append(
                .init(
                    place: TOMLPlace(line: index + 1, column: column),
                    reason: "this is no table header: a name has to follow the bracket"))
            lines[index] = ""
        }
        for _ in 0..<Self.maximumErrors {
            do {
                table = try TOMLTable(string: lines.joined(separator: "\n"))
                self.text = lines.joined(separator: "\n")
                return
            } catch {
                guard let error = error as? TOMLParseError else { break }
                let place = TOMLPlace(
                    line: min(max(1, error.source.begin.line), lines.count),
                    column: max(1, error.source.begin.column))
                problems.append(.init(place: place, reason: Self.reason(error)))
                lines[place.line - 1] = ""
            }
        }
        (table, self.text) = (TOMLTable(), "")
    }

    /// Where a line has something in the place of a table's name: the parser aborts the process there.
    private static func brokenHeader(_ line: String) -> Int? {
        let blanks = line.prefix { $0.isWhitespace || $0 == "\u{feff}" }
        let header = line.dropFirst(blanks.count)
        guard header.first == "[" else { return nil }
        let name = header.drop { $0 == "[" || $0.isWhitespace }
        let brackets = header.prefix { $0 == "[" }.count
        let isName = name.first.map {
            $0.isASCII && ($0.isLetter || $0.isNumber || "-_\"']".contains($0))
        }
        return brackets > 2 || isName == false ? blanks.count + 1 : nil
    }

    /// The parser's words without its own prefix.
    private static func reason(_ error: TOMLParseError) -> String {
        error.description.replacing("Error while parsing ", with: "this is no ")
    }

    mutating func readSettings(into configuration: inout Configuration) {
        var names = Set(["keys"])
        for setting in Configuration.settings {
            let path = setting.name.split(separator: ".").map(String.init)
            names.formUnion([setting.name, path[0]])
            guard let value = value(path) else { continue }
            if !setting.take(&configuration, ConfigurationValue(value: value)) {
                complain(path, "\(setting.name) has to be \(setting.expected)")
            }
        }
        for path in unknownPaths(names) {
            complain(path, "there is no setting \(path.joined(separator: "."))")
        }
    }

    private func value(_ path: [String]) -> (any TOMLValueConvertible)? {
        guard let first = path.first, let value = table[first] else { return nil }
        guard path.count > 1 else { return value }
        return value.table.flatMap { $0[path[1]] }
    }

    private func unknownPaths(_ names: Set<String>) -> [[String]] {
        table.keys.flatMap { key -> [[String]] in
            guard names.contains(key) else { return [[key]] }
            guard key != "keys", let inner = table[key]?.table else { return [] }
            return inner.keys.filter { !names.contains("\(key).\($0)") }.map { [key, $0] }
        }
    }

    private mutating func complain(_ path: [String], _ reason: String) {
        problems.append(.init(place: TOMLPlace(of: path, in: text), reason: reason))
    }

    // MARK: Keys

    mutating func readKeys(into configuration: inout Configuration) {
        guard let value = table["keys"] else { return }
        guard let keys = value.table else { return complain(["keys"], "keys has to be a table") }
        var overrides: [String: [Key]] = [:]
        for name in keys.keys {
            guard let value = keys[name] else { continue }
            overrides[name] = self.keys(ConfigurationValue(value: value), of: name)
        }
        configuration.keyMap = keyMap(&overrides)
    }

    /// The keys that a line gives to an action; `nil`, after a complaint, where it cannot be used.
    private mutating func keys(_ value: ConfigurationValue, of name: String) -> [Key]? {
        func reject(_ reason: String) -> [Key]? {
            complain(["keys", name], reason)
            return nil
        }
        guard Action.all.contains(where: { $0.name == name }) else {
            return reject("there is no action \(name)")
        }
        guard let texts = value.texts else {
            return reject("keys.\(name) has to be a key or a list of keys, such as \"^L\"")
        }
        let keys = texts.map(Key.init(name:))
        if let index = keys.firstIndex(of: nil) {
            return reject(
                "\"\(texts[index])\" is no key; the help shows how they are called")
        }
        if keys.contains(.control("c")), name != "interrupt" {
            return reject("^C always interrupts the guest")
        }
        guard !keys.isEmpty || name != "quit" else { return reject("quit needs a key") }
        return keys.compactMap { $0 }
    }

    /// Drops what gives a key to two actions, the later line first.
    private mutating func keyMap(_ overrides: inout [String: [Key]]) -> KeyMap {
        while let conflict = KeyMap(overrides: overrides).conflict {
            let text = text
            let place = { (name: String) in TOMLPlace(of: ["keys", name], in: text) }
            let blamed = conflict.actions.filter { overrides[$0] != nil }
                .max { place($0) < place($1) }
            guard let blamed else { break }
            let other = conflict.actions.first { $0 != blamed } ?? blamed
            complain(
                ["keys", blamed],
                "\(conflict.key.name) is a key of \(other) already; give that another one")
            overrides[blamed] = nil
        }
        return KeyMap(overrides: overrides)
    }
}
