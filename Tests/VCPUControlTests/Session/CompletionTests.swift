import Testing

@testable import VCPUControl

@Suite("Completion of command lines")
struct CompletionTests {
    private static var context: CompletionContext {
        var context = CompletionContext(symbols: ["helper", "guest_code", "get"])
        (context.vcpus, context.breakpoints) = (3, [1, 2, 10])
        return context
    }

    private func words(_ line: String) -> [String] {
        CommandTable.completion(of: line, in: Self.context).words
    }

    @Test(
        "each argument has words of its own",
        arguments: [
            ("ste", ["stepi"]), ("nonsense a", []), ("break gu", ["guest_code"]),
            ("break v", ["vmgexit"]), ("break vmgexit cpu", ["CPUID", "CPUID_REQ", "CPUID_RESP"]),
            ("break helper ", ["if"]), ("break helper if $ra", ["$rax"]), ("until h", ["helper"]),
            ("x/4i he", ["helper"]), ("x/4gx $rsp+gu", ["guest_code"]), ("x/4", []),
            ("p/x $gs_", ["$gs_base"]), ("set $rb", ["$rbp", "$rbx"]),
            ("set $rax = g", ["get", "guest_code"]), ("info re", ["registers"]),
            ("info registers xcr", ["xcr0"]), ("info ghcb ", []), ("vg mmio_r", ["MMIO_READ"]),
            ("vg !CPUID,po", ["POPF", "port="]), ("vg CPUID 2", []), ("vcpu ", ["0", "1", "2"]),
            ("delete ", ["1", "2", "10"]), ("delete 1 ", ["2", "10"]),
            ("ghcb ", ["host", "pool", "trampoline"]), ("ghcb pool ", []),
            ("compare pool ", ["host", "trampoline"]), ("help comp", ["compare"]),
        ] as [(String, [String])])
    func arguments(line: String, expected: [String]) {
        #expect(words(line) == expected)
    }

    @Test("a word takes the place of what was typed, and of nothing in front of it")
    func kept() {
        func kept(_ line: String) -> String {
            CommandTable.completion(of: line, in: Self.context).kept
        }
        #expect(kept("x/4gx $rsp+gu") == "x/4gx $rsp+")
        #expect(kept("vg !CPUID,msr") == "vg !CPUID,")
        #expect(kept("ste") == "")
    }

    @Test("every word that a filter is completed to is one, with a number where it needs one")
    func filters() throws {
        for word in ExitFilter.words {
            _ = try ExitFilter.parse(word.hasSuffix("=") ? word + "1" : word)
        }
    }
}
