internal import Glibc

/// The decoded instructions of a VM's memory, one array for each physical page that holds code.
///
/// Unsafe: the run loop reads instructions through plain pointers into these arrays. They live
/// until `epoch` changes; a vCPU compares it before it runs, and after each page it asks for.
@safe
final class CodeCache {
    /// The instructions of one page, by the offset of their first byte.
    ///
    /// One more at the end is scratch space for the instruction that crosses into the next page,
    /// which is decoded each time.
    typealias Slots = UnsafeMutablePointer<Instruction>

    /// Changes when all arrays are given back.
    private(set) var epoch = 0
    private var pages: [Page?]
    private var pagesInUse = 0
    private var breakpoints: Set<UInt64> = []
    /// The page offsets of the breakpoints.
    private var offsets: Set<Int> = []
    private var decoder = Decoder()

    @safe
    private struct Page {
        let slots: Slots
        /// Decoded instructions in `slots`.
        var count = 0
    }

    /// Where the scratch slot of a page lies.
    static let scratch = 4096
    /// A guest that runs through all its memory must not take the host's: 128 KiB for each page.
    private static let capacity = 2048

    /// - Parameter pageCount: pages of RAM of the VM.
    init(pageCount: Int) {
        pages = Array(repeating: nil, count: pageCount)
    }

    deinit { drop() }

    /// The instructions of a page, made on first use.
    func slots(ofPage page: Int) -> Slots {
        if let known = pages[page] { return unsafe known.slots }
        if pagesInUse == Self.capacity { drop() }
        let size = (Self.scratch + 1) * MemoryLayout<Instruction>.stride
        // Zero bytes are `.undecoded`; memory that is never reached costs nothing.
        guard let memory = unsafe calloc(1, size) else {
            preconditionFailure("no memory for decoded instructions: 128 KiB")
        }
        let slots = unsafe memory.bindMemory(to: Instruction.self, capacity: Self.scratch + 1)
        pages[page] = unsafe Page(slots: slots)
        pagesInUse += 1
        return unsafe slots
    }

    /// Decodes one instruction into its slot.
    ///
    /// - Returns: whether it is the only one in its page; `nil`: it needs more bytes than given.
    func decode(page: Int, offset: Int, bytes: UnsafeRawBufferPointer) -> Bool? {
        guard let instruction = unsafe decoder.decode(bytes) else { return nil }
        unsafe slots(ofPage: page)[offset] = marked(instruction, offset: offset)
        pages[page]?.count += 1
        return pages[page]?.count == 1
    }

    /// Decodes an instruction that crosses into the next page into the scratch slot.
    func decodeCrossing(page: Int, offset: Int, bytes: UnsafeRawBufferPointer) {
        let instruction = unsafe decoder.decode(bytes) ?? Instruction(operation: .tooLong)
        unsafe slots(ofPage: page)[Self.scratch] = marked(instruction, offset: offset)
    }

    /// Drops decoded instructions that overlap bytes of a page, which have changed.
    func invalidate(page: Int, offset: Int, count: Int) {
        guard pages.indices.contains(page), let known = pages[page], known.count > 0 else { return }
        let slots = unsafe known.slots
        for start in max(0, offset - 14)..<min(4096, offset + count) {
            guard unsafe slots[start].operation != .undecoded,
                unsafe start >= offset || start + Int(slots[start].length) > offset
            else { continue }
            unsafe slots[start].operation = .undecoded
            pages[page]?.count -= 1
        }
    }

    /// Whether any instruction of the page is decoded: stores to it must be told.
    func holdsCode(page: Int) -> Bool {
        guard pages.indices.contains(page), let known = pages[page] else { return false }
        return known.count > 0
    }

    /// Gives all memory back.
    private func drop() {
        for case .some(let page) in pages { unsafe free(page.slots) }
        pages = Array(repeating: nil, count: pages.count)
        pagesInUse = 0
        epoch += 1
    }
}

// MARK: - Breakpoints

extension CodeCache {
    /// Replaces the linear addresses at which every vCPU stops before execution.
    func setBreakpoints(_ addresses: Set<UInt64>) {
        let old = offsets
        breakpoints = addresses
        offsets = Set(addresses.map { Int($0 & 0xfff) })
        for case .some(let page) in pages {
            for offset in old.union(offsets) {
                unsafe page.slots[offset] = marked(page.slots[offset], offset: offset)
            }
        }
    }

    /// Whether a vCPU stops at a linear address.
    func hasBreakpoint(at address: UInt64) -> Bool { breakpoints.contains(address) }

    /// The instruction with or without the mark that makes the run loop ask for a breakpoint.
    private func marked(_ instruction: Instruction, offset: Int) -> Instruction {
        var result = instruction
        if result.operation == .breakpoint { result.operation = result.overlaid }
        guard offsets.contains(offset), result.operation != .undecoded else { return result }
        result.overlaid = result.operation
        result.operation = .breakpoint
        return result
    }
}
