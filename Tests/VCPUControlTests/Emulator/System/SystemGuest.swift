@testable import VCPUControl

/// A vCPU with page tables, GDT, IDT and TSS in 4 MiB of RAM, identity-mapped and private.
///
/// PML4 0x1000, PDPT 0x2000, PD 0x3000, page tables 0x4000 and 0x5000, GDT 0x6000, IDT 0x7000,
/// TSS 0x8000; code at 0x10000, the kernel's stack below 0x20000, the user's below 0x30000.
final class SystemGuest {
    let memory: GuestMemory
    var vcpu: EmulatedVCPU

    static let cBit: UInt64 = 1 << 51
    static let kernelCode: UInt16 = 0x08
    static let kernelData: UInt16 = 0x10
    static let userData: UInt16 = 0x1b
    static let userCode: UInt16 = 0x23
    static let taskState: UInt16 = 0x28
    static let pages = 1024

    init?() {
        guard let memory = GuestMemory(pages: Self.pages, cBit: 51, key: 0x1234) else {
            return nil
        }
        self.memory = memory
        vcpu = EmulatedVCPU(memory: VirtualMemory(guest: memory))
        makeTables()
        makeDescriptors()
        var system = SystemRegisters()
        system.cr0 = 0x8001_0033
        system.cr3 = 0x1000 | Self.cBit
        system.cr4 = 0x620
        system.efer = 0xd01
        system.cs = Segment(selector: Self.kernelCode, attributes: 0xa9b)
        system.ss = Segment(selector: Self.kernelData, attributes: 0xc93)
        system.gdtr = DescriptorTable(base: 0x6000, limit: 0x4f)
        system.idtr = DescriptorTable(base: 0x7000, limit: 0xfff)
        system.tr = Segment(selector: Self.taskState, attributes: 0x8b, limit: 0x67, base: 0x8000)
        vcpu.system = system
        vcpu.rip = 0x10000
        vcpu.gpr[4] = 0x20000
        vcpu.systemStateChanged()
    }

    /// The entry of the page table for a page of the first 4 MiB.
    func entryAddress(_ linear: UInt64) -> UInt64 { 0x4000 + linear >> 12 * 8 }

    /// Maps a page of the first 4 MiB anew; `flags` are the low bits and NX.
    func map(_ linear: UInt64, to address: UInt64, flags: UInt64 = 7, shared: Bool = false) {
        put(address | flags | (shared ? 0 : Self.cBit), at: entryAddress(linear))
        vcpu.memory.flush()
    }

    /// Writes 8 private bytes.
    func put(_ value: UInt64, at address: UInt64) {
        _ = memory.write(Self.bytes(value), to: address, as: .private)
    }

    /// Reads 8 bytes.
    func get(_ address: UInt64, as view: MemoryView = .private) -> UInt64 {
        guard let bytes = memory.read(address, count: 8, as: view) else { return .max }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    static func bytes(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    }

    /// Puts the vCPU at CPL 3, as the user's code has it.
    func enterUser() {
        vcpu.system.cs = Segment(selector: Self.userCode, attributes: 0xafb)
        vcpu.system.ss = Segment(selector: Self.userData, attributes: 0xcf3)
        vcpu.gpr[4] = 0x30000
        vcpu.systemStateChanged()
    }

    /// Makes an interrupt gate of a vector.
    func gate(
        _ vector: UInt64, to offset: UInt64, selector: UInt16 = kernelCode, type: UInt64 = 0xe,
        level: UInt64 = 0, stack: UInt64 = 0, present: Bool = true
    ) {
        var low = offset & 0xffff | UInt64(selector) << 16 | stack << 32 | type << 40
        low |= level << 45 | (present ? 1 << 47 : 0) | (offset >> 16 & 0xffff) << 48
        put(low, at: 0x7000 + vector * 16)
        put(offset >> 32, at: 0x7008 + vector * 16)
    }

    /// Executes a system instruction; the fault, if there is one.
    func execute(
        _ operation: SystemOperation, _ change: (inout Instruction) -> Void = { _ in }
    ) -> Fault? {
        var instruction = Instruction(operation: .system, width: 8, length: 2)
        instruction.detail = operation.rawValue
        change(&instruction)
        do throws(StopOrFault) { try vcpu.executeSystem(instruction) } catch {
            if case .fault(let fault) = error { return fault }
        }
        return nil
    }

    /// What an access raises, if anything.
    func fault(_ body: (inout EmulatedVCPU) throws(Fault) -> Void) -> Fault? {
        do throws(Fault) { try body(&vcpu) } catch { return error }
        return nil
    }

    private func makeTables() {
        put(0x2007 | Self.cBit, at: 0x1000)
        put(0x3007 | Self.cBit, at: 0x2000)
        put(0x4007 | Self.cBit, at: 0x3000)
        put(0x5007 | Self.cBit, at: 0x3008)
        for page in 0..<UInt64(Self.pages) {
            put(page << 12 | 7 | Self.cBit, at: 0x4000 + page * 8)
        }
    }

    private func makeDescriptors() {
        put(0x00af_9a00_0000_ffff, at: 0x6008)
        put(0x00cf_9200_0000_ffff, at: 0x6010)
        put(0x00cf_f200_0000_ffff, at: 0x6018)
        put(0x00af_fa00_0000_ffff, at: 0x6020)
        put(0x0000_8900_8000_0067, at: 0x6028)
        put(0, at: 0x6030)
        put(0x0000_8200_9000_0fff, at: 0x6038)
        put(0, at: 0x6040)
        put(0x0020_9a00_0000_0000, at: 0x6048)
        put(0x1f000, at: 0x8004)
        put(0x1e000, at: 0x8024)
        put(0x68 << 48, at: 0x8060)
    }
}
