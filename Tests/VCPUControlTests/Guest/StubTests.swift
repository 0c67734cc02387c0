import Testing
import VCPUControl

@Suite("#VC handler of the stub")
struct StubTests {
    @Test("MMIO reads", arguments: Snippet.loads)
    func loads(_ snippet: Snippet) throws { try check(snippet) }

    @Test("MMIO writes", arguments: Snippet.stores)
    func stores(_ snippet: Snippet) throws { try check(snippet) }

    @Test("MMIO strings", arguments: Snippet.strings)
    func strings(_ snippet: Snippet) throws { try check(snippet) }

    @Test("ports", arguments: Snippet.ports)
    func ports(_ snippet: Snippet) throws { try check(snippet) }

    @Test("other events", arguments: Snippet.events)
    func events(_ snippet: Snippet) throws { try check(snippet) }

    @Test("the VM ends, and the mailbox says on what", arguments: Snippet.terminations)
    func terminations(_ snippet: Snippet) throws {
        let run = try check(snippet)
        let mailbox = run.plan.ramSize  // the search below needs no layout
        let pages = stride(from: run.plan.regions[0].address.rawValue, to: mailbox, by: 4096)
        let states = pages.map { run.shared($0, count: 20) }.filter {
            $0.prefix(4) == [0x53, 0x45, 0x56, 0x42]
        }
        #expect(states.contains { $0[12] == 2 && $0[16] == snippet.end?.code })
    }

    @Test("CPL 3: the hypervisor hears of it, and an unhandled exception ends in a shutdown")
    func userMode() throws {
        // push $0x23; push %rsi; push $2; push $0x2b; lea 1f(%rip), %rax; push %rax; iretq
        // 1: mov $99, %eax; vmmcall; hlt
        let snippet = Snippet("", "6a23566a026a2b488d05030000005048cfb8630000000f01d9f4")
        let run = try GuestRun(
            GuestImage(flat: snippet.code, name: "user"),
            LaunchOptions(setup: .host, arguments: [.value(0), .value(0x20_0000)]))
        #expect(run.exchanges.map(text) == ["0x81 0x0 0 cpl=0x3"])
        #expect(run.end?.contains("#GP") == true)
    }

    @discardableResult
    private func check(_ snippet: Snippet) throws -> GuestRun {
        let arguments = Register.arguments.map { snippet.arguments[$0] ?? 0 }
        let run = try GuestRun(
            GuestImage(flat: snippet.code, name: "snippet"),
            LaunchOptions(setup: .host, arguments: arguments.map { .value($0) }), input: .counted)
        let isEnd = run.termination != nil
        #expect(run.exchanges.dropLast(isEnd ? 1 : 0).map(text) == snippet.exits)
        guard snippet.end == nil else {
            let code = snippet.end?.code ?? 0
            #expect(run.termination == .requested(set: StubTermination.set, code: code))
            return run
        }
        #expect(run.end == "returned")
        checkRegisters(of: run, snippet, arguments)
        return run
    }

    private func checkRegisters(of run: GuestRun, _ snippet: Snippet, _ arguments: [UInt64]) {
        var expected = run.plan.vcpus[0].registers
        expected[.rsp] += 8
        for (register, value) in zip(Register.arguments, arguments) { expected[register] = value }
        for (register, value) in snippet.results { expected[register] = value }
        let actual = run.machine.registers(of: 0).value ?? RegisterFile()
        // The stub's own end takes RBX; R10, R12 and R13 hold addresses in some snippets.
        let free: Set<Register> = [.rax, .rbx, .r10, .r12, .r13, .rip, .rflags]
        for register in Register.allCases
        where !free.contains(register) && !snippet.changed.contains(register) {
            #expect(actual[register] == expected[register], "\(register)")
        }
    }

    /// The request in the words of `Snippet.exits`.
    private func text(_ exchange: Exchange) -> String {
        guard let page = exchange.requestPage else { return "msr \(exchange.msr.hex)" }
        var text = "\(exchange.codeText) \(exchange.info1.hex) \(exchange.info2)"
        switch exchange.codeText {
        case "0x72": text += page.value(.xcr0).map { " xcr0=\($0.hex)" } ?? ""
        case "0x81": text += page.value(.cpl).map { " cpl=\($0.hex)" } ?? ""
        case "0x80000002": text += sent(page.sharedBuffer.prefix(Int(exchange.info2)))
        case "0x7b": text += sent(output(page, IOIOInfo(rawValue: exchange.info1)))
        default: break
        }
        return text
    }

    private func output(_ page: GHCBPage, _ info: IOIOInfo) -> ArraySlice<UInt8> {
        guard !info.isInput else { return [] }
        guard info.isString else {
            return (page.value(.rax) ?? 0).littleEndianBytes(info.size)[...]
        }
        return page.sharedBuffer.prefix(Int(page.raw(.swExitInfo2)) * info.size)[...]
    }

    private func sent(_ bytes: some Collection<UInt8>) -> String {
        guard (1...8).contains(bytes.count) else { return "" }
        return ": " + bytes.map { $0.hexDigits(2) }.joined(separator: " ")
    }
}
