import Testing

@testable import VCPUControl

@Suite("Intercepted instructions")
struct InterceptTests {
    static let table: [(SystemOperation, UInt64)] = [
        (.cpuid, 0x72), (.rdpmc, 0x6f), (.invd, 0x76), (.wbinvd, 0x89), (.monitor, 0x8a),
        (.mwait, 0x8b), (.rdpru, 0x8e), (.rsm, 0x73), (.input, 0x7b), (.output, 0x7b),
        (.inputString, 0x7b), (.outputString, 0x7b), (.vmmcall, 0x81), (.vmrun, 0x80),
        (.vmload, 0x82), (.vmsave, 0x83), (.stgi, 0x84), (.clgi, 0x85), (.skinit, 0x86),
        (.invlpga, 0x7a),
    ]

    @Test("each is #VC with its exit code, RIP on it", arguments: table)
    func codes(_ operation: SystemOperation, _ code: UInt64) throws {
        let guest = try #require(SystemGuest())
        guest.vcpu.system.efer |= Efer.secureVirtualMachine
        #expect(guest.execute(operation) == .vmmCommunication(code))
        #expect(guest.vcpu.rip == 0x10000)
    }

    @Test("at CPL 3 the instruction's own #GP and #UD come first")
    func privilege() throws {
        let guest = try #require(SystemGuest())
        guest.enterUser()
        let protected: [SystemOperation] = [
            .rdpmc, .invd, .wbinvd, .input, .outputString, .rdmsr, .wrmsr, .hlt, .clts, .lgdt,
            .lidt, .lldt, .ltr, .lmsw, .swapgs, .invlpg, .cli, .sti,
        ]
        for operation in protected {
            #expect(guest.execute(operation) == .generalProtection(), "\(operation)")
        }
        for operation in [SystemOperation.monitor, .mwait, .stac, .clac, .vmrun, .undefined] {
            #expect(guest.execute(operation) == .invalidOpcode, "\(operation)")
        }
        #expect(guest.execute(.cpuid) == .vmmCommunication(0x72))
        #expect(guest.execute(.vmmcall) == .vmmCommunication(0x81))
        guest.vcpu.system.efer |= Efer.secureVirtualMachine
        #expect(guest.execute(.vmrun) == .generalProtection())
        guest.vcpu.flags.value |= FlagBits.privilegeLevel
        #expect(guest.execute(.input) == .vmmCommunication(0x7b))
    }

    @Test("above IOPL the TSS's bitmap decides about ports")
    func portBitmap() throws {
        let guest = try #require(SystemGuest())
        guest.enterUser()
        guest.vcpu.system.tr.limit = 0xe9
        guest.put(0x00ff_ffff_ffff_fffb, at: 0x80e0)
        let port = { (number: UInt64, width: UInt8) in
            guest.vcpu.gpr[2] = number
            return guest.execute(.input) { $0.width = width }
        }
        #expect(port(0x3c2, 1) == .vmmCommunication(0x7b))
        #expect(port(0x3c2, 2) == .generalProtection())
        #expect(port(0x3c1, 1) == .generalProtection())
        #expect(port(0x3f8, 1) == .vmmCommunication(0x7b))
        #expect(port(0x410, 1) == .generalProtection())
        let immediate = guest.execute(.output) { instruction in
            (instruction.width, instruction.form) = (1, .registerImmediate)
            instruction.immediate = 0x80
        }
        #expect(immediate == .vmmCommunication(0x7b))
    }

    @Test("REP INS with a count of zero does nothing")
    func emptyString() throws {
        let guest = try #require(SystemGuest())
        guest.vcpu.gpr[1] = 0
        #expect(guest.execute(.inputString) { $0.prefixes = .rep } == nil)
        #expect(guest.vcpu.rip == 0x10002)
        guest.vcpu.gpr[1] = 1 << 32
        #expect(guest.execute(.inputString) { $0.prefixes = [.rep, .address32] } == nil)
    }

    @Test("DR7 is intercepted, DR4 and DR5 are aliases unless CR4.DE")
    func debugRegisters() throws {
        let guest = try #require(SystemGuest())
        let read = { (number: UInt8) in
            guest.execute(.move) {
                ($0.destination, $0.source) = (0, Instruction.debugRegisters + number)
            }
        }
        let write = { (number: UInt8, value: UInt64) in
            guest.vcpu.gpr[3] = value
            return guest.execute(.move) {
                ($0.destination, $0.source) = (Instruction.debugRegisters + number, 3)
            }
        }
        #expect(read(7) == .vmmCommunication(0x27))
        #expect(write(7, 0) == .vmmCommunication(0x37))
        #expect(read(5) == .vmmCommunication(0x27))
        #expect(write(2, 0x1234) == nil)
        #expect(read(2) == nil)
        #expect(guest.vcpu.gpr[0] == 0x1234)
        #expect(write(6, 0xffff_ffff) == nil)
        #expect(read(4) == nil)
        #expect(guest.vcpu.gpr[0] == 0xffff_efff)
        #expect(write(6, 1 << 32) == .generalProtection())
        guest.vcpu.system.cr4 |= CR4.debugExtensions
        #expect(read(4) == .invalidOpcode)
    }

    @Test("RDMSR and WRMSR: native, checked, or #VC(0x7C)")
    func modelSpecificRegisters() throws {
        let guest = try #require(SystemGuest())
        let write = { (number: UInt64, value: UInt64) in
            (guest.vcpu.gpr[1], guest.vcpu.edxEAX) = (number, value)
            return guest.execute(.wrmsr)
        }
        let read = { (number: UInt64) -> UInt64? in
            guest.vcpu.gpr[1] = number
            return guest.execute(.rdmsr) == nil ? guest.vcpu.edxEAX : nil
        }
        let native: [UInt64] = [
            0x174, 0x175, 0x176, 0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084, 0xc000_0100,
            0xc000_0101, 0xc000_0102, 0xc000_0103, 0xc001_0130,
        ]
        for number in native {
            #expect(write(number, 0x1234_5000) == nil)
            #expect(read(number) == 0x1234_5000)
        }
        for number in [0xc000_0082, 0xc000_0083, 0xc000_0100, 0xc000_0101, 0xc000_0102] as [UInt64]
        {
            #expect(write(number, 0x8000_0000_0000) == .generalProtection())
        }
        #expect(read(0xc001_0131) == 3)
        #expect(write(0xc001_0131, 3) == .generalProtection())
        #expect(write(0x277, 0x0202) == .generalProtection())
        #expect(write(0x277, 0x0007_0406_0007_0506) == nil)
        #expect(write(0xda0, 1) == .generalProtection())
        for number in [0x10, 0x1b, 0xfe, 0x4b56_4d00, 0xc001_0015] as [UInt64] {
            #expect(write(number, 0) == .vmmCommunication(0x7c))
            #expect(guest.execute(.rdmsr) == .vmmCommunication(0x7c))
        }
        #expect(write(0xc000_0080, 0x1d01) == nil)
        #expect(write(0xc000_0080, 0xc01) == .generalProtection())
        #expect(write(0xc000_0080, 0x2_0d01) == .generalProtection())
    }
}
