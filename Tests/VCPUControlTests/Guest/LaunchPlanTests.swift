import Testing
import VCPUControl

@Suite("LaunchPlan")
struct LaunchPlanTests {
    static let image = GuestImage(
        name: "test", entry: .init(0x10_0010),
        segments: [
            .init(address: .init(0x10_0000), bytes: [0x90, 0xc3], memorySize: 2),
            .init(address: .init(0x20_0000), bytes: [1, 2, 3], memorySize: 0x3000),
        ],
        shared: [0x20_1000..<0x20_3000],
        symbols: SymbolTable([.init(name: "here", address: .init(0x10_0010))]))

    private func plan(
        _ setup: GHCBSetup, vcpus: Int = 2, memory: UInt64 = 16 << 20
    ) throws -> LaunchPlan {
        try LaunchPlan(Self.image, LaunchOptions(setup: setup, vcpus: vcpus, memory: memory))
    }

    @Test("the guest's RAM is the user's, writable and executable; .shared has no C-bit")
    func guestMemory() throws {
        let walk = PlannedPages(try plan(.trampoline))
        for address in [0, 0x10_0000, 0x20_0fff, 0x20_3000, 16 << 20 - 1] as [UInt64] {
            #expect(walk.access(address) == "wxu")
        }
        #expect(walk.access(0x20_1000) == "wxus")
        #expect(walk.access(0x20_2fff) == "wxus")
        #expect(walk.isShared(0x20_1000) && walk.isShared(0x20_2000))
        #expect(!walk.isShared(0x20_0000) && !walk.isShared(0x20_3000))
        #expect(walk.load(0x10_0000) & 0xffff == 0xc390)
        #expect(walk.load(0x20_0000) == 0x03_0201)
    }

    @Test(
        "holes: nothing is mapped above RAM but the page of the serial port", arguments: [1, 512])
    func holes(vcpus: Int) throws {
        let plan = try plan(.pool, vcpus: vcpus)
        let walk = PlannedPages(plan)
        #expect(plan.ramSize <= 80 << 20)
        #expect(walk.access(plan.ramSize - 1) == "w")
        #expect(walk.access(plan.ramSize) == "-")
        #expect(walk.access(0xfdff_ffff) == "-")
        #expect(walk.access(0xfe00_0000) == "wus")
        #expect(walk.access(0xfe00_1000) == "-")
    }

    @Test("the largest guest fits, with the most vCPUs")
    func largest() throws {
        let memory: UInt64 = 0xf000_0000 - 64 << 20
        let plan = try plan(.pool, vcpus: 512, memory: memory)
        #expect(plan.ramSize <= memory + 64 << 20)
    }

    @Test("each vCPU has a GHCB and a stack of its own, with a guard below", arguments: [2, 200])
    func ownPages(vcpus: Int) throws {
        let plan = try plan(.host, vcpus: vcpus)
        let walk = PlannedPages(plan)
        let ghcbs = plan.vcpus.compactMap(\.ghcbMSR)
        #expect(Set(ghcbs).count == vcpus)
        for ghcb in ghcbs {
            #expect(ghcb & 0xfff == 0 && walk.access(ghcb) == "ws" && walk.isShared(ghcb))
            #expect(stride(from: ghcb, to: ghcb + 4096, by: 8).allSatisfy { walk.load($0) == 0 })
        }
        let size: UInt64 = vcpus <= 128 ? 256 << 10 : 64 << 10
        for vcpu in plan.vcpus {
            let top = vcpu.registers[.rsp] + 24
            #expect(top & 0xfff == 0)
            #expect(walk.access(top - 1) == "w" && walk.access(top - size) == "w")
            #expect(walk.access(top - size - 1) == "-")
        }
    }

    @Test("entry: rsp is 8 mod 16 and points to a return address in the stub")
    func stack() throws {
        for setup in GHCBSetup.allCases {
            let plan = try plan(setup)
            let walk = PlannedPages(plan)
            for vcpu in plan.vcpus {
                #expect(vcpu.registers[.rsp] % 16 == 8)
                let target = GuestVirtualAddress(walk.load(vcpu.registers[.rsp]))
                #expect(plan.symbols.describe(target) == "sevdbg_returned")
                #expect(walk.access(target.rawValue) == "rx")
                #expect(walk.load(vcpu.returnedAt.rawValue) & 0xff == 0xf4)
            }
        }
    }

    @Test("who writes the GHCB MSR: the pool, the trampoline, or the host")
    func setups() throws {
        let pool = try plan(.pool).vcpus[1]
        #expect(
            try plan(.pool).symbols.describe(.init(pool.registers[.rip])) == "sevdbg_pool_entry")
        #expect(pool.registers[.r14] == 0x10_0010 && pool.ghcbMSR == nil)
        let trampoline = try plan(.trampoline).vcpus[1]
        let start = GuestVirtualAddress(trampoline.registers[.rip])
        #expect(try plan(.trampoline).symbols.describe(start) == "sevdbg_trampoline")
        #expect(trampoline.registers[.r14] == 0x10_0010 && trampoline.ghcbMSR == nil)
        let host = try plan(.host).vcpus[1]
        #expect(host.registers[.rip] == 0x10_0010)
        #expect(host.ghcbMSR == trampoline.registers[.r15])
    }

    @Test("a guest's own ghcb_trampoline takes the place of sevdbg's, under that setup only")
    func ownTrampoline() throws {
        var image = Self.image
        image.symbols = SymbolTable([.init(name: "ghcb_trampoline", address: .init(0x20_0004))])
        for setup in GHCBSetup.allCases {
            let own = try LaunchPlan(image, LaunchOptions(setup: setup, vcpus: 2))
            let usual = try plan(setup)
            for (own, usual) in zip(own.vcpus, usual.vcpus) {
                var expected = usual.registers
                if setup == .trampoline { expected[.rip] = 0x20_0004 }
                #expect(own.registers == expected)
            }
        }
        let vcpu = try LaunchPlan(image, LaunchOptions()).vcpus[0]
        #expect(vcpu.registers[.r14] == 0x10_0010)
        #expect(PlannedPages(try plan(.trampoline)).isShared(vcpu.registers[.r15]))
    }

    @Test("the faults of the hypervisor go from the guest to the plan")
    func faults() throws {
        var image = Self.image
        #expect(try LaunchPlan(image, LaunchOptions()).hypervisorFaults == [])
        image.hypervisorFaults = .keepsFirstGHCB
        #expect(try LaunchPlan(image, LaunchOptions()).hypervisorFaults == .keepsFirstGHCB)
    }

    @Test("the pool: a count, a free bitmap, and the pages' addresses apart from the pages")
    func pool() throws {
        let plan = try plan(.pool, vcpus: 3)
        let walk = PlannedPages(plan)
        let pool = plan.vcpus[0].registers[.r15]
        #expect(walk.load(pool) == 3)
        #expect((0..<8).allSatisfy { walk.load(pool + 8 + $0 * 8) == 0 })
        for entry in 0..<3 as Range<UInt64> {
            let address = walk.load(pool + 0x80 + entry * 16)
            #expect(walk.load(pool + 0x88 + entry * 16) == address)
            #expect(walk.access(address) == "ws" && address & 0xfff == 0)
        }
        #expect(walk.access(pool) == "w" && !walk.isShared(pool))
    }

    @Test(
        "descriptors: flat 64-bit segments, SYSRET's order, and a TSS with stacks that are mapped")
    func descriptors() throws {
        let plan = try plan(.host)
        let walk = PlannedPages(plan)
        for vcpu in plan.vcpus {
            let system = vcpu.system
            #expect(system.cs == Segment(selector: 8, attributes: 0xa9b))
            #expect(system.ss == Segment(selector: 0x10, attributes: 0xc93))
            #expect(walk.load(system.gdtr.base + 0x20) == 0x00cf_f300_0000_ffff)
            #expect(walk.load(system.gdtr.base + 0x28) == 0x00af_fb00_0000_ffff)
            #expect(system.gdtr.limit == 0x3f && system.tr.selector == 0x30)
            let low = walk.load(system.gdtr.base + 0x30)
            let base = low >> 16 & 0xff_ffff | (low >> 56) << 24
            #expect(base == system.tr.base)
            for field in [4, 0x24] as [UInt64] {
                let low = walk.load(base + field & ~7) >> 32
                let stack = low | walk.load((base + field + 4) & ~7) << 32 & 0xffff_ffff << 32
                #expect(walk.access(stack - 8) == "w" && stack % 16 == 0)
            }
        }
    }

    @Test("IDT: #VC alone has a gate, into the stub, on IST1")
    func idt() throws {
        let plan = try plan(.host)
        let walk = PlannedPages(plan)
        let idt = plan.vcpus[0].system.idtr
        #expect(idt.limit == 0xfff && walk.access(idt.base) == "r")
        for vector in 0..<256 as Range<UInt64> where vector != 29 {
            #expect(walk.load(idt.base + vector * 16) == 0)
        }
        let gate = walk.load(idt.base + 29 * 16)
        let target = gate & 0xffff | (gate >> 48) << 16 | walk.load(idt.base + 29 * 16 + 8) << 32
        #expect(plan.symbols.describe(.init(target)) == "sevdbg_vc_handler")
        #expect(gate >> 32 & 0xffff == 0x8e01 && gate >> 16 & 0xffff == 8)
    }

    @Test("debugged through the stub: a first stop, gates that stop, and faults while it stands")
    func debugStub() throws {
        let options = LaunchOptions(setup: .pool, vcpus: 2, hasDebugStub: true)
        let plan = try LaunchPlan(Self.image, options)
        let walk = PlannedPages(plan)
        func gates(_ base: UInt64) -> [UInt64: String] {
            (0..<256 as Range<UInt64>).reduce(into: [:]) { gates, vector in
                let low = walk.load(base + vector * 16)
                guard low != 0 else { return }
                let high = walk.load(base + vector * 16 + 8) << 32
                let target = low & 0xffff | (low >> 48) << 16 | high
                let name = plan.symbols.describe(.init(target)) ?? "?"
                gates[vector] = "\(name) \(low >> 32 & 7)"
            }
        }
        let idt = plan.vcpus[0].system.idtr.base
        #expect(
            gates(idt) == [
                1: "sevdbg_db_handler 1", 2: "sevdbg_nmi_handler 2", 3: "sevdbg_bp_handler 1",
                29: "sevdbg_vc_handler 1",
            ])
        #expect(Set(gates(idt + 4096).keys) == [2, 12, 13, 14, 29])
        for vcpu in plan.vcpus {
            let start = plan.symbols.describe(.init(vcpu.registers[.rip]))
            #expect(start == "sevdbg_debug_start")
            let mailbox = try #require(vcpu.mailbox).rawValue
            for page in 0..<3 as Range<UInt64> {
                #expect(walk.access(mailbox + page * 4096) == "ws")
            }
        }
        #expect(try LaunchPlan(Self.image, LaunchOptions(setup: .pool)).debugStub == nil)
    }

    @Test("arguments: numbers, the vCPU's number and symbols, in the selftests' order")
    func arguments() throws {
        let options = LaunchOptions(
            vcpus: 2, arguments: [.value(7), .vcpuNumber, .symbol("here"), .value(UInt64.max)])
        let vcpu = try LaunchPlan(Self.image, options).vcpus[1]
        #expect(Register.arguments.map { vcpu.registers[$0] } == [7, 1, 0x10_0010, .max, 0, 0])
    }

    @Test(
        "options that do not fit",
        arguments: [
            LaunchOptions(memory: 1 << 20 - 4096), LaunchOptions(memory: 16 << 20 + 1),
            LaunchOptions(memory: 0xf000_0000), LaunchOptions(memory: .max & ~0xfff),
            LaunchOptions(memory: 2 << 20), LaunchOptions(vcpus: 0), LaunchOptions(vcpus: 513),
            LaunchOptions(vcpus: -1), LaunchOptions(ghcbVersion: 3), LaunchOptions(ghcbVersion: 0),
            LaunchOptions(arguments: Array(repeating: .value(0), count: 7)),
            LaunchOptions(arguments: [.symbol("nowhere")]),
        ])
    func badOptions(options: LaunchOptions) {
        let error = #expect(throws: GuestError.self) { try LaunchPlan(Self.image, options) }
        guard case .badOption(let text) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("give") || text.contains("shorten"))
    }

    @Test("regions are whole pages, in order, and do not overlap")
    func regions() throws {
        let plan = try plan(.pool, vcpus: 3)
        var end: UInt64 = 0
        for region in plan.regions {
            #expect(region.address.offset == 0 && region.bytes.count % 4096 == 0)
            #expect(region.address.rawValue >= end)
            end = region.address.rawValue + UInt64(region.bytes.count)
        }
        #expect(end <= plan.ramSize)
    }

    @Test(
        "the stub's termination reasons are numbered without gaps, and no other set is the stub's")
    func terminations() {
        #expect(StubTermination.allCases.map(\.code) == Array(0...6))
        #expect(StubTermination(set: 5, code: 3) == .notDecoded)
        #expect(StubTermination(set: 5, code: 7) == nil && StubTermination(set: 0, code: 0) == nil)
    }
}
