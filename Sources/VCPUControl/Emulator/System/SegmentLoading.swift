/// Loading segment registers (APM volume 2, 4.5 and 4.8; volume 3, MOV, POP, LSS).
extension EmulatedVCPU {
    subscript(segment name: SegmentName) -> Segment {
        get {
            switch name {
            case .es: system.es
            case .cs: system.cs
            case .ss: system.ss
            case .ds: system.ds
            case .fs: system.fs
            case .gs: system.gs
            }
        }
        set {
            switch name {
            case .es: system.es = newValue
            case .cs: system.cs = newValue
            case .ss: system.ss = newValue
            case .ds: system.ds = newValue
            case .fs: system.fs = newValue
            case .gs: system.gs = newValue
            }
        }
    }

    /// Loads a segment register as MOV and POP do; CS is #UD.
    mutating func loadSegment(_ name: SegmentName, _ selector: UInt16) throws(Fault) {
        switch name {
        case .cs: throw .invalidOpcode
        case .ss: system.ss = try stackSegment(selector, level: system.cpl)
        default: self[segment: name] = try dataSegment(name, selector)
        }
    }

    /// What a load of SS at a privilege level gives; a null selector is allowed but at CPL 3.
    mutating func stackSegment(
        _ selector: UInt16, level: UInt8, external: UInt64 = 0
    ) throws(Fault) -> Segment {
        if Self.isNull(selector) {
            guard level != 3, UInt8(selector & 3) == level else { throw .generalProtection() }
            return Self.nullStack(selector, level: level)
        }
        var found = try descriptor(selector)
        guard UInt8(selector & 3) == level, found.isWritableData, found.level == level else {
            throw .generalProtection(Self.code(selector))
        }
        guard found.isPresent else { throw .stack(Self.code(selector)) }
        try markAccessed(selector, &found)
        return found.segment(selector)
    }

    /// SS with a null selector: it still holds the privilege level.
    static func nullStack(_ selector: UInt16, level: UInt8) -> Segment {
        Segment(selector: selector, attributes: UInt16(level) << 5)
    }

    /// What a load of DS, ES, FS or GS gives.
    ///
    /// A null selector leaves base and limit as they are: NullSelectorClearsBase is not offered.
    private mutating func dataSegment(
        _ name: SegmentName, _ selector: UInt16
    ) throws(Fault) -> Segment {
        if Self.isNull(selector) {
            var segment = self[segment: name]
            (segment.selector, segment.attributes) = (selector, 0)
            return segment
        }
        var found = try descriptor(selector)
        let weakest = max(UInt8(selector & 3), system.cpl)
        guard found.isReadable, found.isConforming || weakest <= found.level else {
            throw .generalProtection(Self.code(selector))
        }
        guard found.isPresent else { throw .notPresent(Self.code(selector)) }
        try markAccessed(selector, &found)
        return found.segment(selector)
    }

    /// Nulls the data segments that an outer privilege level may not use (IRET and RETF).
    mutating func dropPrivilegedSegments() {
        for name in [SegmentName.es, .ds, .fs, .gs] {
            let attributes = self[segment: name].attributes
            let isConforming = attributes & 0x1c == 0x1c
            let level = UInt8(attributes >> 5 & 3)
            guard attributes & 0x80 != 0, !isConforming, level < system.cpl else { continue }
            self[segment: name].selector = 0
            self[segment: name].attributes = 0
        }
    }

    /// LLDT.
    mutating func loadLDT(_ selector: UInt16) throws(Fault) {
        if Self.isNull(selector) {
            system.ldtr = Segment(selector: selector, attributes: 0, limit: 0)
            return
        }
        system.ldtr = try systemSegment(selector, type: Descriptor.SystemType.ldt)
    }

    /// LTR: the descriptor becomes busy.
    mutating func loadTaskRegister(_ selector: UInt16) throws(Fault) {
        guard !Self.isNull(selector) else { throw .generalProtection() }
        var segment = try systemSegment(selector, type: Descriptor.SystemType.availableTSS)
        var found = try descriptor(selector)
        try mark(selector, &found, bits: 2 << 40)
        segment.attributes |= 2
        system.tr = segment
    }

    /// A 16-byte descriptor of a type, in the GDT.
    private mutating func systemSegment(
        _ selector: UInt16, type: UInt8
    ) throws(Fault) -> Segment {
        guard selector & 4 == 0 else { throw .generalProtection(Self.code(selector)) }
        let (found, base) = try systemDescriptor(selector)
        guard !found.isSegment, found.type == type else {
            throw .generalProtection(Self.code(selector))
        }
        guard found.isPresent else { throw .notPresent(Self.code(selector)) }
        guard Self.isCanonical(base) else { throw .generalProtection(Self.code(selector)) }
        var segment = found.segment(selector)
        segment.base = base
        return segment
    }
}
