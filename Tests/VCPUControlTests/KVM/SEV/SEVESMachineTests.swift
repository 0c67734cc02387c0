import Testing

@testable import VCPUControl

@Suite("sev-es: running, on the twin")
struct SEVESMachineTests {
    /// A guest without the debug stub's help.
    private static func machine(
        _ image: GuestImage, _ interrupt: InterruptFlag = InterruptFlag(), isTraced: Bool = false
    ) throws -> SEVESMachine {
        let plan = try LaunchPlan(image, LaunchOptions(image.defaults))
        return try SEVESMachine.twin(plan, interrupt: interrupt, isTraced: isTraced)
    }

    private static func ghcb(_ machine: SEVESMachine) throws -> GHCBPage {
        try #require(machine.sharedPage(machine.plan.setupPages.ghcbs.lowerBound))
    }

    @Test("at a port access the page is as KVM leaves it, and the answer comes with the next entry")
    func steps() throws {
        let program = GuestProgram {
            $0.begin()
            $0.set(.rax, 0)
            $0.send(.ioio, IOIOInfo(port: 0x80, size: 1, isInput: true).rawValue)
        }
        let machine = try Self.machine(program.image)
        let (_, exit) = try machine.run(.all, limit: 1_000_000)
        #expect(
            exit == .io(PortAccess(port: 0x80, size: 1, count: 1, data: [], isInput: true)))
        let step5 = try Self.ghcb(machine)
        #expect(step5.validFields == [.swExitInfo1, .swExitInfo2])
        #expect(step5.raw(.swExitInfo1) == 0 && step5.raw(.swExitCode) == 0x7b)
        #expect(throws: MachineError.self) { try machine.run(.all, limit: 1) }
        #expect(throws: MachineError.self) { try machine.complete(0, with: [1, 2]) }
        try machine.complete(0, with: [0x5a])
        // KVM_RUN that enters nothing leaves the page alone.
        try machine.vm.vcpus[0].file.finish()
        #expect(try Self.ghcb(machine) == step5)
        let (_, second) = try machine.run(.all, limit: 1)
        guard case .vmgexit(let exchange) = second else {
            Issue.record("not an exchange: \(second)")
            return
        }
        #expect(exchange.responsePage?.value(.rax) == 0x5a && exchange.outcome == .ok)
        #expect(try Self.ghcb(machine) == step5)
        #expect(try machine.run(.all, limit: 1_000_000).exit == .halt)
        let step6 = try Self.ghcb(machine)
        #expect(step6.value(.rax) == 0x5a && step6.isValid(.rbx) && step6.isValid(.swExitInfo1))
    }

    @Test("each field of a request that KVM has taken says where it is from, or that it is wiped")
    func provenance() throws {
        let program = GuestProgram {
            $0.begin()
            $0.set(.rax, 0x41)
            $0.set(.rcx, 7)
            $0.send(.ioio, IOIOInfo(port: 0x3f8, size: 1, isInput: false).rawValue)
        }
        let machine = try Self.machine(program.image)
        guard case (_, .io(let access)) = try machine.run(.all, limit: 1) else {
            Issue.record("no access")
            return
        }
        #expect(access.data == [0x41])
        try machine.complete(0, with: [])
        guard case (_, .vmgexit(let exchange)) = try machine.run(.all, limit: 1) else {
            Issue.record("no exchange")
            return
        }
        let sight = try #require(exchange.sight)
        #expect(sight.reading(.swExitCode) == .known(0x7b, from: .ghcb))
        #expect(sight.reading(.swExitInfo1) == .known(0x3f8_0210, from: .direct))
        #expect(sight.reading(.rax) == .known(0x41, from: .ghcb))
        // RCX is in the page, but nobody knows any more whether the guest meant it.
        #expect(sight.reading(.rcx) == .hidden(.wiped))
        #expect(exchange.rip == .hidden(.protected) && exchange.exitCode == .ioio)
        #expect(
            exchange.requestFields.contains {
                $0.field == .rax && $0.reading == sight.reading(.rax)
            })
    }

    @Test(
        "the ends of a VM, as far as KVM tells them",
        arguments: [
            (1, "requested(set: 0, code: 2)"), (2, "dmesg"), (3, "SEV-SNP"),
            (4, "no handler for VMGEXIT 0x6e"), (5, "KVM_RUN on vCPU 0 fails with EINVAL"),
        ])
    func ends(number: Int, words: String) throws {
        let program = GuestProgram { program in
            switch number {
            case 1: program.writeMSR(0x2_0100)
            case 3: program.writeMSR(0x012)
            default: program.begin()
            }
            switch number {
            case 2: program.send(.termination, 0x21)
            case 4: program.send(.rdtsc)
            case 5: program.send(.unsupported, 0x7b)
            default: program.vmgexit()
            }
        }
        let machine = try Self.machine(program.image)
        guard case (0, .vmgexit(let exchange)) = try machine.run(.all, limit: 1) else {
            Issue.record("no exchange")
            return
        }
        guard case .terminated(let termination) = exchange.outcome else {
            Issue.record("no end")
            return
        }
        #expect("\(termination)".contains(words), "\(termination)")
        #expect(try machine.run(.all, limit: 1).exit == .idle)
    }

    @Test("a triple fault is a shutdown, and an instruction that is not known says its bytes")
    func faults() throws {
        // lidt of nothing, ud2
        let shutdown = try Self.machine(
            GuestImage(flat: [0x6a, 0, 0x6a, 0, 0x0f, 0x01, 0x1c, 0x24, 0x0f, 0x0b], name: "fault"))
        guard case (0, .shutdown(let text)) = try shutdown.run(.all, limit: 1) else {
            Issue.record("no shutdown")
            return
        }
        #expect(text.contains("KVM_EXIT_SHUTDOWN"))
        // vaddps %ymm0, %ymm0, %ymm0
        let unknown = try Self.machine(GuestImage(flat: [0xc5, 0xfc, 0x58, 0xc0], name: "avx"))
        guard case (0, .unimplemented(let bytes)) = try unknown.run(.all, limit: 1) else {
            Issue.record("it is known")
            return
        }
        #expect(bytes.starts(with: [0xc5, 0xfc, 0x58, 0xc0]))
    }

    @Test("what SEV-ES hides is hidden, with the reason; shared pages can be read and written")
    func visibility() throws {
        let machine = try Self.machine(GuestImage.load("hello"))
        #expect(machine.registers(of: 0) == .hidden(.protected))
        #expect(machine.registers(of: 1) == .hidden(.unmapped))
        #expect(machine.translate(.init(0x10_0000), on: 0) == .hidden(.protected))
        #expect(machine.read(.init(0x10_0000), count: 16, as: .asUsed) == .hidden(.protected))
        #expect(machine.read(.init(1 << 40), count: 16, as: .shared) == .hidden(.unmapped))
        #expect(machine.isPrivate(.init(0x10_0000)) == .hidden(.protected))
        let ghcb = GuestPhysicalAddress(machine.plan.setupPages.ghcbs.lowerBound)
        try machine.write([1, 2], to: ghcb, as: .asUsed)
        #expect(machine.read(ghcb, count: 2, as: .asUsed) == .known([1, 2], from: .direct))
        // One byte more belongs to a private page.
        let end = GuestPhysicalAddress(machine.plan.sharedRanges.last?.upperBound ?? 0)
        #expect(machine.read(.init(end.rawValue - 1), count: 2, as: .asUsed) == .hidden(.protected))
        #expect(throws: MachineError.self) { try machine.write([1], to: end, as: .asUsed) }
        #expect(throws: MachineError.self) { try machine.setRegister(.rax, of: 0, to: 1) }
        #expect(throws: MachineError.self) { try machine.setBreakpoints([.init(1)]) }
        #expect(throws: MachineError.noSuchVCPU(1)) { try machine.complete(1, with: []) }
    }

    @Test("the firmware decrypts private memory, and encrypts what is written there, to the byte")
    func decryption() throws {
        let code: [UInt8] = Array(0..<64)
        let machine = try Self.machine(GuestImage(flat: code, name: "bytes"))
        let start = GuestPhysicalAddress(0x10_0000)
        #expect(machine.read(start, count: 64, as: .private) == .known(code, from: .decrypted))
        let ciphertext = machine.read(start, count: 64, as: .shared).value
        #expect(ciphertext != nil && ciphertext != code)
        // Across the border of a block of 16 bytes, and of a page.
        for offset in [14, 0xffd] as [UInt64] {
            let place = GuestPhysicalAddress(start.rawValue + offset)
            let around = GuestPhysicalAddress(start.rawValue + offset - 4)
            let before = try #require(machine.read(around, count: 13, as: .private).value)
            try machine.write([0xa1, 0xa2, 0xa3, 0xa4, 0xa5], to: place, as: .private)
            let after = before[..<4] + [0xa1, 0xa2, 0xa3, 0xa4, 0xa5] + before[9...]
            #expect(machine.read(around, count: 13, as: .private).value == Array(after))
        }
        let top = GuestPhysicalAddress(machine.plan.ramSize - 1)
        #expect(machine.read(top, count: 1, as: .private).value == [0])
        #expect(machine.read(top, count: 2, as: .private) == .hidden(.unmapped))
        #expect(throws: MachineError.self) { try machine.write([1, 2], to: top, as: .private) }
    }

    @Test("what is written to private memory is what the guest executes")
    func encryption() throws {
        let machine = try Self.machine(GuestImage(flat: [0xeb, 0xfe], name: "loop"))
        #expect(try machine.run(.one(0), limit: 1000).exit == .limit)
        try machine.write([0xf4], to: .init(0x10_0000), as: .private)
        #expect(try machine.run(.one(0), limit: 1000).exit == .halt)
    }

    @Test("a vCPU that does not exit is interrupted, or comes back at the limit")
    func interruption() throws {
        let flag = InterruptFlag()
        let machine = try Self.machine(GuestImage(flat: [0xeb, 0xfe], name: "loop"), flag)
        #expect(try machine.run(.one(0), limit: 1000).exit == .limit)
        #expect(try machine.run(.one(0), limit: 0).exit == .limit)
        flag.raise()
        #expect(try machine.run(.all, limit: .max).exit == .interrupted)
        #expect(throws: MachineError.self) { try machine.resume(0) }
    }

    @Test("who traces KVM sees every exchange whole, as the emulator shows it")
    func traced() throws {
        let image = try GuestImage.load("cpuid")
        let direct = DrivenMachine(
            try EmulatedMachine(LaunchPlan(image, LaunchOptions(image.defaults))))
        let traced = DrivenMachine(try Self.machine(image, isTraced: true))
        try direct.run()
        try traced.run()
        #expect(direct.exchanges.map(\.withoutPlace) == traced.exchanges.map(\.withoutPlace))
        #expect(traced.exchanges.allSatisfy { $0.requestSource == .tracepoint })
        #expect(direct.console == traced.console && traced.end == "halt")
    }
}
