import Testing

@testable import VCPUControl

/// What the emulator reports to the rules besides VMGEXITs.
@Suite("Observations of a running guest")
struct ObservationTests {
    /// A request whose answer is `SW_EXITINFO1` 1: RDMSR of an MSR that does not exist.
    private static func refused(_ program: inout GuestProgram) {
        program.begin()
        program.set(.rcx, 0x1234_5678)
        program.send(.msr)
    }

    private static func succeeding(_ program: inout GuestProgram) {
        program.begin()
        program.send(.wbinvd)
    }

    @Test("an answer that is not looked at before the next VMGEXIT is found at its VMGEXIT")
    func ignored() throws {
        let findings = try GuestProgram {
            Self.refused(&$0)
            Self.succeeding(&$0)
            $0.readInfo1()
        }.findings()
        #expect(findings.map(\.rule) == [.responseIgnored])
        #expect(findings.first?.sequence == 1)
    }

    @Test(
        "a load of any byte of SW_EXITINFO1's low half looks at the answer",
        arguments: [0x395, 0x398, 0x39b])
    func read(offset: Int) throws {
        #expect(
            try GuestProgram {
                Self.refused(&$0)
                $0.load(offset)
                Self.succeeding(&$0)
            }.findings().isEmpty)
    }

    @Test("a load beside SW_EXITINFO1 does not", arguments: [0x394, 0x39c, 0x3a0, 0x3f0])
    func readBeside(offset: Int) throws {
        let findings = try GuestProgram {
            Self.refused(&$0)
            $0.load(offset)
            Self.succeeding(&$0)
        }.findings()
        #expect(findings.map(\.rule) == [.responseIgnored])
    }

    @Test("an answer that the guest ignores at its end is nothing")
    func last() throws {
        #expect(try GuestProgram { Self.refused(&$0) }.findings().isEmpty)
    }

    @Test("a scratch area without RAM is found whether the hypervisor refuses it or fails")
    func scratchWithoutRAM() throws {
        for hypervisor in HypervisorBehaviour.allCases {
            var options = LaunchOptions()
            options.hypervisor = hypervisor
            options.ghcbVersion = 1
            let findings = try GuestProgram {
                $0.begin()
                $0.set(.swScratch, 1 << 45)
                $0.send(.mmioRead, 0xfe00_0000, 8)
                $0.readInfo1()
            }.findings(options)
            #expect(findings.map(\.rule) == [.scratchOutsideBuffer])
            #expect(findings.first?.message.contains("no RAM") == true)
        }
    }

    @Test("each vCPU is seen at the entry once, however it gets there")
    func entered() throws {
        for setup in GHCBSetup.allCases {
            let arguments = [LaunchOptions.Argument.value(7), .vcpuNumber]
            let options = LaunchOptions(setup: setup, vcpus: 3, arguments: arguments)
            let plan = try LaunchPlan(GuestProgram { Self.succeeding(&$0) }.image, options)
            for scope in [nil, 1] as [UInt64?] {
                let seen = try Self.entries(plan, limit: scope)
                #expect(seen.map(\.vcpu).sorted() == [0, 1, 2], "\(setup)")
                for (vcpu, expected, found) in seen {
                    #expect(expected[.rdi] == 7 && expected[.rsi] == UInt64(vcpu))
                    #expect(Linter.lostArguments(expected, found).isEmpty, "\(setup)")
                }
            }
        }
    }

    private typealias Arrival = (vcpu: Int, expected: [Register: UInt64], found: RegisterFile)

    /// The arrivals while all vCPUs run to their end, in one run or instruction by instruction.
    private static func entries(_ plan: LaunchPlan, limit: UInt64?) throws -> [Arrival] {
        let machine = try EmulatedMachine(plan)
        var arrivals: [Arrival] = []
        while true {
            let (_, exit) = try machine.run(.all, limit: limit ?? 1_000_000)
            #expect(exit != .breakpoint)
            for case .entered(let vcpu, let rip, let expected, let found)
                in machine.takeObservations()
            {
                #expect(rip == plan.entry)
                arrivals.append((vcpu, expected, found))
            }
            if exit == .idle { return arrivals }
        }
    }

    @Test("a breakpoint at the entry stops there, and the entry is seen all the same")
    func breakpointAtEntry() throws {
        let plan = try LaunchPlan(GuestProgram { Self.succeeding(&$0) }.image, LaunchOptions())
        let machine = try EmulatedMachine(plan)
        try machine.setBreakpoints([plan.entry])
        #expect(try machine.run(.all, limit: 1000).exit == .breakpoint)
        #expect(machine.registers(of: 0).value?[.rip] == plan.entry.rawValue)
        let arrivals = machine.takeObservations().filter {
            if case .entered = $0 { true } else { false }
        }
        #expect(arrivals.count == 1)
    }

    @Test("hidden state is not observed")
    func hardware() throws {
        let plan = try LaunchPlan(GuestProgram { Self.succeeding(&$0) }.image, LaunchOptions())
        let machine = try EmulatedMachine(plan, visibility: .hardware)
        _ = try machine.run(.all, limit: 1000)
        #expect(machine.takeObservations().isEmpty)
    }
}
