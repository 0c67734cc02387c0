import DebugUI

/// What the user's configuration file says about the terminal interface.
struct Configuration {
    var theme: Theme?
    var color: ColorChoice?
    var ascii: Bool?
    var mouse: Bool?
    /// The pane that has the keys first, and whether it has the screen alone.
    var focus: Pane?
    var zoom: Bool?
    var keyMap = KeyMap()
    var problems: [Problem] = []

    /// Something in the file that cannot be used; the rest of the file counts.
    struct Problem: Equatable {
        var place: TOMLPlace
        var reason: String
    }

    /// A value of the file by its dotted name.
    struct Setting {
        var name: String
        /// What a value has to be.
        var expected: String
        /// Takes a value; false where it is not what it has to be.
        var take: (inout Configuration, ConfigurationValue) -> Bool
    }

    /// All settings but the keys, whose names are those of the actions.
    static var settings: [Setting] {
        [
            choice("theme", \.theme), choice("color", \.color),
            flag("ascii", \.ascii), flag("mouse", \.mouse),
            Setting(name: "layout.focus", expected: oneOf(Pane.allCases.map(\.title))) {
                $0.focus = $1.text.flatMap(pane)
                return $0.focus != nil
            },
            flag("layout.zoom", \.zoom),
        ]
    }

    private static func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ name: String, _ path: WritableKeyPath<Configuration, Choice?>
    ) -> Setting {
        Setting(name: name, expected: oneOf(Choice.allCases.map(\.rawValue))) {
            $0[keyPath: path] = $1.text.flatMap(Choice.init)
            return $0[keyPath: path] != nil
        }
    }

    private static func flag(
        _ name: String, _ path: WritableKeyPath<Configuration, Bool?>
    ) -> Setting {
        Setting(name: name, expected: "true or false") {
            $0[keyPath: path] = $1.flag
            return $1.flag != nil
        }
    }

    private static func oneOf(_ words: [String]) -> String {
        words.dropLast().map { "\"\($0)\"" }.joined(separator: ", ")
            + (words.last.map { " or \"\($0)\"" } ?? "")
    }

    private static func pane(_ title: String) -> Pane? {
        Pane.allCases.first { $0.title.lowercased() == title.lowercased() }
    }
}
