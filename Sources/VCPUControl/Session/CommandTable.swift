/// One row of the command table: parser, help and completion follow from it.
package struct CommandEntry: Sendable {
    /// What the arguments of a command complete to.
    package enum Completion: Sendable {
        case nothing, breakPlace, expression, assignment, filter, breakpoints, topic, command, vcpu
        case setups(atMost: Int)
    }

    package var name: CommandName
    package var aliases: [String]
    /// The arguments as help shows them; empty for none.
    package var arguments: String
    package var summary: String
    package var completion: Completion
}

/// The commands, by the word that a user types.
package enum CommandName: String, CaseIterable, Sendable {
    case stepi, nexti, `continue`, vmgexit, finish, until
    case `break`, watch, clear, delete, enable, disable
    case info, x, print, disassemble, set
    case vcpu, ghcb, compare, restart, detach, help, quit
}

/// Every command of the debugger (DESIGN 4).
package enum CommandTable {
    package static let all: [CommandEntry] = CommandName.allCases.map(entry)

    /// The command that a word means: its name, an alias, or an unambiguous prefix.
    package static func find(_ word: String) throws(CommandFailure) -> CommandEntry {
        if let entry = all.first(where: { $0.name.rawValue == word || $0.aliases.contains(word) }) {
            return entry
        }
        let matches = all.filter { $0.name.rawValue.hasPrefix(word) }
        if matches.count == 1, let entry = matches.first { return entry }
        if matches.isEmpty { throw CommandFailure(unknown(word)) }
        let names = matches.map(\.name.rawValue).joined(separator: ", ")
        throw CommandFailure("`\(word)` is ambiguous: \(names)")
    }

    private static func unknown(_ word: String) -> String {
        let instead = unavailable[word] ?? "`help` lists the commands"
        return "there is no command `\(word)`; \(instead)"
    }

    /// Commands that gdb has and this version has not, with what to use.
    private static let unavailable: [String: String] = [
        "awatch": "reads are not watched: watch ADDR stops where memory changes",
        "rwatch": "reads are not watched: watch ADDR stops where memory changes",
        "run": "the guest is launched already: use continue, or restart to launch it anew",
        "r": "the guest is launched already: use continue, or restart to launch it anew",
        "start": "the guest stands at its first instruction: use continue, stepi or vmgexit",
        "backtrace": "guests carry no call frames: use x/16ga $rsp to look at the stack",
        "bt": "guests carry no call frames: use x/16ga $rsp to look at the stack",
        "where": "guests carry no call frames: use x/16ga $rsp to look at the stack",
        "list": "there are no source lines: use disassemble or x/10i $rip",
        "thread": "vCPUs are chosen with vcpu N, and listed by info vcpus",
        "kill": "use quit, or restart to launch the guest anew",
    ]

    private static func entry(_ name: CommandName) -> CommandEntry {
        func row(
            _ aliases: [String], _ arguments: String, _ summary: String,
            _ completion: CommandEntry.Completion = .nothing
        ) -> CommandEntry {
            CommandEntry(
                name: name, aliases: aliases, arguments: arguments, summary: summary,
                completion: completion)
        }
        switch name {
        case .stepi: return row(["si", "s"], "[N]", "execute N instructions of this vCPU")
        case .nexti: return row(["ni", "n", "next"], "[N]", "the same, calls and #VC as one")
        case .continue: return row(["c", "fg"], "[N]", "run to the Nth breakpoint or the end")
        case .vmgexit:
            return row(["vg"], "[FILTER] [N]", "run to the Nth VMGEXIT that matches", .filter)
        case .finish: return row(["fin"], "", "run until this function or handler returns")
        case .until: return row(["u"], "WHERE", "run this vCPU to a place", .expression)
        case .break:
            return row(
                ["b", "br"], "[WHERE] [if EXPR] | vmgexit [FILTER]", "stop there from now on",
                .breakPlace)
        case .watch:
            return row(
                [], "ADDR [LEN] | {u32} ADDR [if EXPR]", "stop when memory changes", .expression)
        case .clear: return row([], "WHERE", "remove the breakpoints at a place", .expression)
        case .delete:
            return row(["d"], "[N]…", "remove breakpoints; all without a number", .breakpoints)
        case .enable:
            return row([], "[N]…", "let breakpoints stop the guest again", .breakpoints)
        case .disable:
            return row([], "[N]…", "keep breakpoints, but do not stop at them", .breakpoints)
        case .info: return row(["i"], "TOPIC", "show \(topics)", .topic)
        case .x:
            return row([], "/NFU [ADDR]", "show memory: x d u o t a c s i, b h w g", .expression)
        case .print: return row(["p", "output"], "[/F] EXPR", "show a value", .expression)
        case .disassemble: return row([], "[WHERE[,END|,+LEN]]", "show code", .expression)
        case .set:
            return row(
                [], "$REG = EXPR | {u32} ADDR = EXPR", "change a register or memory",
                .assignment)
        case .vcpu: return row(["v"], "[N]", "choose the vCPU that commands are about", .vcpu)
        case .ghcb:
            return row(
                [], "[pool|trampoline|host]", "relaunch under a GHCB setup", .setups(atMost: 1))
        case .compare:
            return row(
                [], "[SETUP [SETUP]]", "run the guest under two GHCB setups, show both",
                .setups(atMost: 2))
        case .restart: return row([], "", "launch the guest anew, breakpoints kept")
        case .detach: return row([], "", "leave a guest that sevdbg has attached to")
        case .help: return row(["h", "?"], "[COMMAND]", "this list, or one command", .command)
        case .quit: return row(["q", "exit"], "", "end the guest and the session")
        }
    }

    private static var topics: String {
        InfoTopic.allCases.map(\.rawValue).joined(separator: ", ")
    }
}

extension CommandTable {
    /// The lines that `help` shows.
    package static func help(_ word: String?) throws(CommandFailure) -> [String] {
        guard let word else { return all.map { line($0) } }
        let entry = try find(word)
        var lines = [usage(entry), "  " + entry.summary]
        if !entry.aliases.isEmpty {
            lines.append("  also: " + entry.aliases.joined(separator: ", "))
        }
        if entry.name == .info {
            lines += InfoTopic.allCases.map { "  \($0.rawValue.padded(to: 12))\($0.summary)" }
        }
        return lines
    }

    private static func line(_ entry: CommandEntry) -> String {
        let short = entry.aliases.first.map { " (\($0))" } ?? ""
        return (entry.name.rawValue + short).padded(to: 17) + entry.summary
    }

    private static func usage(_ entry: CommandEntry) -> String {
        let separator = entry.arguments.isEmpty || entry.name == .x ? "" : " "
        return entry.name.rawValue + separator + entry.arguments
    }
}
