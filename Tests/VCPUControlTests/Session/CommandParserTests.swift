import Testing

@testable import VCPUControl

@Suite("Command parser")
struct CommandParserTests {
    private func failure(_ line: String) -> String? {
        do throws(CommandFailure) {
            _ = try CommandParser.parse(line)
            return nil
        } catch { return error.message }
    }

    @Test(
        "gdb's names, aliases and abbreviations",
        arguments: [
            ("stepi", .stepInstruction(count: 1)), ("si 3", .stepInstruction(count: 3)),
            ("ste 0x10", .stepInstruction(count: 16)), ("s", .stepInstruction(count: 1)),
            ("ni", .nextInstruction(count: 1)), ("n 2", .nextInstruction(count: 2)),
            ("c", .continue(count: 1)), ("cont 4", .continue(count: 4)), ("fini", .finish),
            ("vg", .vmgexit(.all, count: 1)), ("vmgexit 5", .vmgexit(.all, count: 5)),
            ("d", .delete([])), ("delete 1 2", .delete([1, 2])), ("en 3", .enable([3])),
            ("disable", .disable([])), ("i r", .info(.registers, arguments: [])),
            ("info reg rax", .info(.registers, arguments: ["rax"])),
            ("i b", .info(.breakpoints, arguments: [])),
            ("info vcpus", .info(.vcpus, arguments: [])),
            ("ghcb pool", .setup(.pool)), ("ghcb", .setup(nil)), ("restart", .restart),
            ("help x", .help("x")), ("h", .help(nil)), ("?", .help(nil)), ("q", .quit),
            ("  quit  ", .quit), ("disas", .disassemble(.function(nil))),
        ] as [(String, Command)])
    func names(line: String, command: Command) throws {
        #expect(try CommandParser.parse(line) == command)
    }

    @Test("empty lines and comments are nothing", arguments: ["", "   ", "# c", "\t# stepi"])
    func nothing(line: String) throws {
        #expect(try CommandParser.parse(line) == nil)
    }

    @Test("every command is found by its name, its aliases and help")
    func table() throws {
        var words: Set<String> = []
        for entry in CommandTable.all {
            #expect(try CommandTable.find(entry.name.rawValue).name == entry.name)
            #expect(try !CommandTable.help(entry.name.rawValue).isEmpty)
            #expect(!entry.summary.isEmpty)
            for word in [entry.name.rawValue] + entry.aliases {
                #expect(words.insert(word).inserted, "\(word) means two commands")
            }
        }
    }

    @Test("examine takes count, format and unit in any order")
    func examine() throws {
        let at: Expression = .number(.init(0x1000, isSigned: true))
        let format = ExamineFormat(count: 4, letter: .hex, unit: .giant)
        #expect(try CommandParser.parse("x/4xg 0x1000") == .examine(format, at))
        #expect(try CommandParser.parse("x/4gx 0x1000") == .examine(format, at))
        #expect(try CommandParser.parse("x /4gx 0x1000") == .examine(format, at))
        #expect(try CommandParser.parse("x") == .examine(ExamineFormat(), nil))
        #expect(
            failure("x/4q 0")
                == "x: /4q: `q` is no format (x d u o t a c s i) and no unit (b h w g)")
        #expect(failure("x/0x 0") == "x: cannot show 0 units; the count is 1 to 65536")
    }

    @Test("breakpoints have places, conditions and filters")
    func breakpoints() throws {
        let place = Expression.symbol("helper")
        let condition = Breakpoint.Condition(
            expression: .binary(
                .equal, .register(.part(.rax, shift: 0, bits: 64), name: "rax"),
                .number(.init(3, isSigned: true))),
            text: "$rax == 3")
        #expect(try CommandParser.parse("b helper") == .breakAddress(place, nil))
        #expect(try CommandParser.parse("b *helper") == .breakAddress(place, nil))
        #expect(
            try CommandParser.parse("break helper if $rax == 3") == .breakAddress(place, condition))
        #expect(try CommandParser.parse("b") == .breakAddress(nil, nil))
        #expect(try CommandParser.parse("b if $rax == 3") == .breakAddress(nil, condition))
        #expect(try CommandParser.parse("b vmgexit") == .breakExchange(.all, nil))
        let filter = try ExitFilter.parse("CPUID")
        #expect(try CommandParser.parse("b vmgexit CPUID") == .breakExchange(filter, nil))
        #expect(failure("b helper when") == "break: `when` does not belong here")
    }

    @Test("set assigns registers and memory")
    func set() throws {
        let one = Expression.number(.init(1, isSigned: true))
        #expect(
            try CommandParser.parse("set $rax = 1")
                == .setRegister(.part(.rax, shift: 0, bits: 64), name: "rax", one))
        #expect(
            try CommandParser.parse("set {u16} 1+1=1")
                == .setMemory(.half, .binary(.plus, one, one), one))
        #expect(
            failure("set 5 = 1")
                == "set: only a $REGISTER or {u8|u16|u32|u64} ADDRESS can be set")
        #expect(
            failure("set $rax 1") == "set: write $REGISTER = VALUE or {u32} ADDRESS = VALUE")
    }

    @Test(
        "what is wrong is said with what would be right",
        arguments: [
            ("frobnicate", "there is no command `frobnicate`; `help` lists the commands"),
            ("dis", "`dis` is ambiguous: disable, disassemble"),
            ("stepi x", "stepi: `x` is no count; give a number from 1 on"),
            ("stepi 0", "stepi: `0` is no count; give a number from 1 on"),
            ("delete foo", "delete: `foo` is no breakpoint number; see info breakpoints"),
            ("quit now", "quit: `now` does not belong here"),
            (
                "ghcb swimming",
                "ghcb: there is no GHCB setup `swimming`; choose from pool,"
                    + " trampoline, host"
            ),
            ("=5", "`=5` is no command; `help` lists the commands"),
        ])
    func failures(line: String, message: String) {
        #expect(failure(line) == message)
    }

    @Test("watchpoints have a place, a length and a condition, in any combination")
    func watch() throws {
        let (place, five) = (
            Expression.symbol("helper"), Expression.number(.init(5, isSigned: true))
        )
        let condition = Breakpoint.Condition(expression: five, text: "5")
        for (line, command) in [
            ("watch helper", Command.watch(place, length: nil, nil)),
            ("watch *helper 5", .watch(place, length: five, nil)),
            ("watch {u16} helper", .watch(.memory(.half, place), length: nil, nil)),
            (
                "watch {u16} helper + 5",
                .watch(.memory(.half, .binary(.plus, place, five)), length: nil, nil)
            ),
            ("watch helper 5 if 5", .watch(place, length: five, condition)),
            ("watch helper if 5", .watch(place, length: nil, condition)),
        ] { #expect(try CommandParser.parse(line) == command) }
        #expect(failure("watch helper 5 5") == "watch: `5` does not belong here")
        #expect(
            failure("rwatch helper")
                == "there is no command `rwatch`; reads are not watched: watch ADDR stops where"
                + " memory changes")
    }
}

@Suite("VMGEXIT filters")
struct ExitFilterTests {
    let cpuid = pageExchange(code: 0x72)
    let serial = pageExchange(code: 0x7b, info1: 0x3f8_0010)
    let efer = pageExchange(code: 0x7c, rcx: 0xc000_0080)

    private func matches(_ text: String) throws -> [Bool] {
        let filter = try ExitFilter.parse(text)
        return [cpuid, serial, efer].map(filter.matches)
    }

    @Test("by name, code, port and MSR, negated, and several")
    func terms() throws {
        #expect(try matches("cpuid") == [true, false, false])
        #expect(try matches("0x7b") == [false, true, false])
        #expect(try matches("port=0x3f8") == [false, true, false])
        #expect(try matches("port=0x3f9") == [false, false, false])
        #expect(try matches("msr=0xc0000080") == [false, false, true])
        #expect(try matches("!IOIO") == [true, false, true])
        #expect(try matches("CPUID,MSR") == [true, false, true])
        #expect(try matches("!CPUID,!MSR") == [false, true, false])
        #expect([cpuid, serial].map(ExitFilter.all.matches) == [true, true])
        #expect(try ExitFilter.parse("CPUID_REQ").conditions.first?.term == .name("CPUID_REQ"))
    }

    @Test("unknown names and keys are refused", arguments: ["NOSUCH", "port=", "colour=1", ""])
    func refused(text: String) {
        #expect(throws: CommandFailure.self) { try ExitFilter.parse(text) }
    }
}
