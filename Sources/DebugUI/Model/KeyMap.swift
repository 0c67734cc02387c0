/// Which action a key starts.
package struct KeyMap: Sendable {
    /// All actions, with the keys that start them here.
    package let actions: [Action]
    private let table: [Key: Action]

    /// Gives actions, by their names, other keys in place of their own.
    package init(_ actions: [Action] = Action.all, overrides: [String: [Key]] = [:]) {
        self.actions = actions.map { action in
            var action = action
            action.keys = overrides[action.name] ?? action.keys
            return action
        }
        var table: [Key: Action] = [:]
        for action in self.actions {
            for key in action.keys { table[key] = action }
        }
        self.table = table
    }

    package subscript(key: Key) -> Action? { table[key] }

    package subscript(named name: String) -> Action? { actions.first { $0.name == name } }

    /// A key that two actions have; `nil` where each key has one.
    package var conflict: Conflict? {
        var owners: [Key: String] = [:]
        for action in actions {
            for key in Set(action.keys) {
                if let other = owners[key] {
                    return Conflict(key: key, actions: [other, action.name])
                }
                owners[key] = action.name
            }
        }
        return nil
    }

    package struct Conflict: Sendable, Equatable {
        package var key: Key
        package var actions: [String]
    }
}
