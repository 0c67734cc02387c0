import Testing

@testable import VCPUControl

@Suite("Event delivery")
struct EventTests {
    /// The frame that a handler finds, from RSP up.
    static func frame(_ guest: SystemGuest, count: Int = 6) -> [UInt64] {
        (0..<UInt64(count)).map { guest.get(guest.vcpu.gpr[4] + $0 * 8) }
    }

    @Test("a fault pushes SS, RSP, RFLAGS with RF, CS, RIP and its error code on 16 aligned bytes")
    func fault() throws {
        let guest = try #require(SystemGuest())
        guest.gate(29, to: 0x12000)
        guest.vcpu.gpr[4] = 0x1fff8
        guest.vcpu.flags.value = 0x4303
        #expect(guest.vcpu.deliver(.vmmCommunication(0x72)) == nil)
        #expect(guest.vcpu.rip == 0x12000)
        #expect(guest.vcpu.gpr[4] == 0x1fff0 - 48)
        #expect(Self.frame(guest) == [0x72, 0x10000, 8, 0x1_4303, 0x1fff8, 0x10])
        #expect(guest.vcpu.flags.value == 3)
        #expect(guest.vcpu.system.ss.selector == 0x10)
    }

    @Test("a trap gate keeps IF; a trap pushes no RF, and a vector without code none")
    func trap() throws {
        let guest = try #require(SystemGuest())
        guest.gate(6, to: 0x12000, type: 0xf)
        guest.vcpu.flags.value = 0x202
        #expect(guest.vcpu.deliver(Fault(vector: 6, errorCode: nil, isTrap: true)) == nil)
        #expect(guest.vcpu.flags.value == 0x202)
        #expect(Self.frame(guest, count: 5) == [0x10000, 8, 0x202, 0x20000, 0x10])
    }

    @Test("an INT3 that is taken without TF swallows no later single-step trap")
    func trapAfterInterrupt() throws {
        let guest = try #require(SystemGuest())
        guest.gate(3, to: 0x12000)
        guest.gate(29, to: 0x13000)
        guest.put(0xcc, at: 0x10000)
        guest.put(0x0000_0100_240c_819c, at: 0x12000)  // pushf; orl $0x100, (%rsp)
        guest.put(0x909d, at: 0x12008)  // popf; nop
        guard case .limit = guest.vcpu.run(limit: 5) else {
            Issue.record("the run ended early")
            return
        }
        #expect(guest.vcpu.rip == 0x13000)
        #expect(Self.frame(guest).prefix(2) == [0x41, 0x1200a])
    }

    @Test("exactly these vectors push an error code")
    func errorCodes() {
        let pushing = (0...255 as ClosedRange<UInt8>).filter(Fault.pushesErrorCode)
        #expect(pushing == [8, 10, 11, 12, 13, 14, 17, 21, 29, 30])
    }

    @Test("from CPL 3 the stack comes from the TSS and SS is null")
    func privilegeChange() throws {
        let guest = try #require(SystemGuest())
        guest.enterUser()
        guest.map(0x1e000, to: 0x1e000, flags: 3)
        guest.gate(13, to: 0x12000)
        #expect(guest.vcpu.deliver(.generalProtection(0x18)) == nil)
        #expect(guest.vcpu.system.cpl == 0)
        #expect(guest.vcpu.system.ss.selector == 0)
        #expect(guest.vcpu.system.cs.selector == 8)
        #expect(Self.frame(guest) == [0x18, 0x10000, 0x23, 0x1_0002, 0x30000, 0x1b])
        #expect(!guest.vcpu.memory.isUser)
    }

    @Test("a gate with an IST switches stacks without a change of privilege")
    func interruptStack() throws {
        let guest = try #require(SystemGuest())
        guest.gate(29, to: 0x12000, stack: 1)
        #expect(guest.vcpu.deliver(.vmmCommunication(0x7c)) == nil)
        #expect(guest.vcpu.gpr[4] == 0x1e000 - 48)
        #expect(guest.vcpu.system.ss.selector == 0x10)
    }

    @Test("#PF sets CR2")
    func pageFault() throws {
        let guest = try #require(SystemGuest())
        guest.gate(14, to: 0x12000)
        #expect(guest.vcpu.deliver(.pageFault(0xdead_b000, 2)) == nil)
        #expect(guest.vcpu.system.cr2 == 0xdead_b000)
    }

    @Test("a gate that is not present is #NP(vector * 8 + 2 + EXT), of another type #GP")
    func gates() throws {
        let guest = try #require(SystemGuest())
        guest.gate(11, to: 0x12000)
        guest.gate(13, to: 0x13000)
        guest.gate(6, to: 0x14000, present: false)
        #expect(guest.vcpu.deliver(.invalidOpcode) == nil)
        #expect(guest.vcpu.rip == 0x12000)
        #expect(Self.frame(guest).first == 6 * 8 + 3)
        guest.gate(6, to: 0x14000, type: 5)
        #expect(guest.vcpu.deliver(.invalidOpcode) == nil)
        #expect(guest.vcpu.rip == 0x13000)
        #expect(Self.frame(guest).first == 6 * 8 + 3)
    }

    @Test("two contributory exceptions make #DF; a benign one and a fault do not")
    func doubleFault() throws {
        let guest = try #require(SystemGuest())
        guest.gate(8, to: 0x12000)
        #expect(guest.vcpu.deliver(.vmmCommunication(0x72)) == nil)
        #expect(guest.vcpu.rip == 0x12000)
        #expect(Self.frame(guest).first == 0)
        #expect(Fault.pageFault(0, 0).escalates(with: .pageFault(0, 0)))
        #expect(Fault.pageFault(0, 0).escalates(with: .generalProtection()))
        #expect(!Fault.generalProtection().escalates(with: .pageFault(0, 0)))
        #expect(!Fault.invalidOpcode.escalates(with: .generalProtection()))
    }

    @Test("a triple fault names the first exception, where it was, and what stood in the way")
    func tripleFault() throws {
        let guest = try #require(SystemGuest())
        guest.vcpu.system.idtr.limit = 0
        guest.vcpu.rip = 0x10_0012
        #expect(
            guest.vcpu.deliver(.vmmCommunication(0x72))
                == .shutdown(
                    "#VC(0x72) at 0x100012, not delivered: IDT limit 0; nor was the #DF: IDT limit 0"
                ))
        guest.vcpu.system.idtr.limit = 0xfff
        guest.gate(14, to: 0x12000)
        guest.gate(8, to: 0x12000, stack: 7)
        guest.vcpu.gpr[4] = 0x500000
        #expect(
            guest.vcpu.deliver(.pageFault(0x5000, 2))
                == .shutdown(
                    "#PF(0x2, CR2 0x5000) at 0x100012, not delivered: the stack at 0x4fffd0 cannot "
                        + "be written (#PF(0x2, CR2 0x4fffd0)); nor was the #DF: the stack at "
                        + "0xffffffffffffffd0 cannot be written (#PF(0x2, CR2 0xffffffffffffffd0))")
        )
    }

    @Test("INT n checks the gate's DPL, pushes no error code and no RF, and goes behind itself")
    func softwareInterrupt() throws {
        let guest = try #require(SystemGuest())
        guest.enterUser()
        guest.gate(13, to: 0x12000, level: 0)
        guest.gate(0x80, to: 0x13000, level: 3)
        let refused = guest.execute(.int) { $0.immediate = 13 }
        #expect(refused == .generalProtection(13 * 8 + 2))
        #expect(guest.vcpu.rip == 0x10000)
        #expect(guest.execute(.int) { $0.immediate = 0x80 } == nil)
        #expect(guest.vcpu.rip == 0x13000)
        #expect(Self.frame(guest, count: 5) == [0x10002, 0x23, 2, 0x30000, 0x1b])
    }

    @Test("ICEBP is a #DB, which is intercepted: #VC(0x41) with RIP behind it")
    func icebp() throws {
        let guest = try #require(SystemGuest())
        guest.gate(29, to: 0x12000)
        #expect(guest.execute(.int1) { $0.length = 1 } == nil)
        #expect(Self.frame(guest).prefix(2) == [0x41, 0x10001])
    }

    @Test("a step with TF is #VC(0x41) and DR6.BS, but not behind INT n")
    func singleStep() throws {
        let guest = try #require(SystemGuest())
        guest.vcpu.flags.value |= FlagBits.trap
        #expect(guest.vcpu.afterInstruction() == .debugTrap)
        #expect(guest.vcpu.system.dr6 == 0xffff_4ff0)
        guest.gate(0x80, to: 0x13000)
        #expect(guest.execute(.int) { $0.immediate = 0x80 } == nil)
        #expect(guest.vcpu.afterInstruction() == nil)
        #expect(guest.vcpu.afterInstruction() == .debugTrap)
    }
}
