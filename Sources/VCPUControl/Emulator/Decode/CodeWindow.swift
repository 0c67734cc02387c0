/// A vCPU's way from RIP to decoded instructions.
///
/// Unsafe: `slots` points into the VM's `CodeCache`, which keeps it until its epoch changes.
@safe
struct CodeWindow {
    /// The linear page that execution is in; 1 where none is.
    var linear: UInt64 = 1
    /// The translation's age: `VirtualMemory.generation` when the page was entered.
    var generation: UInt64 = 0
    /// The instructions of the page.
    var slots: CodeCache.Slots?
    /// The number of the physical page.
    var page = 0
    /// `CodeCache.epoch` of all pointers here.
    var epoch = 0
    /// Pages entered before, direct-mapped by linear page.
    var recent = InlineArray<64, Recent>(repeating: Recent())

    /// A linear page and where its code is.
    @safe
    struct Recent {
        var linear: UInt64 = 1
        var generation: UInt64 = 0
        var slots: CodeCache.Slots?
        var page = 0
    }
}

extension EmulatedVCPU {
    private var code: CodeCache { memory.guest.code }

    /// Makes the page of RIP the one that the run loop reads instructions from.
    @inline(never)
    mutating func enterPage() throws(Fault) {
        let linear = rip & ~0xfff
        let index = Int(truncatingIfNeeded: linear >> 12 & 63)
        let recent = window.recent[index]
        if recent.linear == linear && recent.generation == memory.generation {
            return enter(recent)
        }
        window.linear = 1
        let page = try fetchPage(rip)
        let slots = unsafe code.slots(ofPage: page)
        if code.epoch != window.epoch { forgetCode() }
        let entered = unsafe CodeWindow.Recent(
            linear: linear, generation: memory.generation, slots: slots, page: page)
        window.recent[index] = entered
        enter(entered)
    }

    private mutating func enter(_ page: CodeWindow.Recent) {
        window.linear = page.linear
        window.generation = page.generation
        unsafe window.slots = page.slots
        window.page = page.page
    }

    /// Forgets every pointer into the code cache.
    mutating func forgetCode() {
        window = unsafe CodeWindow(epoch: code.epoch)
    }

    /// Decodes the instruction at RIP, whose page has been entered.
    ///
    /// - Returns: where it is; the run loop starts over where that is no slot of the page.
    @inline(never)
    mutating func decodeInstruction() throws(Fault) -> Int {
        let (page, offset) = (window.page, Int(rip & 0xfff))
        let bytes = unsafe memory.guest.privateBytes(ofPage: page)
        let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[offset...])
        if let isFirst = unsafe code.decode(page: page, offset: offset, bytes: rest) {
            if isFirst { memory.codeAppeared(inPage: page) }
            return offset
        }
        let next = try fetchPage((rip | 0xfff) &+ 1)
        var both = unsafe Array(rest)
        unsafe both += memory.guest.privateBytes(ofPage: next).prefix(15)
        unsafe both.withUnsafeBytes {
            unsafe code.decodeCrossing(page: page, offset: offset, bytes: $0)
        }
        return CodeCache.scratch
    }

    /// The bytes of the instruction at RIP, as far as they can be read.
    mutating func instructionBytes(count: Int) -> [UInt8] {
        var result: [UInt8] = []
        while result.count < count {
            let address = rip &+ UInt64(result.count)
            guard let page = try? fetchPage(address) else { break }
            let bytes = unsafe memory.guest.privateBytes(ofPage: page)
            let rest = unsafe bytes[Int(address & 0xfff)...].prefix(count - result.count)
            unsafe result.append(contentsOf: rest)
        }
        return result
    }
}
