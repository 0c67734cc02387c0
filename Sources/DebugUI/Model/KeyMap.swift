/// Which action a key starts.
package struct KeyMap: Sendable {
    private var actions: [Key: Action] = [:]

    package init(_ actions: [Action] = Action.all) {
        for action in actions {
            for key in action.keys { self.actions[key] = action }
        }
    }

    package subscript(key: Key) -> Action? { actions[key] }

    package static let standard = KeyMap()
}
