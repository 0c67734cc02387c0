import Testing

@testable import VCPUControl

/// A vCPU at CPL 0 with 256 KiB of private memory, identity-mapped by tables in its last four pages.
///
/// Code starts at `code`, RSI and RDI point to `data`, RSP to `stack`. Faults come back undelivered.
@safe
struct BareVCPU {
    static let code: UInt64 = 0x1000
    static let data: UInt64 = 0x10000
    static let stack: UInt64 = 0x9000
    private static let tables: UInt64 = 0x3c000

    var vcpu: EmulatedVCPU

    init(_ bytes: [UInt8], at address: UInt64 = BareVCPU.code) throws {
        let guest = try #require(GuestMemory(pages: 64, cBit: 51, key: 1))
        vcpu = EmulatedVCPU(memory: VirtualMemory(guest: guest))
        vcpu.system.cr0 = 0x8005_0033
        vcpu.system.cr3 = Self.tables
        vcpu.system.cr4 = 0x620
        vcpu.system.efer = 0xd00
        vcpu.system.cs = Segment(selector: 8, attributes: 0xa9b)
        vcpu.system.ss = Segment(selector: 16, attributes: 0xc93)
        for level in 0..<3 {
            let table = Self.tables + UInt64(level) << 12
            write(table, (table + 0x1000) | 1 << 51 | 7)
        }
        for page in 0..<64 { map(UInt64(page) << 12, permissions: 3) }
        for (offset, byte) in bytes.enumerated() { write(address + UInt64(offset), byte) }
        vcpu.rip = address
        self[.rsp] = Self.stack
        self[.rsi] = Self.data
        self[.rdi] = Self.data
    }

    /// Gives a page present (1), write (2) and user (4) permission, or none.
    func map(_ page: UInt64, permissions: UInt64) {
        write(Self.tables + 0x3000 + page >> 12 * 8, page | 1 << 51 | permissions)
    }

    subscript(register: Register) -> UInt64 {
        get { vcpu.gpr[Int(register.rawValue)] }
        set { vcpu.gpr[Int(register.rawValue)] = newValue }
    }

    /// The status flags.
    var status: UInt64 {
        get { vcpu.flags.status }
        set { vcpu.flags.status = newValue }
    }

    func read<T: FixedWidthInteger>(_ address: UInt64, _: T.Type = T.self) -> T {
        unsafe vcpu.memory.guest.base.loadUnaligned(fromByteOffset: Int(address), as: T.self)
    }

    func write<T: FixedWidthInteger>(_ address: UInt64, _ value: T) {
        unsafe vcpu.memory.guest.base.storeBytes(
            of: value, toByteOffset: Int(address), as: T.self)
    }

    /// Executes instructions; the fault that keeps one from completing.
    @discardableResult
    mutating func execute(_ count: UInt64 = 1) -> Fault? {
        let end = vcpu.retired + count
        do throws(Fault) {
            while vcpu.retired < end {
                guard try vcpu.execute(until: end, standing: false) == .look else { break }
            }
            return nil
        } catch {
            return error
        }
    }

    /// What executing one instruction comes to where it does not complete in the fast loop.
    mutating func pause() throws -> Pause {
        try vcpu.execute(until: vcpu.retired + 1, standing: false)
    }
}

/// Builds status flags from the letters of those that are set: `"cz"`.
func status(_ letters: String) -> UInt64 {
    let bits: [Character: UInt64] = ["c": 0, "p": 2, "a": 4, "z": 6, "s": 7, "o": 11]
    return letters.reduce(0) { value, letter in bits[letter].map { value | 1 << $0 } ?? value }
}
