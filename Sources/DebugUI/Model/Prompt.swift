/// A line that is asked for at the bottom of the screen, for the pane that has the keys.
package struct Prompt: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case search, filter, address

        /// What stands in front of the line.
        package var label: String {
            switch self {
            case .search: "/"
            case .filter: "\\"
            case .address: "address: "
            }
        }
    }

    package var kind: Kind
    package var editor: LineEditor

    package init(_ kind: Kind, _ text: String = "") {
        (self.kind, editor) = (kind, LineEditor(text))
    }
}
