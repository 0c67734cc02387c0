@testable import VCPUControl

/// The emulator's processor at CPL 3, with page tables that mirror the host's pages.
///
/// Exceptions go through a guest IDT: each handler is one HLT, so where the run stops tells the vector,
/// and the stack has the rest.
///
/// Unsafe: it reads and writes the guest's RAM directly, at pages that are within it.
@safe struct EmulatedCPU: ~Copyable {
    private let guest: GuestMemory
    private var vcpu: EmulatedVCPU
    private let user: (code: Segment, stack: Segment)

    /// Numbers of physical pages.
    private enum Page {
        static let root = 1, low = 2, lowDirectory = 3, codeTable = 4, dataTable = 5
        static let high = 6, highDirectory = 7, highTable = 8
        static let idt = 16, gdt = 17, handlers = 18, stack = 19, code = 20, data = 24
    }

    /// Where supervisor pages lie: physical page n at the n-th page from here.
    private static let supervisor: UInt64 = 0xffff_8000_0000_0000
    private static let cBit: UInt64 = 1 << 51

    init?() {
        guard let guest = GuestMemory(pages: 32, cBit: 51, key: 1) else { return nil }
        self.guest = guest
        vcpu = EmulatedVCPU(memory: VirtualMemory(guest: guest))
        user = (
            Segment(selector: 0x33, attributes: 0xafb), Segment(selector: 0x2b, attributes: 0xcf3)
        )
        mapPages()
        fillTables()
        setRegisters()
    }

    /// The data pages: physical pages are in the order of the layout.
    var data: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            start: guest.base + Page.data << 12, count: FuzzLayout.data.count)
    }

    private func write(_ value: UInt64, page: Int, offset: Int) {
        unsafe guest.base.storeBytes(of: value, toByteOffset: page << 12 + offset, as: UInt64.self)
    }

    private func read(page: Int, offset: Int) -> UInt64 {
        unsafe guest.base.load(fromByteOffset: page << 12 + offset, as: UInt64.self)
    }

    private func mapPages() {
        let (present, writable, anyone, never) = (1, 2, 4, UInt64(1) << 63)
        func map(_ table: Int, _ index: UInt64, _ page: Int, _ flags: Int, extra: UInt64 = 0) {
            // accessed and dirty
            let entry = UInt64(page) << 12 | UInt64(flags) | 0x60 | Self.cBit | extra
            write(entry, page: table, offset: Int(index & 511) * 8)
        }
        let all = present | writable | anyone
        map(Page.root, 0, Page.low, all)
        map(Page.low, 0, Page.lowDirectory, all)
        map(Page.lowDirectory, FuzzLayout.code.lowerBound >> 21, Page.codeTable, all)
        map(Page.lowDirectory, FuzzLayout.data.lowerBound >> 21, Page.dataTable, all)
        for page in 0..<2 {
            let index = FuzzLayout.code.lowerBound >> 12 + UInt64(page)
            map(Page.codeTable, index, Page.code + page, present | anyone)
        }
        for page in FuzzLayout.dataPages {
            let address = FuzzLayout.data.lowerBound + UInt64(page) << 12
            let flags = FuzzLayout.readOnly.contains(address) ? present | anyone : all
            map(Page.dataTable, address >> 12, Page.data + page, flags, extra: never)
        }
        map(Page.root, 256, Page.high, present | writable)
        map(Page.high, 0, Page.highDirectory, present | writable)
        map(Page.highDirectory, 0, Page.highTable, present | writable)
        for page in Page.idt...Page.stack {
            map(Page.highTable, UInt64(page), page, present | writable)
        }
    }

    private func address(_ page: Int) -> UInt64 { Self.supervisor + UInt64(page) << 12 }

    private func fillTables() {
        for vector in 0..<256 {
            let handler = address(Page.handlers) + UInt64(vector) * 16
            let low =
                handler & 0xffff | 0x8 << 16 | 0xee00 << 32 | (handler >> 16 & 0xffff) << 48
            write(low, page: Page.idt, offset: vector * 16)
            write(handler >> 32, page: Page.idt, offset: vector * 16 + 8)
            write(0xf4f4_f4f4_f4f4_f4f4, page: Page.handlers, offset: vector * 16)
        }
        // Kernel code and data, then as Linux has them, user data and code at 28h and 30h.
        write(0x00af_9b00_0000_ffff, page: Page.gdt, offset: 0x8)
        write(0x00cf_9300_0000_ffff, page: Page.gdt, offset: 0x10)
        write(0x00cf_f300_0000_ffff, page: Page.gdt, offset: 0x28)
        write(0x00af_fb00_0000_ffff, page: Page.gdt, offset: 0x30)
        // RSP0 of the TSS, which lies at 800h of the same page and has no I/O bitmap
        write(address(Page.stack) + 0x1000, page: Page.gdt, offset: 0x804)
        write(0x68 << 48, page: Page.gdt, offset: 0x860)
    }

    private mutating func setRegisters() {
        vcpu.system.cr0 = 0x8005_0033
        vcpu.system.cr3 = UInt64(Page.root) << 12
        // PAE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE, SMEP
        vcpu.system.cr4 = 0x20 | 0x600 | 1 << 16 | 1 << 18 | 1 << 20
        vcpu.system.efer = 0xd01
        vcpu.system.xcr0 = 3
        vcpu.system.gdtr = DescriptorTable(base: address(Page.gdt), limit: 0x7f)
        vcpu.system.idtr = DescriptorTable(base: address(Page.idt), limit: 0xfff)
        vcpu.system.tr = Segment(
            selector: 0x40, attributes: 0x8b, limit: 0x67, base: address(Page.gdt) + 0x800)
        vcpu.system.cs = user.code
        vcpu.system.ss = user.stack
        vcpu.systemStateChanged()
    }

    /// Puts bytes into the code pages; those past their end are dropped.
    func setCode(_ bytes: some Sequence<UInt8>, at start: UInt64) {
        for (offset, byte) in bytes.enumerated() {
            let position = start &+ UInt64(offset)
            guard FuzzLayout.code.contains(position) else { continue }
            let place = Int(position - FuzzLayout.code.lowerBound)
            unsafe guest.base.storeBytes(
                of: byte, toByteOffset: Page.code << 12 + place, as: UInt8.self)
            guest.changed(page: Page.code + place >> 12, offset: place & 0xfff, count: 1)
        }
    }

    /// What an execution came to.
    enum Outcome {
        case done(MachineFault?)
        case unimplemented
        case other(CoreExit)
    }

    /// Executes the instruction at RIP; a string instruction to its end, `chunk` iterations in a run.
    mutating func execute(_ state: inout MachineState, of test: FuzzCase, chunk: UInt64) -> Outcome
    {
        load(state)
        var exit = vcpu.run(limit: test.isString ? chunk : 1)
        if test.isString {
            while exit == .limit && vcpu.rip == state.rip { exit = vcpu.run(limit: chunk) }
        }
        switch exit {
        case .limit:
            store(&state)
            return .done(nil)
        case .halt where vcpu.system.cpl == 0:
            return .done(leaveHandler(&state, next: test.next, isString: test.isString))
        case .unimplemented: return .unimplemented
        default: return .other(exit)
        }
    }

    private mutating func load(_ state: MachineState) {
        for number in 0..<16 { vcpu.gpr[number] = state.registers[number] }
        vcpu.rip = state.rip
        vcpu.flags.value = state.flags
        let area = SaveArea(words: state.area)
        vcpu.vector.x87 = area.x87(wide: true)
        vcpu.vector.mxcsr = area.mxcsr ?? MXCSR()
        for register: UInt8 in 0..<16 { vcpu.vector[register] = area.xmm(register) }
    }

    private func store(_ state: inout MachineState) {
        for number in 0..<16 { state.registers[number] = vcpu.gpr[number] }
        state.rip = vcpu.rip
        state.flags = vcpu.flags.value
        state.area = SaveArea(vcpu.vector, wide: true).words
    }

    /// Takes the fault from the handler's stack and goes back to CPL 3.
    ///
    /// A string instruction may run on to the next one: a fault there says that it is over.
    private mutating func leaveHandler(
        _ state: inout MachineState, next: UInt64, isString: Bool
    ) -> MachineFault? {
        let vector = Int(vcpu.rip & 0xfff) >> 4
        store(&state)
        let hasCode = [8, 10, 11, 12, 13, 14, 17, 21, 29, 30].contains(vector)
        let code = hasCode ? read(page: Page.stack, offset: 0xfd0) : 0
        state.rip = read(page: Page.stack, offset: 0xfd8)
        state.flags = read(page: Page.stack, offset: 0xfe8)
        state.registers[4] = read(page: Page.stack, offset: 0xff0)
        vcpu.system.cs = user.code
        vcpu.system.ss = user.stack
        vcpu.memory.setUser(true)
        if isString && vector == 3 { state.rip -= 1 }
        if isString && state.rip == next { return nil }
        return MachineFault(vector: vector, errorCode: code, address: vcpu.system.cr2)
    }
}
