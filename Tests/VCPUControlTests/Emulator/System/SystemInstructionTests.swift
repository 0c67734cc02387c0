import Testing

@testable import VCPUControl

@Suite("System instructions")
struct SystemInstructionTests {
    func writeControl(_ guest: SystemGuest, _ number: UInt8, _ value: UInt64) -> Fault? {
        guest.vcpu.gpr[3] = value
        return guest.execute(.move) {
            ($0.destination, $0.source) = (Instruction.controlRegisters + number, 3)
            $0.form = .registerRegister
        }
    }

    @Test("CR0, CR3, CR4 and CR8 refuse what the architecture refuses")
    func controlRegisters() throws {
        let guest = try #require(SystemGuest())
        let refused: [(UInt8, UInt64)] = [
            (0, 1 << 32), (0, 0x8000_0010), (0, 0xa001_0033), (3, 1 << 48), (3, 1 << 52),
            (4, 0x600), (4, 0x1620), (4, 1 << 17 | 0x620), (4, 1 << 22 | 0x620), (8, 16),
        ]
        for (number, value) in refused {
            #expect(writeControl(guest, number, value) == .generalProtection(), "CR\(number)")
        }
        #expect(writeControl(guest, 0, 0x31) == .unimplemented)
        #expect(writeControl(guest, 1, 0) == .invalidOpcode)
        #expect(writeControl(guest, 0, 0x8005_0023) == nil)
        #expect(guest.vcpu.system.cr0 == 0x8005_0033)
        #expect(writeControl(guest, 3, 0x1000 | 1 << 51) == nil)
        #expect(writeControl(guest, 4, 0x30_0620) == nil)
        #expect(writeControl(guest, 8, 15) == nil)
        #expect(guest.vcpu.rip == 0x10008)
        guest.enterUser()
        #expect(writeControl(guest, 2, 0) == .generalProtection())
    }

    @Test("a new CR3 takes effect at once")
    func flush() throws {
        let guest = try #require(SystemGuest())
        let load = { (vcpu: inout EmulatedVCPU) throws(Fault) in
            _ = try vcpu.load(UInt8.self, at: 0x100000, .ds)
        }
        #expect(guest.fault(load) == nil)
        #expect(writeControl(guest, 3, 0x9000) == nil)
        #expect(guest.fault(load) == .pageFault(0x100000, 0))
    }

    @Test("LMSW cannot clear PE; CLTS clears TS; SMSW stores 16 bits or the register")
    func statusWord() throws {
        let guest = try #require(SystemGuest())
        guest.vcpu.gpr[0] = 0xffff_fff8
        #expect(guest.execute(.lmsw) { ($0.form, $0.width) = (.register, 2) } == nil)
        #expect(guest.vcpu.system.cr0 == 0x8001_0039)
        #expect(guest.execute(.clts) == nil)
        #expect(
            guest.execute(.smsw) { ($0.form, $0.destination, $0.width) = (.register, 1, 4) } == nil)
        #expect(guest.vcpu.gpr[1] == 0x8001_0031)
    }

    @Test("LGDT and SGDT move 10 bytes")
    func descriptorTables() throws {
        let guest = try #require(SystemGuest())
        let table = { (change: inout Instruction) in
            (change.form, change.width, change.displacement) = (.memory, 10, 0x10_0000)
        }
        guest.put(0x8344_5566_7788_0fff, at: 0x100000)
        guest.put(0xffff, at: 0x100008)
        #expect(guest.execute(.lidt, table) == nil)
        #expect(
            guest.vcpu.system.idtr == DescriptorTable(base: 0xffff_8344_5566_7788, limit: 0xfff))
    }

    @Test("LIDT refuses a base that is not canonical, SIDT stores what was loaded")
    func canonicalTable() throws {
        let guest = try #require(SystemGuest())
        let table = { (change: inout Instruction) in
            (change.form, change.width, change.displacement) = (.memory, 10, 0x10_0000)
        }
        guest.put(0xffff, at: 0x100000)
        guest.put(0x1122, at: 0x100008)
        #expect(guest.execute(.lidt, table) == .generalProtection())
        #expect(guest.execute(.sgdt, table) == nil)
        #expect(guest.get(0x100000) == 0x6000_004f)
    }

    @Test("LTR makes the TSS busy, and refuses a busy one; LLDT takes an LDT")
    func systemSegments() throws {
        let guest = try #require(SystemGuest())
        let load = { (operation: SystemOperation, selector: UInt64) in
            guest.vcpu.gpr[0] = selector
            return guest.execute(operation) { ($0.form, $0.width) = (.register, 2) }
        }
        #expect(load(.ltr, 0x28) == nil)
        #expect(guest.get(0x6028) >> 40 & 0xff == 0x8b)
        #expect(guest.vcpu.system.tr.base == 0x8000)
        #expect(load(.ltr, 0x28) == .generalProtection(0x28))
        #expect(load(.ltr, 0) == .generalProtection())
        #expect(load(.lldt, 0x38) == nil)
        #expect(guest.vcpu.system.ldtr.base == 0x9000)
        #expect(load(.lldt, 0x10) == .generalProtection(0x10))
        #expect(load(.lldt, 0x48) == .generalProtection(0x48))
        #expect(load(.lldt, 0) == nil)
    }

    @Test("MOV to segments checks type, privilege and presence")
    func segments() throws {
        let guest = try #require(SystemGuest())
        let move = { (name: SegmentName, selector: UInt64) in
            guest.vcpu.gpr[0] = selector
            return guest.execute(.move) {
                $0.destination = Instruction.segmentRegisters + name.rawValue
                ($0.source, $0.form, $0.width) = (0, .registerRegister, 2)
            }
        }
        #expect(move(.ds, 0x10) == nil)
        #expect(guest.get(0x6010) >> 40 & 1 == 1)
        #expect(move(.cs, 0x08) == .invalidOpcode)
        #expect(move(.ss, 0x08) == .generalProtection(0x08))
        #expect(move(.ss, 0x18) == .generalProtection(0x18))
        #expect(move(.ds, 0x58) == .generalProtection(0x58))
        guest.put(0x00cf_1200_0000_ffff, at: 0x6010)
        #expect(move(.es, 0x10) == .notPresent(0x10))
        #expect(move(.ss, 0x10) == .stack(0x10))
        #expect(move(.ss, 0) == nil)
        guest.vcpu.system.fs.base = 0x1234
        #expect(move(.fs, 0) == nil)
        #expect(guest.vcpu.system.fs.base == 0x1234)
        guest.enterUser()
        #expect(move(.ds, 0x10) == .generalProtection(0x10))
        #expect(move(.ss, 3) == .generalProtection())
    }

    @Test("SYSCALL and SYSRET as AMD has them")
    func systemCall() throws {
        let guest = try #require(SystemGuest())
        guest.enterUser()
        guest.vcpu.msrs.star = 0x0010_0008_0000_0000
        guest.vcpu.msrs.lstar = 0x12000
        guest.vcpu.msrs.sfmask = 0x300
        guest.vcpu.flags.value = 0x1_0302
        #expect(guest.execute(.syscall) == nil)
        #expect(guest.vcpu.rip == 0x12000)
        #expect(guest.vcpu.gpr[1] == 0x10002)
        #expect(guest.vcpu.gpr[11] == 0x302)
        #expect(guest.vcpu.flags.value == 2)
        #expect(guest.vcpu.system.cpl == 0)
        #expect(guest.vcpu.system.cs.selector == 8)
        #expect(guest.vcpu.system.ss.selector == 16)
        #expect(!guest.vcpu.memory.isUser)
        guest.vcpu.gpr[11] = 0x3_0302
        #expect(guest.execute(.sysret) == nil)
        #expect(guest.vcpu.rip == 0x10002)
        #expect(guest.vcpu.flags.value == 0x302)
        #expect(guest.vcpu.system.cs.selector == 0x23)
        #expect(guest.vcpu.system.ss.selector == 0x1b)
        #expect(guest.vcpu.system.cpl == 3)
        #expect(guest.vcpu.memory.isUser)
        #expect(guest.execute(.sysret) == .generalProtection())
        guest.vcpu.system.efer &= ~1
        #expect(guest.execute(.syscall) == .invalidOpcode)
    }

    /// Puts an IRETQ frame at 0x1f000.
    func frame(_ guest: SystemGuest, _ words: [UInt64]) {
        for (index, word) in words.enumerated() { guest.put(word, at: 0x1f000 + UInt64(index) * 8) }
        guest.vcpu.gpr[4] = 0x1f000
    }

    @Test("IRETQ to CPL 3 switches stack and level and drops the kernel's segments")
    func interruptReturn() throws {
        let guest = try #require(SystemGuest())
        guest.vcpu.system.ds = Segment(selector: 0x10, attributes: 0xc93)
        guest.vcpu.system.es = Segment(selector: 0x1b, attributes: 0xcf3)
        let resume: UInt64 = 1 << 16  // gone with the next instruction, so never kept
        frame(guest, [0x15000, 0x23, 0x3302 | resume, 0x30000, 0x1b])
        #expect(guest.execute(.interruptReturn) == nil)
        #expect(guest.vcpu.rip == 0x15000)
        #expect(guest.vcpu.gpr[4] == 0x30000)
        #expect(guest.vcpu.flags.value == 0x3302)
        #expect(guest.vcpu.system.cpl == 3)
        #expect(guest.vcpu.system.ds.selector == 0)
        #expect(guest.vcpu.system.es.selector == 0x1b)
        guest.vcpu.flags.value = 0x202
        frame(guest, [0x15000, 0x23, 0x3002, 0x30000, 0x1b])
        #expect(guest.execute(.interruptReturn) == nil)
        #expect(guest.vcpu.flags.value == 0x202)
    }

    @Test("IRETQ refuses bad frames and changes nothing")
    func badReturns() throws {
        let guest = try #require(SystemGuest())
        let refused: [([UInt64], Fault)] = [
            ([0x15000, 0, 2, 0x30000, 0x10], .generalProtection()),
            ([0x15000, 0x58, 2, 0x30000, 0x10], .generalProtection(0x58)),
            ([0x15000, 0x10, 2, 0x30000, 0x10], .generalProtection(0x10)),
            ([0x15000, 0x20, 2, 0x30000, 0x10], .generalProtection(0x20)),
            ([0x15000, 0x23, 2, 0x30000, 0x10], .generalProtection(0x10)),
            ([0x15000, 0x23, 2, 0x30000, 0], .generalProtection()),
            ([0x8000_0000_0000, 8, 2, 0x30000, 0x10], .generalProtection()),
        ]
        for (words, fault) in refused {
            frame(guest, words)
            #expect(guest.execute(.interruptReturn) == fault)
            #expect(guest.vcpu.gpr[4] == 0x1f000)
            #expect(guest.vcpu.system.cpl == 0)
        }
        guest.vcpu.flags.value |= FlagBits.nestedTask
        #expect(guest.execute(.interruptReturn) == .generalProtection())
    }

    @Test("LRETQ reloads CS; code that is not 64-bit is not emulated")
    func farReturn() throws {
        let guest = try #require(SystemGuest())
        frame(guest, [0x15000, 8])
        #expect(guest.execute(.farReturn) { $0.immediate = 16 } == nil)
        #expect(guest.vcpu.rip == 0x15000)
        #expect(guest.vcpu.gpr[4] == 0x1f020)
        guest.put(0x00cf_9a00_0000_ffff, at: 0x6008)
        frame(guest, [0x15000, 8])
        #expect(guest.execute(.farReturn) == .unimplemented)
        #expect(guest.vcpu.gpr[4] == 0x1f000)
    }

    @Test("far JMP and CALL take m16:32 and m16:64")
    func farTransfers() throws {
        let guest = try #require(SystemGuest())
        guest.put(0x0008_0001_5000, at: 0x100000)
        #expect(guest.execute(.farJump) { ($0.width, $0.displacement) = (6, 0x10_0000) } == nil)
        #expect(guest.vcpu.rip == 0x15000)
        guest.put(0x16000, at: 0x100000)
        guest.put(8, at: 0x100008)
        #expect(guest.execute(.farCall) { ($0.width, $0.displacement) = (10, 0x10_0000) } == nil)
        #expect(guest.vcpu.rip == 0x16000)
        #expect(guest.vcpu.gpr[4] == 0x1fff0)
        #expect(guest.get(0x1fff0) == 0x15002)
        #expect(guest.get(0x1fff8) == 8)
    }

    @Test("SWAPGS, RDGSBASE and its like, RDTSCP, RDPID")
    func smallOnes() throws {
        let guest = try #require(SystemGuest())
        guest.vcpu.msrs.kernelGSBase = 0x7000
        guest.vcpu.system.gs.base = 0x8000
        #expect(guest.execute(.swapgs) == nil)
        let operand = { (change: inout Instruction) in
            (change.form, change.destination) = (.register, 3)
        }
        #expect(guest.execute(.rdgsbase, operand) == .invalidOpcode)
        guest.vcpu.system.cr4 |= CR4.fsgsbase
        #expect(guest.execute(.rdgsbase, operand) == nil)
        #expect(guest.vcpu.gpr[3] == 0x7000)
        guest.vcpu.gpr[3] = 0x8000_0000_0000
        #expect(guest.execute(.wrfsbase, operand) == .generalProtection())
        (guest.vcpu.retired, guest.vcpu.events.timeStampBase) = (5, 1 << 32)
        guest.vcpu.msrs.tscAux = 9
        #expect(guest.execute(.rdtscp) == nil)
        #expect(guest.vcpu.edxEAX == 1 << 32 + 5)
        #expect(guest.vcpu.gpr[1] == 9)
        guest.vcpu.system.cr4 |= CR4.timeStampDisable
        guest.enterUser()
        #expect(guest.execute(.rdtsc) == .generalProtection())
        #expect(guest.execute(.rdpid, operand) == nil)
        #expect(guest.vcpu.gpr[3] == 9)
    }

    @Test("XSETBV accepts x87 and SSE only, with CR4.OSXSAVE")
    func extendedControl() throws {
        let guest = try #require(SystemGuest())
        #expect(guest.execute(.xgetbv) == .invalidOpcode)
        guest.vcpu.system.cr4 |= CR4.osxsave
        for (value, fault) in [
            (3, nil), (1, nil), (2, .generalProtection()), (7, .generalProtection()),
        ]
            as [(UInt64, Fault?)]
        {
            guest.vcpu.edxEAX = value
            #expect(guest.execute(.xsetbv) == fault)
        }
        #expect(guest.vcpu.system.xcr0 == 1)
    }

    @Test("LAR, LSL, VERR and VERW say in ZF what may be used")
    func inspection() throws {
        let guest = try #require(SystemGuest())
        let inspect = { (operation: SystemOperation, selector: UInt64) -> UInt64? in
            (guest.vcpu.gpr[0], guest.vcpu.gpr[3]) = (selector, 0)
            let fault = guest.execute(operation) {
                ($0.form, $0.destination, $0.source, $0.width) = (.registerRegister, 3, 0, 4)
            }
            #expect(fault == nil)
            return guest.vcpu.flags.value & FlagBits.zero != 0 ? guest.vcpu.gpr[3] : nil
        }
        #expect(inspect(.lar, 0x10) == 0xcf_9200)
        #expect(inspect(.lsl, 0x10) == 0xffff_ffff)
        #expect(inspect(.lsl, 0x28) == 0x67)
        #expect(inspect(.lar, 0) == nil)
        #expect(inspect(.lar, 0x13) == nil)
        #expect(inspect(.verr, 0x08) == 0)
        #expect(inspect(.verw, 0x08) == nil)
        #expect(inspect(.verw, 0x10) == 0)
        #expect(inspect(.verr, 0x28) == nil)
    }
}
