/// FXSAVE, XSAVE and their counterparts; APM volume 2, section 11.5.
extension EmulatedVCPU {
    /// FXSAVE: 512 bytes are checked, the last of them first; the last 96 stay as they are.
    ///
    /// Without CR4.OSFXSR the area has no XMM registers.
    mutating func saveLegacy(_ i: Instruction, wide: Bool) throws(Fault) {
        let address = try areaAddress(i, alignment: 16)
        try checkWritable(address &+ 511, count: 1, i.segment)
        try checkWritable(address, count: 512, i.segment)
        let area = SaveArea(vector, wide: wide)
        try store(area, 0..<(supportsSSE ? 52 : 20), at: address, i.segment)
    }

    /// FXRSTOR.
    mutating func restoreLegacy(_ i: Instruction, wide: Bool) throws(Fault) {
        let address = try areaAddress(i, alignment: 16)
        _ = try load(UInt8.self, at: address &+ 511, i.segment)
        var area = SaveArea()
        try load(&area, 0..<52, at: address, i.segment)
        guard let mxcsr = area.mxcsr else { throw .generalProtection() }
        vector.x87 = area.x87(wide: wide)
        vector.mxcsr = mxcsr
        guard supportsSSE else { return }
        for register: UInt8 in 0..<16 { vector[register] = area.xmm(register) }
    }

    /// XSAVE in the standard form, and XSAVEOPT, which omits nothing here: XINUSE is all ones.
    ///
    /// As with FXSAVE, the last byte is checked first; the rest in order, where it is stored to, so
    /// that of the two pages of an area the first one faults before anything is written.
    mutating func saveExtended(_ i: Instruction, wide: Bool) throws(Fault) {
        let address = try areaAddress(i, alignment: 64)
        try checkWritable(address &+ 575, count: 1, i.segment)
        let requested = requestedComponents
        let area = SaveArea(vector, wide: wide)
        for part in SaveArea.layout where requested.contains(part.component) {
            try store(area, part.words, at: address, i.segment)
        }
        let present = try loadForUpdate(UInt64.self, at: address &+ 512, i.segment)
        try store(present | requested.rawValue, at: address &+ 512, i.segment)
    }

    /// XSAVEC and XSAVES: x87 and SSE lie where the standard form has them.
    ///
    /// XSS has no bit that can be set, so that both save the same.
    mutating func saveCompacted(_ i: Instruction, wide: Bool) throws(Fault) {
        let address = try areaAddress(i, alignment: 64)
        try checkWritable(address &+ 575, count: 1, i.segment)
        let requested = requestedComponents
        let area = SaveArea(vector, wide: wide)
        for part in SaveArea.layout where requested.contains(part.component) {
            try store(area, part.words, at: address, i.segment)
        }
        try store(requested.rawValue, at: address &+ 512, i.segment)
        try store(requested.rawValue | Self.compacted, at: address &+ 520, i.segment)
    }

    /// Bit 63 of XCOMP_BV.
    private static let compacted: UInt64 = 1 << 63

    /// XRSTOR, and XRSTORS, which takes only the compacted form.
    ///
    /// The header is read first, and judged last.
    mutating func restoreExtended(
        _ i: Instruction, wide: Bool, onlyCompacted: Bool = false
    ) throws(Fault) {
        let address = try areaAddress(i, alignment: 64)
        let compaction = try load(UInt64.self, at: address &+ 520, i.segment)
        let present = try load(UInt64.self, at: address &+ 512, i.segment)
        let isCompacted = compaction & Self.compacted != 0
        guard isCompacted || !onlyCompacted else { throw .generalProtection() }
        let held = isCompacted ? compaction & ~Self.compacted : system.xcr0
        let requested = requestedComponents
        var area = SaveArea()
        for part in SaveArea.layout where requested.contains(part.component) {
            try load(&area, part.words, at: address, i.segment)
        }
        let reserved = try load(UInt64.self, at: address &+ 528, i.segment)
        let isPresent = StateComponents(rawValue: present)
        // In the standard form MXCSR is there even where the header has no XMM registers.
        let mxcsr = isCompacted && !isPresent.contains(.sse) ? MXCSR() : area.mxcsr
        guard present & ~held == 0, held & ~system.xcr0 == 0, isCompacted || compaction == 0,
            reserved == 0, let mxcsr
        else { throw .generalProtection() }
        if requested.contains(.x87) {
            vector.x87 = isPresent.contains(.x87) ? area.x87(wide: wide) : X87State()
        }
        guard requested.contains(.sse) else { return }
        vector.mxcsr = mxcsr
        for register: UInt8 in 0..<16 {
            vector[register] = isPresent.contains(.sse) ? area.xmm(register) : .zero
        }
    }

    private mutating func areaAddress(_ i: Instruction, alignment: UInt64) throws(Fault) -> UInt64 {
        let address = effectiveAddress(i)
        guard Self.isCanonical(address) && address % alignment == 0 else {
            throw i.segment == .ss && !Self.isCanonical(address) ? .stack() : .generalProtection()
        }
        return address
    }

    private mutating func load(
        _ area: inout SaveArea, _ range: Range<Int>, at address: UInt64, _ segment: SegmentName
    ) throws(Fault) {
        for index in range {
            area.words[index] = try load(
                UInt64.self, at: address &+ UInt64(8 * index), segment)
        }
    }

    private mutating func store(
        _ area: SaveArea, _ range: Range<Int>, at address: UInt64, _ segment: SegmentName
    ) throws(Fault) {
        for index in range {
            try store(area.words[index], at: address &+ UInt64(8 * index), segment)
        }
    }

    /// RFBM: what EDX:EAX asks for and XCR0 has.
    private var requestedComponents: StateComponents {
        let mask = gpr[2] << 32 | gpr[0] & 0xffff_ffff
        return StateComponents(rawValue: mask & system.xcr0)
    }
}
