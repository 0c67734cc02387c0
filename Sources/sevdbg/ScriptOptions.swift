import ArgumentParser

/// What is run without being typed, and how it is told: the options of each command that debugs.
struct ScriptOptions: ParsableArguments {
    @Option(
        name: .customLong("break"),
        help: ArgumentHelp(
            "Set a breakpoint, as the command break does; repeatable.", valueName: "WHERE"))
    var breakpoints: [String] = []

    @Flag(help: "Run without the terminal interface.")
    var batch = false

    @Option(
        name: .customShort("x"), help: ArgumentHelp("Run commands from a file.", valueName: "FILE"),
        transform: { OrderedSource(.file($0)) })
    var scripts: [OrderedSource] = []

    @Option(
        name: .customShort("e"),
        help: ArgumentHelp("Run a command; repeatable.", valueName: "COMMAND"),
        transform: { OrderedSource(.command($0)) })
    var commands: [OrderedSource] = []

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @Flag(help: "Exit with status 3 if the lint rules find errors.")
    var lint = false

    /// Files and commands in the order in which they were given.
    var sources: [ScriptSource] {
        (scripts + commands).sorted { $0.place < $1.place }.map(\.source)
    }

    /// Whether what was given leaves room for the terminal interface.
    var wantsTerminal: Bool {
        !batch && !json && sources.isEmpty && StandardOutput.isTerminal
    }
}
